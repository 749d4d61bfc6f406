"""What a span from a moment comes to by a calendar."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice

from workflow.language import gettext as _
from workflow.worktime import words
from workflow.worktime.calendars import Calendar
from workflow.worktime.length import NOTHING, Span
from workflow.worktime.words import Portions

FARTHEST = 3660
"""Days that are looked through for working time."""


class NoWorkingTime(ValueError):
    """A calendar has less working time than was asked for, as far as anybody looks."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a span from a moment comes to, and how that was counted, in a sentence."""

    at: datetime
    why: str


def add(calendar: Calendar, moment: datetime, span: Span, *, told_in: tzinfo | None = None) -> Counted:
    """The moment that much working time later, or, for a negative span, before. Raises `NoWorkingTime`.

    It is told by the clocks of the calendar; where there is none, by those of the zone `told_in`.

    A working day later is the same time of the next day on which people work, if they do at that time; else when they
    last did before. What comes while nobody works counts from when they begin.
    """
    teller = calendar if calendar.name or told_in is None else replace(calendar, zone=told_in)
    if not span.days and not span.time:
        return Counted(at=moment, why=words.told_at(teller, moment))
    step = -1 if span.is_before else 1
    at, days = _days(calendar, moment, abs(span.days), step) if span.days else (moment, [])
    at, portions = _time(calendar, at, abs(span.time), step) if span.time else (at, [])
    return Counted(at=at, why=words.told(teller, span, moment, at, [*days, *portions]))


def _days(calendar: Calendar, moment: datetime, count: int, step: int) -> tuple[datetime, Portions]:
    first, start = _working(calendar, moment, step)
    days = (day for day in _calendar_days(first, step) if calendar.shifts(day))
    counted = list(islice(days, 1, count + 1))  # the first is the day that it starts at
    if len(counted) < count:
        raise _none(calendar, moment)
    last = counted[-1]
    return _within(calendar.shifts(last), calendar.shifted(start, last - first)), [(day, None) for day in counted]


def _working(calendar: Calendar, moment: datetime, step: int) -> tuple[date, datetime]:
    """The moment, if people work then; else when they next do, or last did; and the day of whose shifts that is."""
    day = calendar.day_of(moment)
    if any(since <= moment <= until for since, until in calendar.shifts(day)):
        return day, moment
    for worked, since, until in _pieces(calendar, moment, step):
        return worked, since if step > 0 else until
    raise _none(calendar, moment)


def _within(shifts: Sequence[tuple[datetime, datetime]], moment: datetime) -> datetime:
    """The moment, if people work then; else when they last did that day, or when they begin."""
    ends = [min(moment, until) for since, until in shifts if since <= moment]
    return max(ends, default=shifts[0][0])


def _time(calendar: Calendar, moment: datetime, time: timedelta, step: int) -> tuple[datetime, Portions]:
    portions: dict[date, timedelta] = {}
    for day, since, until in _pieces(calendar, moment, step):
        taken = min(time, until - since)
        portions[day] = portions.get(day, NOTHING) + taken
        time -= taken
        if not time:
            return (since + taken if step > 0 else until - taken), list(portions.items())
    raise _none(calendar, moment)


def _pieces(calendar: Calendar, moment: datetime, step: int) -> Iterator[tuple[date, datetime, datetime]]:
    """The working time from a moment on, or, where `step` is -1, back from it; with the days of whose shifts it is."""
    for day in _calendar_days(calendar.day_of(moment), step):
        for since, until in calendar.shifts(day)[::step]:
            begin, end = (max(since, moment), until) if step > 0 else (since, min(until, moment))
            if begin < end:
                yield day, begin, end


def _calendar_days(first: date, step: int) -> Iterator[date]:
    return (first + timedelta(days=step * number) for number in range(FARTHEST))


def _none(calendar: Calendar, moment: datetime) -> NoWorkingTime:
    years = FARTHEST // 365
    return NoWorkingTime(
        _("The calendar %(name)r has not that much working time within %(years)s years of %(moment)s.")
        % {"name": calendar.name, "years": years, "moment": f"{moment:%Y}"}
    )

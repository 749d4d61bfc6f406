"""Working time: what 8 working hours from Friday afternoon come to, and how that was counted.

Pure: `(calendar, moment, span) -> moment`. A `Calendar` is when people work; a `Span` so many of its days, and so much of its time
besides. Time is elapsed time: where a clock is put forward during a shift, that shift is an hour shorter.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import islice, pairwise

from workflow import durations
from workflow.durations import UNITS
from workflow.language import gettext as _
from workflow.language import gettext_noop, ngettext

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST = timedelta(days=1000)
_MOST_SECONDS = int(LONGEST.total_seconds())
FARTHEST = 3660
"""Days that are looked through for working time."""

LISTED = 5
"""Days of each sort that an explanation names."""

NOTHING = timedelta()
SHORT = timedelta(hours=1)
"""What is shorter is told with seconds: to the minute, the sum would look wrong."""

MINUTES_A_DAY = 24 * 60


class NoWorkingTime(ValueError):
    """A calendar has less working time than was asked for, as far as anybody looks."""


# Spans


@dataclass(frozen=True, kw_only=True)
class Span:
    """Whole working days, and working time besides; before something, where both are negative."""

    days: int = 0
    time: timedelta = NOTHING

    def __neg__(self) -> "Span":
        return Span(days=-self.days, time=-self.time)

    @property
    def is_before(self) -> bool:
        return self.days < 0 or self.time < NOTHING

    def __str__(self) -> str:
        if self.is_before:
            return f"-{-self}"
        parts = [f"{self.days}d"] if self.days else []
        if self.time or not parts:
            parts.append(_hours(self.time))
        return " ".join(parts)


def span(text: str) -> Span:
    """The span that is written, such as `2d`, `1d 4h`, `-4h` or `0`. Raises `ValueError`, which says what would be right."""
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if text.startswith("-") and not text.startswith("--"):
        return -span(text[1:])
    if text == "0":
        return Span()
    days, time = 0, NOTHING
    for number, unit in durations.parts(text):
        if unit > UNITS["d"]:
            raise ValueError(
                _("%(text)r has weeks; write working days, such as 5d for a week from Monday to Friday.")
                % {"text": text}
            )
        if unit == UNITS["d"] and number % 1:
            raise ValueError(_("%(text)r has a part of a working day; write hours, such as 4h.") % {"text": text})
        counted = min(number, Decimal(_MOST_SECONDS + 1))  # which is too long of any unit, and overflows none
        days += int(counted) if unit == UNITS["d"] else 0
        time += NOTHING if unit == UNITS["d"] else durations.times(counted, unit)
    if days > LONGEST.days or time > LONGEST:
        raise ValueError(_("%(text)s is too long: at most %(days)sd.") % {"text": text, "days": LONGEST.days})
    return Span(days=days, time=time)


def spans(text: str) -> list[Span]:
    """The spans in `-4h, 0, 1d`. Raises as `span` does."""
    return [span(part) for part in text.split(",") if part.strip()]


def _hours(time: timedelta) -> str:
    """Without days, which would be working days: `26h`, `1h 30m`."""
    hours, rest = divmod(time, UNITS["h"])
    parts = [f"{hours}h"] if hours or not rest else []
    return " ".join([*parts, durations.written(rest)] if rest else parts)


# Calendars

Shift = tuple[int, int]
"""From one minute of a day to another."""

Week = Sequence[Sequence[Shift]]
"""The shifts of each day, from Monday on."""

ALWAYS: Week = ((((0, MINUTES_A_DAY)),),) * 7


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """When people work: the shifts of each day of the week, by the clocks of a zone; but not on days for which
    `why_off` tells a reason.
    """

    name: str
    zone: tzinfo
    week: Week
    why_off: Callable[[date], str] = lambda _: ""

    @classmethod
    def of_all_time(cls, zone: tzinfo) -> "Calendar":
        """For where there is no calendar: all time counts."""
        return cls(name="", zone=zone, week=ALWAYS)

    def shifts(self, day: date) -> list[tuple[datetime, datetime]]:
        """When people work that day, in order."""
        if not self.week[day.weekday()] or self.why_off(day):
            return []
        found: list[tuple[datetime, datetime]] = []
        for begin, end in self.week[day.weekday()]:
            since, until = self._at(day, begin), self._at(day, end)
            if found:  # where clocks are put forward, what was to begin in that hour begins after it
                since = max(since, found[-1][1])
            if since < until:
                found.append((since, until))
        return found

    def _at(self, day: date, minutes: int) -> datetime:
        days, minutes = divmod(minutes, MINUTES_A_DAY)
        midnight = datetime.combine(day + timedelta(days=days), datetime.min.time(), tzinfo=self.zone)
        return (midnight + timedelta(minutes=minutes)).astimezone(UTC)

    def days_off(self, first: date, last: date) -> dict[date, str]:
        """The days from one to another on which people would work, were they not off; each with the reason."""
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return {day: why for day in days if self.week[day.weekday()] and (why := self.why_off(day))}

    def day_of(self, moment: datetime) -> date:
        """Which day it is by the clocks of the zone."""
        return moment.astimezone(self.zone).date()

    def shifted(self, moment: datetime, days: timedelta) -> datetime:
        """So many days later at the same time, by the clocks of the zone."""
        return (moment.astimezone(self.zone) + days).astimezone(UTC)


# Counting


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
        told = _("At %(written)s (%(zone)s).") % {"written": _written(moment, teller), "zone": teller.zone}
        return Counted(at=moment, why=told)
    step = -1 if span.is_before else 1
    at, days = _days(calendar, moment, abs(span.days), step) if span.days else (moment, [])
    at, portions = _time(calendar, at, abs(span.time), step) if span.time else (at, [])
    return Counted(at=at, why=_told(teller, span, moment, at, [*days, *portions]))


Portions = list[tuple[date, timedelta | None]]
"""The days that were counted, each with how much of it; `None` is all of it."""


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


# In words

WEEKDAYS = (
    *(gettext_noop("Mon"), gettext_noop("Tue"), gettext_noop("Wed"), gettext_noop("Thu")),
    *(gettext_noop("Fri"), gettext_noop("Sat"), gettext_noop("Sun")),
)
MONTHS = (
    *(gettext_noop("Jan"), gettext_noop("Feb"), gettext_noop("Mar"), gettext_noop("Apr"), gettext_noop("May")),
    *(gettext_noop("Jun"), gettext_noop("Jul"), gettext_noop("Aug"), gettext_noop("Sep"), gettext_noop("Oct")),
    *(gettext_noop("Nov"), gettext_noop("Dec")),
)


def _told(calendar: Calendar, span: Span, moment: datetime, at: datetime, portions: Portions) -> str:
    what = _("%(span)s before %(moment)s") if span.is_before else _("%(span)s from %(moment)s")
    is_short = not span.days and abs(span.time) < SHORT
    what %= {"span": _words(span, calendar), "moment": _written(moment, calendar, seconds=is_short)}
    written = _written(at, calendar, seconds=is_short)
    if not calendar.name:
        return _("%(what)s: %(written)s (%(zone)s). There is no calendar, so all time counts.") % {
            "what": what,
            "written": written,
            "zone": calendar.zone,
        }
    counted = _listed([_day(day) + (f" {_hours(time)}" if time else "") for day, time in portions])
    told = _("%(what)s, by the calendar %(name)r (%(zone)s): %(written)s. Counted: %(counted)s.") % {
        "what": what,
        "name": calendar.name,
        "zone": calendar.zone,
        "written": written,
        "counted": counted,
    }
    off = calendar.days_off(*map(calendar.day_of, sorted((moment, at))))
    holidays = _listed([f"{_day(day)} ({why})" for day, why in off.items()])
    return f"{told} " + _("Off: %(days)s.") % {"days": holidays} if holidays else told


def _words(span: Span, calendar: Calendar) -> str:
    days, time = abs(span.days), abs(span.time)
    parts = []
    if days:
        working = ngettext("%(count)d working day", "%(count)d working days", days)
        parts.append(
            (working if calendar.name else ngettext("%(count)d day", "%(count)d days", days)) % {"count": days}
        )
    if time:
        parts.append((_("%(hours)s of working time") if calendar.name else "%(hours)s") % {"hours": _hours(time)})
    return (" " + _("and") + " ").join(parts)


def _listed(items: Sequence[str]) -> str:
    if len(items) <= LISTED:
        return ", ".join(items)
    return ", ".join([*items[: LISTED - 1], _("… %(count)s more …") % {"count": len(items) - LISTED}, items[-1]])


def _day(day: date) -> str:
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    return _("%(weekday)s %(day)d %(month)s") % {"weekday": _(weekday), "day": day.day, "month": _(month)}


def _written(moment: datetime, calendar: Calendar, *, seconds: bool = False) -> str:
    local = moment.astimezone(calendar.zone)
    return f"{_day(local)} {local:%Y} {local:{'%H:%M:%S' if seconds else '%H:%M'}}"


# As people write them

_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)


def week(text: str) -> Week:
    """The working hours that are written: days, each time followed by their hours, such as
    `Mon-Thu 09:00-12:00 13:00-17:00 Fri 09:00-14:00`. Raises `ValueError`, which says what would be right.
    """
    shifts: list[list[Shift]] = [[] for _ in DAYS]
    days: list[int] = []
    group = ""
    for word in text.replace("\N{EN DASH}", "-").replace(",", " ").split():
        if _HOURS.fullmatch(word):
            if not days:
                raise ValueError(
                    _("%(word)s of which days? Write them before, such as Mon-Fri %(word)s.") % {"word": word}
                )
            group = word
            for day in days:
                shifts[day].append(_shift(word))
        else:
            days, group = [*([] if group else days), *_weekdays(word)], ""
    if not group:
        what = _("There are no working hours.") if not days else _("%(day)s has no hours.") % {"day": DAYS[days[-1]]}
        raise ValueError(_("%(what)s Write some, such as Mon-Fri 09:00-17:00.") % {"what": what})
    return tuple(tuple(_apart(day, sorted(found))) for day, found in zip(DAYS, shifts, strict=True))


def _weekdays(word: str) -> Iterable[int]:
    first, dash, last = word.partition("-")
    begin, end = _weekday(first, word), _weekday(last, word) if dash else _weekday(first, word)
    return (number % len(DAYS) for number in range(begin, end + (len(DAYS) if end < begin else 0) + 1))


def _weekday(name: str, word: str) -> int:
    if len(name) > 1:
        for number, day in enumerate(DAYS):
            if day.lower().startswith(name.lower()):
                return number
    raise ValueError(_("%(word)r is neither days nor hours: write them as in Mon-Fri 09:00-17:00.") % {"word": word})


def _shift(word: str) -> Shift:
    match = _HOURS.fullmatch(word)
    assert match is not None
    from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
    begin, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or begin > MINUTES_A_DAY or end > MINUTES_A_DAY:
        raise ValueError(_("%(word)s are no times of a day: the last is 24:00.") % {"word": word})
    if begin == end:
        raise ValueError(_("%(word)s is no time at all: for a whole day, write 00:00-24:00.") % {"word": word})
    if begin > end:
        first, last = word.split("-")
        raise ValueError(
            _("%(word)s goes past midnight: write %(first)s-24:00, and 00:00-%(last)s at the day after.")
            % {"word": word, "first": first, "last": last}
        )
    return begin, end


def _apart(day: str, shifts: Sequence[Shift]) -> Sequence[Shift]:
    if any(one[1] > other[0] for one, other in pairwise(shifts)):
        raise ValueError(_("Hours of %(day)s overlap: write each hour once.") % {"day": day})
    return shifts


def days_off(text: str) -> dict[date, str]:
    """The days off that are written, one a line: `2026-12-24 Christmas Eve`, or `2026-12-27 2026-12-31 Closed`. Raises
    `ValueError`, which says what would be right.
    """
    found: dict[date, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        first, *words = line.split()
        begin = end = _date(first, line)
        if words and re.fullmatch(r"\d{4}-\S*", words[0]):
            end = _date(words.pop(0), line)
        if not NOTHING <= end - begin <= timedelta(days=366):
            raise ValueError(_("%(line)r: the second day must come after the first, within a year.") % {"line": line})
        reason = " ".join(words) or _("day off")
        found |= {begin + timedelta(days=number): reason for number in range((end - begin).days + 1)}
    return found


def _date(word: str, line: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ValueError(
            _("%(word)r in %(line)r is no date: write lines such as 2026-12-24 Christmas Eve.")
            % {"word": word, "line": line}
        ) from None

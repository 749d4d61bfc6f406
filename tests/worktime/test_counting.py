"""What spans come to by a calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.worktime.samples import VIENNA, at, calendar
from workflow.worktime import ALWAYS, Calendar, NoWorkingTime, Span, add, span


@pytest.mark.parametrize(
    ("moment", "given", "expected"),
    [
        # Within a day, over the break, over the night, the weekend and a holiday.
        ("2026-01-05 10:00", "1h", "2026-01-05 11:00"),
        ("2026-01-05 11:00", "2h", "2026-01-05 14:00"),
        ("2026-01-07 16:00", "2h", "2026-01-08 10:00"),
        ("2026-01-02 13:00", "2h", "2026-01-05 10:00"),
        ("2026-01-05 16:00", "2h", "2026-01-07 10:00"),
        ("2026-12-23 16:30", "1h", "2027-01-01 09:30"),
        # To the end of a shift, not to the beginning of the next.
        ("2026-01-05 09:00", "3h", "2026-01-05 12:00"),
        ("2026-01-05 09:00", "7h", "2026-01-05 17:00"),
        # What comes while nobody works counts from when they begin.
        ("2026-01-03 22:00", "1h", "2026-01-05 10:00"),
        ("2026-01-05 12:30", "1h", "2026-01-05 14:00"),
        ("2026-01-06 10:00", "30m", "2026-01-07 09:30"),
        ("2026-01-05 08:00", "1h 30m", "2026-01-05 10:30"),
        # Days.
        ("2026-01-02 10:00", "1d", "2026-01-05 10:00"),
        ("2026-01-05 10:00", "1d", "2026-01-07 10:00"),
        ("2026-01-05 10:00", "5d", "2026-01-13 10:00"),
        ("2026-01-08 16:00", "1d", "2026-01-09 14:00"),
        ("2026-01-07 12:30", "1d", "2026-01-08 13:00"),
        ("2026-01-03 22:00", "1d", "2026-01-07 09:00"),
        ("2026-01-07 20:00", "1d", "2026-01-09 09:00"),
        ("2026-01-07 17:00", "1d", "2026-01-08 17:00"),
        ("2026-01-07 10:00", "1d 4h", "2026-01-08 15:00"),
        # Before.
        ("2026-01-05 10:00", "-2h", "2026-01-02 13:00"),
        ("2026-01-05 13:00", "-1h", "2026-01-05 11:00"),
        ("2026-01-07 10:00", "-1d", "2026-01-05 10:00"),
        ("2026-01-03 10:00", "-1d", "2026-01-01 14:00"),
        ("2026-01-07 10:00", "-1d 2h", "2026-01-02 13:00"),
        # None at all: the very moment, also while nobody works.
        ("2026-01-03 22:00", "0", "2026-01-03 22:00"),
    ],
)
def test_it_comes_to(moment: str, given: str, expected: str) -> None:
    assert add(calendar(), at(moment), span(given)).at == at(expected)


@pytest.mark.parametrize(
    ("hours", "moment", "given", "expected"),
    [
        # In Vienna clocks go forward on 29 March 2026 at 2:00, and back on 25 October at 3:00.
        ("Mon-Sun 00:00-24:00", "2026-03-29 00:00+01:00", "4h", "2026-03-29 05:00+02:00"),
        ("Mon-Sun 00:00-24:00", "2026-10-25 00:00+02:00", "4h", "2026-10-25 03:00+01:00"),
        ("Mon-Sun 00:00-24:00", "2026-03-28 12:00+01:00", "1d", "2026-03-29 12:00+02:00"),
        ("Mon-Sun 00:00-24:00", "2026-03-29 12:00+02:00", "-1d", "2026-03-28 12:00+01:00"),
        # The end of a day is its, not the next one's.
        ("Mon-Sun 20:00-24:00", "2026-02-03 10:00+01:00", "-1d", "2026-02-02 00:00+01:00"),
        ("Mon 20:00-24:00", "2026-02-03 10:00+01:00", "-1d", "2026-01-27 00:00+01:00"),
        ("Mon-Sun 00:00-04:00", "2026-03-29 00:00+01:00", "4h", "2026-03-30 01:00+02:00"),
        ("Mon-Sun 01:00-03:00", "2026-10-25 01:00+02:00", "3h", "2026-10-25 03:00+01:00"),
        # Shifts of the hour that is missing, wholly or in part.
        ("Mon-Sun 02:00-03:00", "2026-03-28 02:00+01:00", "2h", "2026-03-30 03:00+02:00"),
        ("Mon-Sun 01:30-02:30", "2026-03-29 00:00+01:00", "1h", "2026-03-29 03:30+02:00"),
        ("Mon-Sun 09:00-17:00", "2026-03-27 16:00+01:00", "2h", "2026-03-28 10:00+01:00"),
        ("Mon-Sun 09:00-17:00", "2026-03-28 16:00+01:00", "2h", "2026-03-29 10:00+02:00"),
    ],
)
def test_where_clocks_are_changed(hours: str, moment: str, given: str, expected: str) -> None:
    assert add(calendar(hours), datetime.fromisoformat(moment), span(given)).at == datetime.fromisoformat(expected)


@pytest.mark.parametrize("given", ["1h", "1d", "-1h", "-1d"])
def test_where_nobody_ever_works_it_says_so(given: str) -> None:
    never = Calendar(name="Never", zone=UTC, week=ALWAYS, why_off=lambda _: "closed")
    with pytest.raises(NoWorkingTime) as error:
        add(never, at("2026-01-02 13:00"), span(given))
    assert str(error.value) == "The calendar 'Never' has not that much working time within 10 years of 2026."


MINUTES = st.integers(0, 24 * 60)
SHIFTS = st.lists(MINUTES, max_size=6, unique=True).map(lambda found: _pairs(sorted(found)))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
TIMES = st.timedeltas(timedelta(seconds=1), timedelta(days=20))
CALENDARS = st.builds(
    lambda shifts, off, zone: Calendar(
        name="Any", zone=zone, week=shifts, why_off=lambda day: "off" if day.toordinal() % 11 in off else ""
    ),
    st.lists(SHIFTS, min_size=7, max_size=7).filter(any),
    st.sets(st.integers(0, 10), max_size=5),
    st.sampled_from([UTC, VIENNA, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
)


def _pairs(minutes: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(minutes[::2], minutes[1::2], strict=False))


def worked(calendar: Calendar, since: datetime, until: datetime) -> timedelta:
    """The working time between two moments, day by day: what counting must agree with."""
    total, day = timedelta(), calendar.day_of(since) - timedelta(days=1)
    while day <= calendar.day_of(until) + timedelta(days=1):
        for begin, end in calendar.shifts(day):
            total += max(timedelta(), min(end, until) - max(begin, since))
        day += timedelta(days=1)
    return total


@given(CALENDARS, MOMENTS, TIMES)
def test_between_the_two_lies_as_much_working_time_as_was_added(
    calendar: Calendar, moment: datetime, time: timedelta
) -> None:
    try:
        later, earlier = (add(calendar, moment, one).at for one in (Span(time=time), -Span(time=time)))
    except NoWorkingTime:
        assume(False)
    assert worked(calendar, moment, later) == worked(calendar, earlier, moment) == time
    assert worked(calendar, later - timedelta(microseconds=1), later), (
        "the end of a shift, not the next one's beginning"
    )


@given(CALENDARS, MOMENTS, st.integers(1, 40))
def test_so_many_working_days_lie_between(calendar: Calendar, moment: datetime, days: int) -> None:
    try:
        start = add(calendar, moment, Span(time=timedelta(microseconds=1))).at
        later = add(calendar, moment, Span(days=days)).at
    except NoWorkingTime:
        assume(False)
    first, last = (
        calendar.day_of(min(start, moment) if calendar.shifts(calendar.day_of(moment)) else start),
        calendar.day_of(later),
    )
    between = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    working = sum(bool(calendar.shifts(day)) for day in between)
    assert working - 1 in {days, days + 1}, "one more where it came after the day's last shift"
    assert any(
        begin <= later <= end for begin, end in calendar.shifts(calendar.day_of(later - timedelta(microseconds=1)))
    ) or any(begin == later for begin, _ in calendar.shifts(last))


@given(
    CALENDARS,
    MOMENTS,
    MOMENTS,
    st.builds(Span, days=st.integers(0, 9), time=st.timedeltas(timedelta(), timedelta(days=3))),
)
def test_who_comes_later_is_due_no_earlier(calendar: Calendar, one: datetime, other: datetime, given: Span) -> None:
    first, second = sorted((one, other))
    try:
        assert add(calendar, first, given).at <= add(calendar, second, given).at
    except NoWorkingTime:
        assume(False)

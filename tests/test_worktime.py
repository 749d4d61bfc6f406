"""Working time: what spans come to by a calendar, and how that was counted."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workflow.worktime import (
    ALWAYS,
    Calendar,
    NoWorkingTime,
    Span,
    add,
    days_off,
    span,
    spans,
    week,
)

VIENNA = ZoneInfo("Europe/Vienna")
HOURS = "Mon-Thu 09:00-12:00 13:00-17:00 Fri 09:00-14:00"
OFF = days_off("2026-01-06 Epiphany\n2026-12-24 2026-12-31 Closed")


def calendar(hours: str = HOURS, zone: Any = VIENNA) -> Calendar:
    return Calendar(name="Vienna", zone=zone, week=week(hours), why_off=lambda day: OFF.get(day, ""))


def at(text: str, zone: Any = VIENNA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


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


@pytest.mark.parametrize(
    ("moment", "given", "why"),
    [
        (
            "2026-01-02 13:00",
            "10h",
            "10h of working time from Fri 2 Jan 2026 13:00, by the calendar 'Vienna' (Europe/Vienna): Wed 7 Jan 2026 11:00. "
            "Counted: Fri 2 Jan 1h, Mon 5 Jan 7h, Wed 7 Jan 2h. Off: Tue 6 Jan (Epiphany).",
        ),
        (
            "2026-01-02 13:00",
            "1d 4h",
            "1 working day and 4h of working time from Fri 2 Jan 2026 13:00, by the calendar 'Vienna' (Europe/Vienna): "
            "Mon 5 Jan 2026 17:00. Counted: Mon 5 Jan, Mon 5 Jan 4h.",
        ),
        (
            "2026-02-02 10:00",
            "-20d",
            "20 working days before Mon 2 Feb 2026 10:00, by the calendar 'Vienna' (Europe/Vienna): Fri 2 Jan 2026 10:00. "
            "Counted: Fri 30 Jan, Thu 29 Jan, Wed 28 Jan, Tue 27 Jan, … 15 more …, Fri 2 Jan. Off: Tue 6 Jan (Epiphany).",
        ),
        ("2026-01-02 13:00", "0", "At Fri 2 Jan 2026 13:00 (Europe/Vienna)."),
    ],
)
def test_it_says_how_that_was_counted(moment: str, given: str, why: str) -> None:
    assert add(calendar(), at(moment), span(given)).why == why


def test_without_a_calendar_all_time_counts() -> None:
    counted = add(Calendar.of_all_time(VIENNA), at("2026-01-02 13:00"), span("2d 4h"))
    assert counted.at == at("2026-01-04 17:00")
    assert counted.why == (
        "2 days and 4h from Fri 2 Jan 2026 13:00: Sun 4 Jan 2026 17:00 (Europe/Vienna). "
        "There is no calendar, so all time counts."
    )


def test_without_a_calendar_it_is_told_by_the_clocks_of_the_reader() -> None:
    counted = add(Calendar.of_all_time(VIENNA), at("2026-01-02 13:00"), span("2h"), told_in=UTC)
    assert counted.why == (
        "2h from Fri 2 Jan 2026 12:00: Fri 2 Jan 2026 14:00 (UTC). There is no calendar, so all time counts."
    )
    told = add(calendar(), at("2026-01-02 09:00"), span("2h"), told_in=UTC).why
    assert "by the calendar 'Vienna' (Europe/Vienna): Fri 2 Jan 2026 11:00." in told


def test_a_short_span_is_told_to_the_second() -> None:
    moment = at("2026-01-02 13:00") + timedelta(seconds=50)
    assert add(Calendar.of_all_time(VIENNA), moment, span("30s")).why == (
        "30s from Fri 2 Jan 2026 13:00:50: Fri 2 Jan 2026 13:01:20 (Europe/Vienna). "
        "There is no calendar, so all time counts."
    )


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


class TestWritten:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2d", Span(days=2)),
            ("1d 4h", Span(days=1, time=timedelta(hours=4))),
            ("24h", Span(time=timedelta(hours=24))),
            ("1.5h", Span(time=timedelta(minutes=90))),
            (" - 90m ", Span(time=-timedelta(minutes=90))),
            ("−2d", Span(days=-2)),
            ("0", Span()),
            ("0h", Span()),
        ],
    )
    def test_spans(self, text: str, expected: Span) -> None:
        assert span(text) == expected
        assert span(str(expected)) == expected

    def test_several_spans(self) -> None:
        assert list(map(str, spans("-4h, 0,1d,"))) == ["-4h", "0h", "1d"]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "A time span is missing: write one such as 3d, 1d 12h or 90m."),
            ("soon", "'soon' is no time span: write one such as 3d, 1d 12h or 90m."),
            ("--1d", "'--1d' is no time span: write one such as 3d, 1d 12h or 90m."),
            ("4", "4 of what? Write 4d for days, 4h, 4m (minutes) or 4s."),
            ("1w", "'1w' has weeks; write working days, such as 5d for a week from Monday to Friday."),
            ("1.5d", "'1.5d' has a part of a working day; write hours, such as 4h."),
            ("1001d", "1001d is too long: at most 1000d."),
            ("99999999999999999999h", "99999999999999999999h is too long: at most 1000d."),
            ("900d 900d", "900d 900d is too long: at most 1000d."),
        ],
    )
    def test_what_is_no_span(self, text: str, why: str) -> None:
        with pytest.raises(ValueError) as error:
            span(text)
        assert str(error.value) == why

    @pytest.mark.parametrize(
        ("text", "days"),
        [
            ("Mon-Fri 09:00-17:00", "1111100"),
            ("mo–fr 9:00–17:00", "1111100"),
            ("Monday, Wed 09:00-17:00\nSat 09:00-17:00", "1010010"),
            ("Sun-Tue 09:00-17:00", "1100001"),
        ],
    )
    def test_hours_of_days(self, text: str, days: str) -> None:
        assert "".join(str(len(shifts)) for shifts in week(text)) == days
        assert {shift for shifts in week(text) for shift in shifts} == {(540, 1020)}

    def test_shifts_of_a_day_come_in_order(self) -> None:
        assert week("Mon 13:00-24:00 00:00-12:00")[0] == ((0, 720), (780, 1440))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "There are no working hours. Write some, such as Mon-Fri 09:00-17:00."),
            ("Mon", "Monday has no hours. Write some, such as Mon-Fri 09:00-17:00."),
            ("Mon 09:00-17:00 Fri", "Friday has no hours. Write some, such as Mon-Fri 09:00-17:00."),
            ("09:00-17:00", "09:00-17:00 of which days? Write them before, such as Mon-Fri 09:00-17:00."),
            ("Mon-Fri 9-17", "'9-17' is neither days nor hours: write them as in Mon-Fri 09:00-17:00."),
            ("Mon-Foo 09:00-17:00", "'Mon-Foo' is neither days nor hours: write them as in Mon-Fri 09:00-17:00."),
            ("T 09:00-17:00", "'T' is neither days nor hours: write them as in Mon-Fri 09:00-17:00."),
            ("Mon 09:00-24:30", "09:00-24:30 are no times of a day: the last is 24:00."),
            ("Mon 09:60-17:00", "09:60-17:00 are no times of a day: the last is 24:00."),
            ("Mon 09:00-09:00", "09:00-09:00 is no time at all: for a whole day, write 00:00-24:00."),
            (
                "Mon 22:00-06:00",
                "22:00-06:00 goes past midnight: write 22:00-24:00, and 00:00-06:00 at the day after.",
            ),
            ("Mon-Fri 09:00-12:00 Wed 11:00-13:00", "Hours of Wednesday overlap: write each hour once."),
        ],
    )
    def test_what_are_no_hours(self, text: str, why: str) -> None:
        with pytest.raises(ValueError) as error:
            week(text)
        assert str(error.value) == why

    def test_days_off(self) -> None:
        assert days_off("\n2026-12-24 Christmas Eve\n 2026-12-30  2027-01-01 Closed for all\n2026-05-05") == {
            date(2026, 12, 24): "Christmas Eve",
            date(2026, 12, 30): "Closed for all",
            date(2026, 12, 31): "Closed for all",
            date(2027, 1, 1): "Closed for all",
            date(2026, 5, 5): "day off",
        }

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (
                "Christmas",
                "'Christmas' in 'Christmas' is no date: write lines such as 2026-12-24 Christmas Eve.",
            ),
            (
                "2026-12-31 2026-12-24",
                "'2026-12-31 2026-12-24': the second day must come after the first, within a year.",
            ),
            (
                "2026-12-24 2028-01-01",
                "'2026-12-24 2028-01-01': the second day must come after the first, within a year.",
            ),
            (
                "2026-12-24 2026-13-01",
                "'2026-13-01' in '2026-12-24 2026-13-01' is no date: write lines such as 2026-12-24 Christmas Eve.",
            ),
        ],
    )
    def test_what_are_no_days_off(self, text: str, why: str) -> None:
        with pytest.raises(ValueError) as error:
            days_off(text)
        assert str(error.value) == why

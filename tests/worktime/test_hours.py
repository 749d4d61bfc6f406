"""Working hours and days off as people write them."""

from datetime import date

import pytest

from workflow.worktime import days_off, week


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon-Fri 09:00-17:00", "1111100"),
        ("mo–fr 9:00–17:00", "1111100"),
        ("Monday, Wed 09:00-17:00\nSat 09:00-17:00", "1010010"),
        ("Sun-Tue 09:00-17:00", "1100001"),
    ],
)
def test_hours_of_days(text: str, days: str) -> None:
    assert "".join(str(len(shifts)) for shifts in week(text)) == days
    assert {shift for shifts in week(text) for shift in shifts} == {(540, 1020)}


def test_shifts_of_a_day_come_in_order() -> None:
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
def test_what_are_no_hours(text: str, why: str) -> None:
    with pytest.raises(ValueError) as error:
        week(text)
    assert str(error.value) == why


def test_days_off() -> None:
    assert days_off("\n2026-12-24 Christmas Eve\n 2026-12-30  2027-01-01 Closed for all\n2026-05-05") == {
        date(2026, 12, 24): "Christmas Eve",
        date(2026, 12, 30): "Closed for all",
        date(2026, 12, 31): "Closed for all",
        date(2027, 1, 1): "Closed for all",
        date(2026, 5, 5): "day off",
    }


def test_a_reason_may_contain_any_character() -> None:
    found = days_off("2026-12-24 Christmas\u2028Eve\r\n2026-12-25 Christmas\x0bDay")
    assert found == {date(2026, 12, 24): "Christmas Eve", date(2026, 12, 25): "Christmas Day"}


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
def test_what_are_no_days_off(text: str, why: str) -> None:
    with pytest.raises(ValueError) as error:
        days_off(text)
    assert str(error.value) == why

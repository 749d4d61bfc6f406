"""How working time was counted, in a sentence."""

from datetime import UTC, timedelta

import pytest

from tests.worktime.samples import VIENNA, at, calendar
from workflow.worktime import Calendar, add, span


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

"""How long something took, as people say it."""

from datetime import UTC, datetime, timedelta

import pytest

from workflow import clock
from workflow.templatetags.workflow import moment
from workflow.templatetags.workflow_time import span


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(milliseconds=-5), "at once"),
        (timedelta(milliseconds=40), "at once"),
        (timedelta(milliseconds=60), "0.1 s"),
        (timedelta(seconds=9.94), "9.9 s"),
        (timedelta(seconds=12.6), "13 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=5, seconds=26), "5 min 26 s"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(hours=2, minutes=5, seconds=9), "2 h 5 min"),
        (timedelta(hours=2, seconds=9), "2 h"),
        (timedelta(days=1, hours=3), "1 day 3 h"),
        (timedelta(days=40), "40 days"),
        (None, ""),
    ],
)
def test_the_largest_unit_and_the_next_one(length: timedelta | None, words: str) -> None:
    assert span(length) == words


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(minutes=40), "in 40 minutes"),
        (timedelta(hours=1, minutes=40), "in 2 hours"),
        (timedelta(hours=35, minutes=10), "in 35 hours"),
        (timedelta(hours=36), "in 2 days"),
        (timedelta(days=2, seconds=-1), "in 2 days"),
        (timedelta(days=7, seconds=-1), "in 7 days"),
        (timedelta(days=21), "in 3 weeks"),
    ],
)
def test_what_is_to_come_is_told_to_the_nearest_unit(left: timedelta, words: str) -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    with clock.stopped(now):
        assert f">{words}<" in str(moment(now + left)).replace("\N{NO-BREAK SPACE}", " ")

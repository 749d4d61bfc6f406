"""Time spans as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.durations import parse, written

SPANS = st.timedeltas(min_value=timedelta())


@given(SPANS)
def test_what_is_written_is_read_as_it_was(span: timedelta) -> None:
    assert parse(written(span)) == span


@given(st.text(max_size=40))
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    try:
        span = parse(text)
    except ValueError as error:
        assert str(error).endswith("."), error
    else:
        assert span >= timedelta()
        assert parse(written(span)) == span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3d", timedelta(days=3)),
        ("1d 12h", timedelta(hours=36)),
        ("90m", timedelta(minutes=90)),
        (" 1D12H ", timedelta(hours=36)),
        ("1.5h", timedelta(minutes=90)),
        ("2 weeks, 1 day", timedelta(days=15)),
        ("10 min 30 sec", timedelta(minutes=10, seconds=30)),
        ("0s", timedelta()),
        ("0.000001s", timedelta(microseconds=1)),
    ],
)
def test_it_is_read(text: str, span: timedelta) -> None:
    assert parse(text) == span


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A time span is missing: write one such as 3d, 1d 12h or 90m."),
        ("soon", "'soon' is no time span: write one such as 3d, 1d 12h or 90m."),
        ("-3d", "'-3d' is no time span: write one such as 3d, 1d 12h or 90m."),
        ("3 00:00:00", "3 of what? Write 3d for days, 3h, 3m (minutes) or 3s."),
        ("90", "90 of what? Write 90d for days, 90h, 90m (minutes) or 90s."),
        ("3 months", "'months' is no unit of time: take w, d, h, m (minutes) or s."),
        (
            "3M",
            "3M may mean months, which are not of one length: write 3m for minutes, or days, such as 90d.",
        ),
        ("9999999999d", "9999999999d is too long: at most 999999999d."),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message is compared as a whole
        parse(text)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(days=3), "3d"),
        (timedelta(hours=36), "1d 12h"),
        (timedelta(minutes=90), "1h 30m"),
        (timedelta(seconds=90), "1m 30s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(seconds=20), "20s"),
        (timedelta(), "0s"),
        (timedelta(days=-1), "-1d"),
    ],
)
def test_it_is_written_short(span: timedelta, text: str) -> None:
    assert written(span) == text

"""Spans as people write them."""

from datetime import timedelta

import pytest

from workflow.worktime import Span, span, spans


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
def test_spans(text: str, expected: Span) -> None:
    assert span(text) == expected
    assert span(str(expected)) == expected


def test_several_spans() -> None:
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
def test_what_is_no_span(text: str, why: str) -> None:
    with pytest.raises(ValueError) as error:
        span(text)
    assert str(error.value) == why

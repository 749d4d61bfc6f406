"""The log's two ways to write an event."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.logs import Json, Logfmt, fields

AT = 1_772_357_400.1239  # 2026-03-01 09:30:00.123 UTC


def record(message: str, *args: Any, error: bool = False, **about: Any) -> logging.LogRecord:
    made = logging.getLogger("workflow.engine").makeRecord(
        "workflow.engine", logging.INFO, "x.py", 1, message, args, sys.exc_info() if error else None,
        extra=fields(**about),
    )  # fmt: skip
    made.created = AT
    return made


def test_key_and_value() -> None:
    line = Logfmt().format(record("%s instance %s is RUNNING", "Order", 7, instance=7, process="Order", task="Ask her"))
    assert line == (
        'time=2026-03-01T09:30:00.123Z level=INFO msg="Order instance 7 is RUNNING" '
        'instance=7 process=Order task="Ask her" logger=workflow.engine'
    )


def test_json() -> None:
    line = Json().format(record("%s is done", "A", instance=7, task='"A"'))
    assert json.loads(line) == {
        "time": "2026-03-01T09:30:00.123Z",
        "level": "INFO",
        "msg": "A is done",
        "instance": 7,
        "task": '"A"',
        "logger": "workflow.engine",
    }


@pytest.mark.parametrize("formatter", [Logfmt(), Json()])
def test_a_traceback_is_part_of_its_line(formatter: logging.Formatter) -> None:
    try:
        {}["x"]
    except KeyError:
        line = formatter.format(record("It failed", error=True))
    assert "\n" not in line
    assert "Traceback" in line
    assert "KeyError: 'x'" in line


class Hidden(Exception):
    def __str__(self) -> str:
        raise SystemError

    __repr__ = __str__


def test_an_exception_that_hides_is_told_of_all_the_same() -> None:
    try:
        raise Hidden  # noqa: TRY301
    except Hidden:
        line = Logfmt().format(record("It failed", error=True))
    assert "Hidden" in line


@pytest.mark.parametrize("unsafe", ["\u2028", "\x85", "\x9b2J", "\ud800", "\x7f"])
@pytest.mark.parametrize("formatter", [Logfmt(), Json()])
def test_no_terminal_and_no_reader_is_misled(formatter: logging.Formatter, unsafe: str) -> None:
    line = formatter.format(record("a %s", unsafe, task=unsafe))
    assert unsafe[0] not in line
    assert len(line.splitlines()) == 1
    line.encode()


@given(st.text(), st.text())
def test_whatever_it_says_it_is_one_line(text: str, task: str) -> None:
    lines = [formatter.format(record("%s", text, task=task)) for formatter in (Logfmt(), Json())]
    assert not any("\n" in line or "\r" in line for line in lines)
    assert json.loads(lines[1])["msg"] == text


@pytest.mark.parametrize("text", ["", "a b", "a=b", 'a"b', "a'b", "a\\b", "a\tb"])
def test_what_is_not_one_word_is_quoted(text: str) -> None:
    line = Logfmt().format(record("x", task=text))
    assert f"task={json.dumps(text, ensure_ascii=False)} " in line


def test_a_record_of_somebody_else_has_no_fields() -> None:
    made = logging.LogRecord("django.server", logging.INFO, "x.py", 1, "GET", (), None)
    assert Logfmt().format(made).endswith("level=INFO msg=GET logger=django.server")

"""The log's two ways to write an event."""

import json
import logging
import sys
from io import StringIO
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.logs import Console, Json, Logfmt, fields, together

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


class TestConsole:
    @staticmethod
    def console(writes: list[str]) -> logging.Logger:
        class Stream(StringIO):
            def write(self, text: str) -> int:
                writes.append(text)
                return len(text)

        console = Console(Stream())
        console.setFormatter(logging.Formatter("%(message)s"))
        logger = logging.Logger("console")  # noqa: LOG001 - of this test alone
        logger.addHandler(console)
        return logger

    def test_an_event_is_written_at_once(self) -> None:
        logger = self.console(writes := [])
        logger.info("one")
        logger.info("two")
        assert writes == ["one\n", "two\n"]

    def test_events_together_are_one_write(self) -> None:
        logger = self.console(writes := [])
        with together():
            logger.info("one")
            with together():
                logger.info("two")
            assert not writes
        logger.info("three")
        assert writes == ["one\ntwo\n", "three\n"]

    def test_nothing_together_is_no_write(self) -> None:
        self.console(writes := [])
        with together():
            pass
        assert writes == []

    def test_what_was_logged_before_an_error_is_written(self) -> None:
        logger = self.console(writes := [])
        with pytest.raises(ZeroDivisionError), together():  # noqa: PT012
            logger.info("before")
            1 / 0  # noqa: B018
        assert writes == ["before\n"]

    def test_another_thread_does_not_wait(self) -> None:
        logger = self.console(writes := [])
        with together():
            logger.info("mine")
            other = Thread(target=logger.info, args=("another's",))
            other.start()
            other.join()
            assert writes == ["another's\n"]
        assert writes == ["another's\n", "mine\n"]

    def test_what_can_not_be_written_takes_nothing_else_with_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        logger = self.console(writes := [])
        with together():
            logger.info("one")
            logger.info("%d", "no number")
            logger.info("two")
        assert "no number" in capsys.readouterr().err
        assert writes == ["one\ntwo\n"]

    def test_a_stream_that_is_gone_stops_nobody(self, capsys: pytest.CaptureFixture[str]) -> None:
        logger = self.console([])
        logger.handlers[0].stream.write = None  # type: ignore[attr-defined]
        with together():
            logger.info("into the void")
        assert "into the void" in capsys.readouterr().err

"""What a ledger keeps of a call: compared, measured and given back exactly."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.code.job import Call, Raised
from workflow.code.ledger import (
    MemoryLedger,
    Record,
    arguments_of,
    difference,
    error_from_json,
    error_to_json,
    refuse_too_large,
    written,
)
from workflow.values import ValueProblem, size

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def call(*args: Any, name: str = "pay", **kwargs: Any) -> Call:
    return Call(name=name, args=args, kwargs=kwargs, dump=lambda: b"", log=str)


def record(*args: Any, name: str = "pay", **kwargs: Any) -> Record:
    return Record(number=3, name=name, arguments={"args": list(args), "kwargs": kwargs}, started_at=THEN)


def compared(kept: Record, made: Call) -> str:
    return difference(kept, made, arguments_of(made))


class TestDifference:
    @pytest.mark.parametrize(
        ("kept", "made"),
        [
            (record(1, 10**16), call(2, 1e16)),
            (record(10**16, 1), call(1e16, 2)),
            (record(a=10**16, b=1), call(a=1e16, b=2)),
            (record(a=1, b=10**16), call(a=2, b=1e16)),
            (record([10**16, {"x": 10**16, "y": 1}]), call([1e16, {"x": 1e16, "y": 2}])),
            (record([10**16, 1]), call([1e16])),
            (record([10**16]), call([1e16, 1])),
            (record(a=10**16), call(a=1e16, b=1)),
            (record(a=10**16, b=1), call(a=1e16)),
            (record(10**16), call(1e17)),
            (record(10**16), call(name="refund")),
            (record(10**16, name="refund"), call(1e16)),
            (record(1), call(True)),
            (record(1), call("1")),
            (record(), call(None)),
            (record(1), call(a=1)),
        ],
    )
    def test_any_argument_that_is_another_is_told(self, kept: Record, made: Call) -> None:
        was, now = written(kept.name, kept.arguments), written(made.name, arguments_of(made))
        assert compared(kept, made) == f"Call 3 was {was} when it was made, and is {now} now."

    @pytest.mark.parametrize(
        ("kept", "made"),
        [
            (record(), call()),
            (record(1, a=[2, {"b": None}]), call(1, a=[2, {"b": None}])),
            (record(10**16), call(1e16)),
            (record([1, 10**16], a={"b": 10**16, "c": "x"}), call([1, 1e16], a={"b": 1e16, "c": "x"})),
        ],
    )
    def test_what_a_database_may_give_back_is_none(self, kept: Record, made: Call) -> None:
        assert compared(kept, made) == ""

    @given(
        st.lists(st.integers(-3, 3) | st.sampled_from([1e16, 2e16])),
        st.lists(st.integers(-3, 3) | st.sampled_from([1e16, 2e16])),
    )
    def test_lists_are_the_same_if_all_that_is_in_them_is(self, one: list[Any], other: list[Any]) -> None:
        kept = [int(value) for value in one]
        assert (compared(record(kept, a=kept), call(other, a=other)) == "") == (kept == other)


class TestErrors:
    @pytest.mark.parametrize(
        "name",
        ["BlockingIOError", "ExceptionGroup", "UserWarning", "eval", "object", "KeyboardInterrupt", "Ours", "__name__"],
    )
    def test_of_a_kind_that_the_sandbox_does_not_know_it_is_one_that_it_knows(self, name: str) -> None:
        found = error_from_json({"type": name, "message": "why"})
        assert isinstance(found, Raised)
        assert (type(found.exception), found.exception.args) == (RuntimeError, ("why",))

    @pytest.mark.parametrize("kind", [ValueError, KeyError, RuntimeError, OSError, ZeroDivisionError, TimeoutError])
    def test_of_one_that_it_knows_it_comes_back(self, kind: type[Exception]) -> None:
        kept = error_to_json(kind("why"))
        assert kept == {"type": kind.__name__, "message": "why"}
        found = error_from_json(kept)
        assert (type(found.exception), found.exception.args) == (kind, ("why",))

    @pytest.mark.parametrize(
        ("exception", "kept"),
        [
            (ConnectionError("down"), {"type": "OSError", "message": "ConnectionError: down"}),
            (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), {"type": "ValueError"}),
            (ValueError(), {"type": "ValueError", "message": ""}),
            (ValueError("a", 1), {"type": "ValueError", "message": "('a', 1)"}),
        ],
    )
    def test_what_it_does_not_know_is_kept_as_the_nearest(self, exception: Exception, kept: dict[str, str]) -> None:
        assert kept.items() <= error_to_json(exception).items()

    def test_one_that_can_not_be_told_is_kept_still(self) -> None:
        class Mute:
            def __str__(self) -> str:
                raise RuntimeError

        assert error_to_json(ValueError(Mute()))["type"] == "ValueError"


class TestSize:
    def test_as_much_as_the_limit_is_kept_and_no_more(self, settings: Any) -> None:
        value = "x" * 100
        settings.WORKFLOW = {**settings.WORKFLOW, "MAX_DATA_BYTES": size(value)}
        refuse_too_large("It", value)
        with pytest.raises(ValueProblem) as caught:
            refuse_too_large("It", value + "x")
        limit = size(value)
        assert str(caught.value) == f"It takes {limit + 1:,} bytes; the limit (MAX_DATA_BYTES) is {limit:,}."


class TestMemoryLedger:
    def test_its_clock_stands_where_the_last_call_ended(self) -> None:
        now = [THEN]
        ledger = MemoryLedger(clock=lambda: now[0])
        now[0] += timedelta(hours=1)
        assert ledger.now() == THEN, "it stands still from when the code begins"
        assert ledger.clock() == now[0]
        waits = record(1)
        ledger.add(waits)
        assert ledger.now() == THEN
        later = Record(number=4, name="pay", arguments={}, started_at=THEN, ended_at=now[0])
        ledger.add(later)
        assert ledger.now() == now[0]
        assert (ledger.find(3), ledger.find(4), ledger.find(5)) == (waits, later, None)

    def test_nothing_is_saved_and_all_that_is_named_is_there(self) -> None:
        ledger = MemoryLedger()
        assert (ledger.begun(1), ledger.key(2), ledger.unknown(["anna"]), ledger.manual_tasks()) == (0, "0-2", (), None)
        assert (ledger.number, ledger.interrupted, ledger.snapshot, ledger.engine) == (0, 0, b"", "")


def test_a_call_is_written_as_code_writes_it() -> None:
    assert written("pay", {"args": [1, "a"], "kwargs": {"to": None, "n": [2]}}) == 'pay(1, "a", to=null, n=[2])'
    with pytest.raises(ValueProblem, match=r"An argument of pay\(\)"):
        arguments_of(call(object()))
    with pytest.raises(ValueProblem, match=r"An argument of pay\(\)"):
        arguments_of(call(a=object()))

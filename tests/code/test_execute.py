"""Driving a job: who answers calls, with what, and what the developer gets to see."""

import logging

import pytest

from tests.code.granted import GRANTED, job, run
from workflow.code.actions import Action
from workflow.code.execute import execute
from workflow.code.job import Call, CodeError, Completed, Errored
from workflow.code.ledger import MemoryLedger
from workflow.code.runner import Runner
from workflow.code.sandbox import SandboxRunner


def test_only_what_is_granted_can_be_called(runner: Runner) -> None:
    outcome = execute(job("price('A')"), runner, granted={"echo": GRANTED["echo"]})
    assert isinstance(outcome, Errored)
    assert outcome.error.type == ("NameError")


def test_the_developer_gets_the_functions_own_traceback(
    sandbox: SandboxRunner, caplog: pytest.LogCaptureFixture
) -> None:
    run(sandbox, "decline()")
    (record,) = caplog.records
    assert record.getMessage() == "decline() raised Declined for instance 7, task 'Pick'"
    assert record.levelno == logging.WARNING
    assert record.exc_info is not None
    assert "granted.py" in str(record.exc_text or caplog.text)


def test_wrong_arguments_are_the_codes_own_affair(sandbox: SandboxRunner, caplog: pytest.LogCaptureFixture) -> None:
    run(sandbox, "decline(1)")
    assert not caplog.records


def test_an_action_is_called_once_a_call(sandbox: SandboxRunner) -> None:
    calls: list[int] = []

    def count(number: int) -> int:
        calls.append(number)
        return len(calls)

    outcome = execute(job("[count(n) for n in range(3)]"), sandbox, granted={"count": Action("count", count)})
    assert outcome == Completed(result=[1, 2, 3], data={})
    assert calls == [0, 1, 2]


def test_an_error_survives_json() -> None:
    error = CodeError(type="KeyError", message="'k'", line=2, column=1, traceback="Traceback …")
    assert CodeError.from_json(error.to_json()) == error
    assert CodeError.from_json({"type": "X", "message": "y"}) == CodeError(type="X", message="y")
    assert str(error) == "KeyError: 'k' (line 2)"
    assert str(CodeError(type="KeyboardInterrupt", message="")) == "KeyboardInterrupt"


@pytest.mark.parametrize("atomic", [False, pytest.param(True, marks=pytest.mark.django_db)])
def test_a_call_that_was_interrupted_too_often_is_not_made(
    sandbox: SandboxRunner, atomic: bool, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def crash(number: int) -> None:
        calls.append(number)

    granted = {"crash": Action("crash", crash, atomic=atomic)}
    text = "try:\n    crash(1)\nexcept RuntimeError as error:\n    data['error'] = str(error)\ncrash(2)"
    ledger = Interrupted(5)
    outcome = execute(job(text), sandbox, ledger, granted=granted)
    assert isinstance(outcome, Completed)
    told = "The engine died, or lost the instance or the database, 5 times while crash() was at work; it is not called again."
    assert outcome.data["error"] == told
    assert [record.getMessage() for record in caplog.records] == [f"Instance 7, task 'Pick': {told}"]
    assert list(ledger.records) == [1, 2]
    assert calls == [2]
    execute(job("crash(3)"), sandbox, Interrupted(4), granted=granted)
    assert calls == [2, 3]


@pytest.mark.parametrize(("deaths", "made"), [(0, [1, 2]), (1, [1, 2]), (2, [2])])
def test_a_look_up_is_given_up_only_where_the_instance_is_suspect(
    sandbox: SandboxRunner, deaths: int, made: list[int]
) -> None:
    calls: list[int] = []
    granted = {"find": Action("find", calls.append, checkpoint=False)}
    text = "for n in [1, 2]:\n    try:\n        find(n)\n    except RuntimeError as error:\n        data['error'] = str(error)"
    ledger = Interrupted(5)
    ledger.interrupted = deaths
    outcome = execute(job(text), sandbox, ledger, granted=granted)
    assert isinstance(outcome, Completed)
    assert calls == made
    assert ("it is not called again" in outcome.data.get("error", "")) == (deaths == 2)
    assert not ledger.records


def test_a_look_up_that_is_counted_is_known_to_have_ended_before_another_may_kill_the_engine(
    sandbox: SandboxRunner,
) -> None:
    granted = {"find": Action("find", lambda number: number, checkpoint=False)}
    ledger = Interrupted(3)
    ledger.interrupted = 2
    execute(job("find(1)"), sandbox, ledger, granted=granted)
    assert ledger.saved == [4, 0]


class Interrupted(MemoryLedger):
    """A ledger whose first call was begun so often, and has not ended."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.saved: list[int] = []

    def stand(self, number: int, call: Call) -> None:
        self.times += 1

    def save(self) -> None:
        self.saved.append(self.times)

    def begun(self, number: int) -> int:
        return self.times if number == 1 else 0

    def passed(self, interrupted: int) -> None:
        self.times = 0

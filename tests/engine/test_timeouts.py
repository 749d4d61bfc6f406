"""A task's time-out: a deadline for all that it does, waits for, and tries again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.build import code, engine, manual, process, run_until_idle
from workflow import operations, operators
from workflow.engine import Mode
from workflow.models import ActionCall, InstanceState, RunningProcesses, WaitingForApproval
from workflow.operators import Action

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def later(by: timedelta) -> Any:
    return lambda: datetime.now(UTC) + by


def started(task: dict[str, Any], data: Any = None) -> RunningProcesses:
    tasks = {"A": {"timeout": HOUR, **task}, "Late": code("data['late'] = data['error']['type']")}
    process("P", tasks, (1, "A", {"on_error": 2, "then": 3}), (2, "Late"), (3, "Late", {"condition": "False"}))
    instance = operations.start("P", data)
    run_until_idle()
    instance.refresh_from_db()
    return instance


@pytest.fixture
def child() -> None:
    process("Child", {"Sign": manual()}, (1, "Sign"))


WAITS = {
    "a manual task": manual(),
    "approval": code("approval('', 'Well?')") | {"code": "approval([data['who']], 'Well?')"},
    "wait_for": code("wait_for('never')"),
    "sleep": code("sleep(days=30)"),
    "run_process": code("run_process('Child')"),
    "an attempt": code("1 / 0", max_attempts=9, retry_delay=86_400.0),
}


@pytest.mark.parametrize("task", WAITS.values(), ids=WAITS)
@pytest.mark.usefixtures("child")
def test_it_fires_while_the_task_waits(task: dict[str, Any], django_user_model: Any) -> None:
    django_user_model.objects.create_user("anna")
    instance = started(task, {"who": "anna"})
    assert instance.state == InstanceState.WAITING
    assert instance.started_at + HOUR <= instance.due_at <= instance.started_at + HOUR + timedelta(minutes=1)
    engine(clock=later(HOUR / 2)).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    assert instance.state == InstanceState.WAITING, "not before its time"
    engine(clock=later(HOUR * 1.1)).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    assert (instance.state, instance.data["late"]) == (InstanceState.FINISHED, "TimedOut")
    assert not WaitingForApproval.objects.exists()
    assert not ActionCall.objects.filter(ended_at=None).exists()
    assert not RunningProcesses.objects.filter(ended_at=None).exists()


def test_what_ends_in_time_is_left_alone() -> None:
    instance = started(code("sleep(seconds=1)\ndata['n'] = 1"))
    engine(clock=later(timedelta(seconds=2))).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    assert (instance.state, instance.data) == (InstanceState.FINISHED, {"n": 1})


def test_it_does_not_wait_for_an_action_that_is_under_way() -> None:
    process("P", {"A": code("pause(1.5)\nnote('after')", timeout=timedelta(seconds=1))}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    instance.refresh_from_db()
    assert (instance.state, instance.error["type"]) == (InstanceState.FAILED, "TimedOut")
    assert instance.error["message"] == "The task has not ended within 1s, its time-out."
    assert not ActionCall.objects.exists(), "what comes after has no effect any more"


def test_no_attempt_is_left_after_it() -> None:
    instance = started(code("sleep(days=30)", max_attempts=9))
    engine(clock=later(HOUR * 1.1)).run(Mode.UNTIL_IDLE)
    assert instance.task_runs.get(task_name="A").attempt == 1


def test_retried_by_an_operator_it_has_all_of_its_time_again() -> None:
    process("P", {"A": code("sleep(minutes=90)", timeout=HOUR)}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    engine(clock=later(HOUR * 1.1)).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    assert instance.state == InstanceState.FAILED
    instance.version.process.tasks.update(timeout=None)
    operators.perform(instance.pk, Action.RETRY)
    run_until_idle()
    instance.refresh_from_db()
    run = instance.task_runs.get()
    assert (instance.state, run.attempt, run.deadline > datetime.now(UTC) + HOUR / 2) == (
        InstanceState.WAITING,
        2,
        True,
    )
    assert [call.error and call.error["type"] for call in run.calls.order_by("attempt")] == ["Unanswered", None]

"""What error trackers get, which listen to the log: one error for each instance that fails, with a traceback and a fingerprint."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from tests.build import code, engine, manual, process, run_until_idle
from workflow import operations
from workflow.code.actions import Action, replace_action, replaced
from workflow.engine import Mode
from workflow.logs import InstanceFailed, Json
from workflow.models import InstanceState, Process, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)


class Tracker(logging.Handler):
    """Takes what a tracker takes as an event of its own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.events: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append(record)


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    tracker = Tracker()
    logging.getLogger("workflow").addHandler(tracker)
    yield tracker
    logging.getLogger("workflow").removeHandler(tracker)


class Declined(Exception):
    """An error that the sandbox does not know."""


@pytest.fixture(autouse=True)
def granted() -> Iterator[None]:
    def fail(kind: str) -> None:
        match kind:
            case "declined":
                raise Declined(f"no money in account {id(kind)}")
            case "key":
                raise KeyError("kéy\n'\"")
            case "long":
                raise ValueError("\N{PILE OF POO}x" * 5_000)
        raise ConnectionError(kind)

    with replaced():
        replace_action(Action(name="fail", function=fail))
        replace_action(Action(name="fail_atomic", function=fail, atomic=True))
        replace_action(Action(name="fail_look_up", function=fail, checkpoint=False))
        yield


def failed(name: str = "P") -> RunningProcesses:
    process("Bystander", {"A": code("'fine'")}, (1, "A"))
    bystander, instance = operations.start("Bystander"), operations.start(name)
    run_until_idle()
    bystander.refresh_from_db()
    instance.refresh_from_db()
    assert (bystander.state, instance.state) == (InstanceState.FINISHED, InstanceState.FAILED)
    return instance


RETRIED = {"max_attempts": 3, "retry_delay": 0}
CODE = {
    "code": ("x = 1\n1 / 0", {}, "ZeroDivisionError"),
    "code that is tried again": ("1 / 0", RETRIED, "ZeroDivisionError"),
    "an action": ("fail('down')", {}, "OSError"),
    "an action that is tried again": ("fail('down')", RETRIED, "OSError"),
    "an atomic action": ("fail_atomic('down')", {}, "OSError"),
    "a look-up": ("fail_look_up('down')", {}, "OSError"),
    "no time left": ("while True:\n    pass", {"time_limit": 0.2}, "TimeLimit"),
    "no memory left": ("[1] * 10 ** 8", {"memory_limit": 16}, "MemoryLimit"),
    "too much data": ("data['x'] = 'y' * 3_000_000", {}, "TooMuchData"),
    "a child that can't start": ("run_process('Nobody')", {}, "ValueError"),
}


@pytest.mark.parametrize(("text", "more", "kind"), CODE.values(), ids=CODE)
def test_a_task_that_fails_is_one_error(text: str, more: dict[str, Any], kind: str, tracker: Tracker) -> None:
    process("P", {"Do it": code(text, **more)}, (1, "Do it"))
    instance = failed()
    (event,) = tracker.events
    assert event.fingerprint == ["P", "Do it", kind]
    assert event.fields == {
        "instance": instance.pk, "process": "P", "task": "Do it", "engine": event.fields["engine"], "state": "FAILED",
    }  # fmt: skip
    assert event.exc_info[0] is InstanceFailed
    assert str(event.exc_info[1]).startswith(f"{kind}: ")


def test_the_traceback_is_that_of_the_code(tracker: Tracker) -> None:
    process("P", {"Do it": code("def f():\n    return 1 / 0\n\nf()")}, (1, "Do it"))
    failed()
    (event,) = tracker.events
    told = Json().format(event)
    assert "ZeroDivisionError: division by zero" in told
    assert 'File \\"Do it\\", line 2, in f' in told


@pytest.mark.parametrize("runner", ["sandbox", "trusted"])
@pytest.mark.parametrize("kind", ["down", "declined", "key", "long"])
@pytest.mark.parametrize("name", ["fail", "fail_atomic", "fail_look_up"])
def test_what_an_action_raised_is_the_cause_with_its_own_traceback(
    runner: str, kind: str, name: str, tracker: Tracker, settings: Any
) -> None:
    settings.WORKFLOW = {"RUNNER": runner}
    process("P", {"Do it": code(f"{name}('{kind}')", **RETRIED)}, (1, "Do it"))
    failed()
    (event,) = tracker.events
    cause = event.exc_info[1].__cause__
    assert type(cause).__name__ in {"ConnectionError", "Declined", "KeyError", "ValueError"}
    assert "in fail" in Json().format(event)


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    fail('down')\nexcept OSError:\n    1 / 0",
        "try:\n    fail('a')\nexcept OSError:\n    pass\n1 / 0",
    ],
)
def test_what_code_has_caught_is_no_cause(text: str, tracker: Tracker) -> None:
    process("P", {"Do it": code(text)}, (1, "Do it"))
    failed()
    (event,) = tracker.events
    assert event.exc_info[1].__cause__ is None


def test_rows_that_fail_together_are_one_error(tracker: Tracker) -> None:
    process("P", {"A": code("1 / 0"), "B": code("fail('down')"), "C": code("1 / 0")}, (1, "A"), (1, "B"), (1, "C"))
    failed()
    (event,) = tracker.events
    assert event.fingerprint[0] == "P"


@pytest.mark.parametrize(
    "task", [{"subprocess": "Child"}, code("run_process('Child')"), code("run_all([('Child', {})])")]
)
def test_a_child_that_fails_and_its_parent_are_an_error_each(task: dict[str, Any], tracker: Tracker) -> None:
    process("Child", {"Bad": code("1 / 0")}, (1, "Bad"))
    task |= {"subprocess": Process.objects.get()} if "subprocess" in task else {}
    process("P", {"Do it": task}, (1, "Do it"))
    failed()
    child, parent = tracker.events
    assert child.fingerprint == ["Child", "Bad", "ZeroDivisionError"]
    assert parent.fingerprint[:2] == ["P", "Do it"]


@pytest.mark.parametrize(
    ("task", "row", "kind"),
    [
        (code("1"), {"condition": "data['nothing']"}, "KeyError"),
        (manual("=data['nobody']"), {}, "KeyError"),
        (manual("=1"), {}, "NotDecidable"),
    ],
)
def test_conditions_and_approvers(task: dict[str, Any], row: dict[str, Any], kind: str, tracker: Tracker) -> None:
    process("P", {"Do it": task}, (1, "Do it", row))
    failed()
    (event,) = tracker.events
    assert event.fingerprint == ["P", "Do it", kind]


def test_a_time_out(tracker: Tracker) -> None:
    process("P", {"Do it": manual(timeout=timedelta(hours=1))}, (1, "Do it"))
    operations.start("P")
    run_until_idle()
    engine(clock=lambda: datetime.now(UTC) + timedelta(hours=2)).run(Mode.UNTIL_IDLE)
    (event,) = tracker.events
    assert event.fingerprint == ["P", "Do it", "TimedOut"]


def test_an_endless_loop_of_steps(tracker: Tracker, settings: Any) -> None:
    settings.WORKFLOW = {"MAX_STEPS": 5}
    process("P", {"Do it": code("1")}, (1, "Do it", {"then": 1, "condition": "True"}))
    failed()
    (event,) = tracker.events
    assert event.fingerprint == ["P", "", "TooManySteps"]


def test_what_the_engine_itself_fails_on(tracker: Tracker) -> None:
    process("P", {"Do it": code("1")}, (1, "Do it"))
    instance = operations.start("P")
    with connection.cursor() as cursor:
        table = RunningProcesses._meta.db_table
        cursor.execute(f"UPDATE {table} SET data = %s WHERE id = %s", ['{"x": {"$date": "soon"}}', instance.pk])
    run_until_idle()
    (event,) = tracker.events
    assert event.fingerprint == ["P", "", "ValueProblem"]
    assert "Traceback" in Json().format(event)


def test_what_a_process_handles_is_no_error(tracker: Tracker) -> None:
    process("P", {"Bad": code("fail('down')", **RETRIED), "Tell": code("1")}, (1, "Bad", {"on_error": 9}), (9, "Tell"))
    operations.start("P")
    run_until_idle()
    assert RunningProcesses.objects.get().state == InstanceState.FINISHED
    assert not tracker.events

"""Tasks that are processes: what goes in, what comes back, and what becomes of those that do not finish."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.build import code, engine, manual, outline, process, run_until_idle
from workflow import operations, operators
from workflow.engine import Mode
from workflow.models import ActionCall, InstanceState, Process, RunningProcesses, RunState, TaskRun, WaitingForApproval
from workflow.operators import Action

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def child() -> Process:
    """A process that doubles `n` and drops `old`, after somebody has signed where `sign` says so."""
    rows = (1, "Sign", {"condition": "data.get('sign', False)"}), (2, "Double")
    text = "data['n'] = data['n'] * 2\ndata.pop('old', None)"
    return process("Double", {"Sign": manual(), "Double": code(text)}, *rows)


def started(
    child: Process, /, *, row: dict[str, Any] | None = None, data: Any = None, **fields: Any
) -> RunningProcesses:
    tasks = {"Sub": {"subprocess": child, **fields}, "After": code("data['after'] = results.get('Sub')")}
    process("P", tasks, (1, "Sub", row or {}), (2, "After"))
    return goes_on(operations.start("P", data))


def goes_on(instance: RunningProcesses) -> RunningProcesses:
    run_until_idle()
    instance.refresh_from_db()
    return instance


def test_blank_input_and_output_pass_all_of_the_data_and_all_that_was_changed(child: Process) -> None:
    instance = started(child, data={"n": 4, "old": 1, "kept": 2})
    assert instance.state == InstanceState.FINISHED
    assert instance.data == {"n": 8, "kept": 2, "after": {"n": 8, "kept": 2}}


def test_input_and_output_say_what_is_passed(child: Process) -> None:
    instance = started(child, input="{'n': data['m']}", output="{'got': data['n']}", data={"m": 5, "n": 1})
    assert instance.data == {"m": 5, "n": 1, "got": 10, "after": {"n": 10}}
    only = RunningProcesses.objects.get(process_name="Double")
    assert (only.data, only.parent.run.instance, only.depth) == ({"n": 10}, instance, 1)


def test_a_key_called_name_is_data_like_any_other(child: Process) -> None:
    assert started(child, data={"n": 1, "name": "x"}).data["after"] == {"n": 2, "name": "x"}


def test_the_parent_waits_as_a_row_and_goes_on_when_the_child_has_ended(child: Process) -> None:
    instance = started(child, data={"n": 1, "sign": True})
    assert (instance.state, instance.owner, instance.due_at) == (InstanceState.WAITING, "", None)
    operations.approve(WaitingForApproval.objects.get())
    assert goes_on(instance).data["n"] == 2


def test_several_at_one_step_run_side_by_side_and_merge_in_row_order(child: Process) -> None:
    tasks = {
        name: {"subprocess": child, "input": f"{{'n': {n}, 'sign': True}}", "output": f"{{'{name}': data['n'], 'last': {n}}}"}
        for name, n in (("A", 1), ("B", 2), ("C", 3))
    }  # fmt: skip
    process("P", tasks, *((1, name) for name in tasks))
    instance = goes_on(operations.start("P"))
    assert WaitingForApproval.objects.count() == 3
    for waiting in WaitingForApproval.objects.order_by("-pk"):
        operations.approve(waiting)
        goes_on(instance)
    assert (instance.state, instance.data) == (InstanceState.FINISHED, {"A": 2, "B": 4, "C": 6, "last": 3})


def test_a_child_that_is_rejected_rejects_the_task(child: Process) -> None:
    instance = started(child, data={"n": 1, "sign": True}, output="{'seen': data['n']}")
    operations.reject(WaitingForApproval.objects.get(), comment="no")
    goes_on(instance)
    assert (instance.state, instance.data["seen"]) == (InstanceState.REJECTED, 1)
    assert outline(instance) == [(1, 1, "Sub", "REJECTED")]


def test_where_rejected_leads_is_said_by_the_row(child: Process) -> None:
    instance = started(child, row={"on_reject": 2}, data={"n": 1, "sign": True})
    operations.reject(WaitingForApproval.objects.get())
    assert goes_on(instance).state == InstanceState.FINISHED


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("1 / 0", "SubprocessFailed", "failed: division by zero"),
        ("sleep(days=1)", "SubprocessCancelled", "was cancelled"),
    ],
)
def test_a_child_that_fails_or_is_cancelled_fails_the_task(text: str, kind: str, said: str) -> None:
    bad = process("Bad", {"A": code(text)}, (1, "A"))
    instance = started(bad, row={"on_error": 2})
    only = RunningProcesses.objects.get(process_name="Bad")
    if only.state == InstanceState.WAITING:
        operators.perform(only.pk, Action.CANCEL)
        goes_on(instance)
    assert instance.state == InstanceState.FINISHED
    error = instance.data["error"]
    assert (error["type"], error["task"], error["instance"]) == (kind, "Sub", only.pk)
    assert ("cause" in error) == (kind == "SubprocessFailed"), "nothing failed where somebody cancelled it"
    assert error["message"] == f"Bad (instance {only.pk}) {said}"


def test_an_error_handler_sees_what_failed_in_the_sub_process_and_in_its_own() -> None:
    innermost = process("Charge", {"Card": code("raise LookupError('no card')")}, (1, "Card"))
    middle = process("Pay", {"Sub": {"subprocess": innermost}}, (1, "Sub"))
    handles = code("e = data['error']\ne['cause']['type'], e['cause']['cause']['type'], e['cause']['cause']['task']")
    process("Bystander", {"Sub": {"subprocess": middle}, "Handle": handles}, (1, "Sub", {"on_error": 2}), (2, "Handle"))
    other = operations.start("Bystander")
    instance = started(middle, row={"on_error": 2})
    mine, inner = (
        RunningProcesses.objects.get(process_name=name, parent__run__instance=of)
        for name, of in (("Pay", instance), ("Charge", RunningProcesses.objects.get(parent__run__instance=instance)))
    )
    failed = f"Charge (instance {inner.pk}) failed: no card"
    assert instance.data["error"] == {
        "task": "Sub",
        "type": "SubprocessFailed",
        "message": f"Pay (instance {mine.pk}) failed: {failed}",
        "instance": mine.pk,
        "cause": {
            "task": "Sub",
            "type": "SubprocessFailed",
            "message": failed,
            "instance": inner.pk,
            "cause": {"task": "Card", "type": "LookupError", "message": "no card"},
        },
    }
    other.refresh_from_db()
    assert other.results["Handle"] == ["SubprocessFailed", "LookupError", "Card"]
    assert other.data["error"]["instance"] != mine.pk


def test_an_instance_that_failed_by_a_sub_process_says_so() -> None:
    instance = started(process("Bad", {"A": code("1 / 0")}, (1, "A")))
    child = RunningProcesses.objects.get(process_name="Bad")
    assert instance.error is not None
    assert instance.error["instance"] == child.pk
    assert instance.error["cause"] == {"task": "A", "type": "ZeroDivisionError", "message": "division by zero"}


def test_a_child_that_is_retried_before_its_parent_has_looked_has_failed_nevertheless() -> None:
    """What the parent waited for has come: it learns nothing of what the child does from now on, and takes it along."""
    flaky = process("Flaky", {"A": code("wait_for('go')\nfail_first(1)\nsleep(days=1)")}, (1, "A"))
    instance = started(flaky, row={"on_error": 2})
    child = RunningProcesses.objects.get(process_name="Flaky")
    operators.perform(instance.pk, Action.PAUSE)
    operations.signal("go")
    run_until_idle()
    operators.perform(child.pk, Action.RETRY)
    run_until_idle()
    operators.perform(instance.pk, Action.RESUME)
    goes_on(instance)
    child.refresh_from_db()
    assert (instance.state, child.state) == (InstanceState.FINISHED, InstanceState.CANCELLED)
    assert instance.data["error"] == {
        "task": "Sub",
        "type": "SubprocessFailed",
        "message": f"Flaky (instance {child.pk}) failed",
        "instance": child.pk,
    }


def test_another_attempt_starts_another_child() -> None:
    flaky = process("Flaky", {"A": code("1 / 0")}, (1, "A"))
    instance = started(flaky, max_attempts=2, retry_delay=60.0)
    engine(clock=lambda: datetime.now(UTC) + timedelta(hours=1)).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    assert instance.state == InstanceState.FAILED
    assert RunningProcesses.objects.filter(process_name="Flaky").count() == 2
    operators.perform(instance.pk, Action.RETRY)
    goes_on(instance)
    assert RunningProcesses.objects.filter(process_name="Flaky").count() == 3
    assert TaskRun.objects.get(instance=instance).attempt == 3


def test_cancelling_the_parent_cancels_the_child_and_what_waits_there(child: Process) -> None:
    instance = started(child, data={"n": 1, "sign": True})
    operators.perform(instance.pk, Action.CANCEL)
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"CANCELLED"}
    assert not WaitingForApproval.objects.exists()
    assert not ActionCall.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input": "data['x']"}, "The input could not be evaluated: 'x'"),
        ({"input": "3"}, "The input must be a dict, such as {'sum': 12}; it is int."),
        ({"output": "[1]"}, "The output must be a dict, such as {'sum': 12}; it is list."),
    ],
)
def test_a_mapping_that_is_wrong_fails_the_task(child: Process, fields: dict[str, str], message: str) -> None:
    instance = started(child, data={"n": 1}, **fields)
    assert (instance.state, instance.error["message"]) == (InstanceState.FAILED, message)


def test_what_can_not_be_started_fails_the_task_and_starts_nothing() -> None:
    instance = started(process("Broken", {}))
    assert (instance.state, instance.error["type"]) == (InstanceState.FAILED, "NotStartable")
    assert RunningProcesses.objects.count() == 1


def test_a_process_that_starts_itself_ends(settings: Any) -> None:
    settings.WORKFLOW = {"MAX_DEPTH": 3}
    endless = process("Endless", {"A": code("1")}, (1, "A"))
    endless.tasks.update(code="", subprocess=endless)
    instance = goes_on(operations.start("Endless"))
    assert instance.state == InstanceState.FAILED
    assert RunningProcesses.objects.count() == 4


def test_a_cancelled_neighbour_starts_a_child_anew_when_the_step_is_retried(child: Process) -> None:
    tasks = {"Sub": {"subprocess": child}, "Bad": code("wait_for('go')\nfail_first(1)")}
    process("P", tasks, (1, "Sub"), (1, "Bad"))
    instance = goes_on(operations.start("P", {"n": 1, "sign": True}))
    operations.signal("go")
    assert goes_on(instance).state == InstanceState.FAILED
    assert RunningProcesses.objects.get(process_name="Double").state == InstanceState.CANCELLED
    operators.perform(instance.pk, Action.RETRY)
    goes_on(instance)
    operations.approve(WaitingForApproval.objects.get())
    goes_on(instance)
    assert (instance.state, instance.data["n"]) == (InstanceState.FINISHED, 2)
    assert list(instance.task_runs.values_list("state", flat=True)) == [RunState.FINISHED] * 2

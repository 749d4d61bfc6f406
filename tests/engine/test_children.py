"""Processes that code starts and waits for: their ends move it on, and its end takes them along."""

from typing import Any

import pytest

from tests.build import code, manual, process, run_until_idle
from workflow import operations, operators
from workflow.models import InstanceState, RunningProcesses, TaskRun, WaitingForApproval
from workflow.operators import Action

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def child() -> None:
    """A process that doubles `n`, after somebody has signed where `sign` says so."""
    rows = (1, "Sign", {"condition": "data.get('sign', False)"}), (2, "Double")
    process("Double", {"Sign": manual(), "Double": code("data['n'] = data['n'] * 2")}, *rows)


def started(text: str, **data: Any) -> RunningProcesses:
    process("P", {"A": code(text)}, (1, "A"))
    return goes_on(operations.start("P", data))


def goes_on(instance: RunningProcesses) -> RunningProcesses:
    run_until_idle()
    instance.refresh_from_db()
    return instance


def test_it_gets_the_final_data_of_its_child() -> None:
    instance = started("data['got'] = run_process('Double', n=4)['n']")
    assert (instance.state, instance.data["got"]) == (InstanceState.FINISHED, 8)
    only = RunningProcesses.objects.get(process_name="Double")
    assert (only.parent.run.instance, only.depth, only.started_by) == (instance, 1, None)


def test_several_run_side_by_side_and_come_back_in_the_order_given() -> None:
    text = "data['got'] = [d['n'] for d in run_all([('Double', {'n': n, 'sign': n == 2}) for n in (1, 2, 3)])]"
    instance = started(text)
    assert instance.state == InstanceState.WAITING
    ended = RunningProcesses.objects.filter(process_name="Double", state=InstanceState.FINISHED)
    assert ended.count() == 2, "one waits for a signature, the others don't wait for it"
    operations.approve(WaitingForApproval.objects.get())
    goes_on(instance)
    assert (instance.state, instance.data["got"]) == (InstanceState.FINISHED, [2, 4, 6])


@pytest.mark.parametrize(("text", "state"), [("1 / 0", "failed: division by zero"), ("sleep(days=1)", "was cancelled")])
def test_a_child_that_does_not_finish_is_an_error_in_the_code(text: str, state: str) -> None:
    process("Bad", {"A": code(text)}, (1, "A"))
    instance = started("try:\n    run_process('Bad')\nexcept RuntimeError as e:\n    data['error'] = str(e)")
    bad = RunningProcesses.objects.get(process_name="Bad")
    if bad.state == InstanceState.WAITING:
        operators.perform(bad.pk, Action.CANCEL)
        goes_on(instance)
    assert instance.state == InstanceState.FINISHED
    assert instance.data["error"] == f"Bad (instance {bad.pk}) {state}"


def test_cancelling_the_parent_cancels_what_it_has_started() -> None:
    process("Middle", {"A": code("run_process('Double', n=1, sign=True)")}, (1, "A"))
    instance = started("run_process('Middle')")
    operators.perform(instance.pk, Action.CANCEL)
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"CANCELLED"}
    assert not WaitingForApproval.objects.exists()


def test_what_ends_the_step_cancels_what_code_beside_it_has_started() -> None:
    tasks = {"Run": code("run_process('Double', n=1, sign=True)"), "Stop": manual()}
    process("Q", tasks, (1, "Run"), (1, "Stop", {"ends_step": True}))
    instance = operations.start("Q")
    goes_on(instance)
    operations.approve(WaitingForApproval.objects.get(task_name="Stop"))
    assert goes_on(instance).state == InstanceState.FINISHED
    assert RunningProcesses.objects.get(process_name="Double").state == InstanceState.CANCELLED


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("run_process('Duoble')", "There is no process 'Duoble'. Did you mean 'Double'?"),
        ("run_all([])", "run_all() starts 1 to 1000 processes, not 0"),
        ("run_process('Broken')", "The process 'Broken' can't be started before its mistakes are mended"),
    ],
)
def test_what_can_not_be_started_is_an_error_in_the_code(call: str, message: str) -> None:
    process("Broken", {}, *())
    instance = started(f"try:\n    {call}\nexcept ValueError as e:\n    data['error'] = str(e)")
    assert instance.data["error"].startswith(message)
    assert RunningProcesses.objects.count() == 1


def test_endless_recursion_ends(settings: Any) -> None:
    settings.WORKFLOW = {"MAX_DEPTH": 3}
    instance = started("run_process('P')")
    assert instance.state == InstanceState.FAILED
    assert RunningProcesses.objects.count() == 4
    assert "3 instances stand above one another already (MAX_DEPTH)" in instance.error["message"]


def test_each_child_starts_once_however_often_its_parent_is_taken_up() -> None:
    instance = started("run_process('Double', n=1, sign=True)")
    for _ in range(3):
        operators.perform(instance.pk, Action.PAUSE)
        operators.perform(instance.pk, Action.RESUME)
        goes_on(instance)
    assert instance.state == InstanceState.WAITING
    assert RunningProcesses.objects.filter(process_name="Double").count() == 1
    operations.approve(WaitingForApproval.objects.get())
    assert goes_on(instance).state == InstanceState.FINISHED
    assert TaskRun.objects.filter(instance=instance).count() == 1

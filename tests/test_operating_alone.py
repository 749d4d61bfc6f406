"""An operator's action concerns one instance, and of that the step at which it stands: whatever else there is."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.beside import *  # noqa: F403
from tests.build import code, manual, process, run_until_idle
from tests.own import ours
from workflow import operations, operators
from workflow.errors import BadData, NoSuchInstance, NotPermitted
from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun, WaitingForApproval
from workflow.operators import Action, is_possible

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("effects")]

S = InstanceState
POSSIBLE = {
    Action.CANCEL: {S.READY, S.RUNNING, S.WAITING, S.PAUSED},
    Action.PAUSE: {S.READY, S.RUNNING, S.WAITING},
    Action.RESUME: {S.PAUSED},
    Action.RETRY: {S.FAILED},
    Action.RESTART: {S.FAILED},
    Action.SKIP: {S.FAILED},
    Action.GOTO: {S.READY, S.RUNNING, S.WAITING, S.PAUSED, S.FAILED},
}


@pytest.mark.parametrize(("action", "state"), list(product(Action, InstanceState)))
def test_in_which_states_an_action_is_possible(action: Action, state: InstanceState) -> None:
    assert is_possible(RunningProcesses(state=state), action) is (state in POSSIBLE[action])


@pytest.mark.parametrize(
    ("action", "able"),
    [
        (Action.CANCEL, "PAUSED or READY or RUNNING or WAITING"),
        (Action.PAUSE, "READY or RUNNING or WAITING"),
        (Action.GOTO, "FAILED or PAUSED or READY or RUNNING or WAITING"),
        (Action.SKIP, "FAILED"),
    ],
)
def test_a_refusal_says_in_which_states_it_would_be_possible(action: Action, able: str) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    with pytest.raises(NotPermitted) as caught:
        operators.perform(instance.pk, action, to=1)
    assert str(caught.value) == f"Instance {instance.pk} is FINISHED; {action} takes one that is {able}."


def failed_twice() -> tuple[RunningProcesses, RunningProcesses]:
    """Two that stand at the same place: a task has failed, after calls, and one was cancelled beside it, as in an earlier visit,
    that was done again.
    """
    failing = "note('once')\nfail_first(99)"
    tasks = {"Work": code(failing), "Ask": code("wait_for('nothing')"), "Before": code("note('before')")}
    rows = (1, "Before"), (2, "Work"), (2, "Ask")
    if not ours(RunningProcesses).exists():
        process("P", tasks, *rows)
    pair = [operations.start("P") for _ in range(2)]
    run_until_idle()
    for one in pair:
        operators.perform(one.pk, Action.GOTO, to=1)
    run_until_idle()
    for one in pair:
        one.refresh_from_db()
        assert one.state == S.FAILED
    return pair[0], pair[1]


def runs_of(instance: RunningProcesses) -> list[dict[str, Any]]:
    return list(TaskRun.objects.filter(instance=instance).order_by("visit", "row").values())


def states_of(instance: RunningProcesses) -> list[tuple[int, str, str]]:
    return [(run["visit"], run["task_name"], str(run["state"])) for run in runs_of(instance)]


BEFORE = [(1, "Before", "FINISHED"), (2, "Work", "FAILED"), (2, "Ask", "CANCELLED"), (3, "Before", "FINISHED")]


class TestOneOfTwo:
    @pytest.mark.parametrize(
        ("action", "work", "attempts"),
        [(Action.RETRY, "PENDING", (2, 1)), (Action.RESTART, "PENDING", (2, 2)), (Action.SKIP, "FINISHED", (1, 1))],
    )
    def test_what_failed_or_was_cancelled_is_reopened_of_it_and_of_this_visit_alone(
        self, action: Action, work: str, attempts: tuple[int, int]
    ) -> None:
        one, other = failed_twice()
        before = runs_of(other)
        operators.perform(one.pk, action, result={"by": "hand"})
        assert runs_of(other) == before
        assert states_of(one) == [*BEFORE, (4, "Work", work), (4, "Ask", "PENDING")]
        run = one.task_runs.get(visit=4, task_name="Work")
        assert (run.attempt, run.first_attempt) == attempts
        assert run.result == ({"by": "hand"} if action == Action.SKIP else None)
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.state, other.state) == (S.READY, S.FAILED)

    def test_what_waits_is_cancelled_of_it_alone(self) -> None:
        process("P", {"A": manual(), "B": manual(), "End": code("1")}, (1, "A"), (1, "B"), (2, "End"))
        one, other = operations.start("P"), operations.start("P")
        run_until_idle()
        before = runs_of(other)
        operators.perform(one.pk, Action.GOTO, to=2)
        assert runs_of(other) == before
        assert states_of(one) == [(1, "A", "CANCELLED"), (1, "B", "CANCELLED")]
        assert set(ours(WaitingForApproval).values_list("rpid", flat=True)) == {other.pk}
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.step, one.visit, one.state) == (2, 2, S.READY)
        assert (other.step, other.visit, other.state) == (1, 1, S.WAITING)

    def test_what_was_done_already_stays_done(self) -> None:
        process("P", {"A": code("1"), "B": manual()}, (1, "A"), (1, "B"))
        one = operations.start("P")
        run_until_idle()
        operators.perform(one.pk, Action.CANCEL)
        assert states_of(one) == [(1, "A", "FINISHED"), (1, "B", "CANCELLED")]


def calls(told: Any) -> list[str]:
    return [one.split(" -> ")[0] for one in told]


class TestPlanning:
    def test_it_tells_of_that_instance_what_would_happen_again(self) -> None:
        one, _ = failed_twice()
        happened = ['note("before")', 'note("once")', "fail_first(99)"]
        plan = operators.plan(one.pk, Action.RETRY)
        assert plan.instance == one
        assert plan.action == Action.RETRY
        assert sorted(calls(plan.happened)) == sorted([*happened, 'wait_for("nothing")'] * 2)
        assert calls(plan.again) == ["fail_first(99)"]
        assert calls(operators.plan(one.pk, Action.RESTART).again) == ['note("once")', "fail_first(99)"]
        assert calls(operators.plan(one.pk, Action.SKIP).again) == []

    def test_of_a_task_that_was_restarted_only_what_came_since(self) -> None:
        one, _ = failed_twice()
        operators.perform(one.pk, Action.RESTART)
        run_until_idle()
        assert calls(operators.plan(one.pk, Action.RESTART).again) == ['note("once")', "fail_first(99)"]

    def test_of_a_task_that_was_tried_again_the_call_that_failed_is_told_each_time(self) -> None:
        one, _ = failed_twice()
        operators.perform(one.pk, Action.RETRY)
        run_until_idle()
        assert calls(operators.plan(one.pk, Action.RESTART).again) == ['note("once")', *["fail_first(99)"] * 2]

    def test_what_could_not_be_done_is_refused_at_once(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instance = operations.start("P")
        with pytest.raises(NotPermitted, match=f"Instance {instance.pk} is READY; resume takes one that is PAUSED"):
            operators.plan(instance.pk, Action.RESUME)
        with pytest.raises(BadData, match=r"goto needs one of the steps of .*: 1; not 7\."):
            operators.plan(instance.pk, Action.GOTO, to=7)
        with pytest.raises(NoSuchInstance):
            operators.plan(instance.pk + 999_999, Action.CANCEL)

    def test_what_only_a_running_task_has_called_so_far_is_not_told_as_failed(self) -> None:
        """The others tell of what has happened, and that nothing happens again."""
        process("P", {"A": code("note('x')\nsleep(hours=1)")}, (1, "A"))
        instance = operations.start("P")
        run_until_idle()
        plan = operators.plan(instance.pk, Action.CANCEL)
        assert calls(plan.happened) == ['note("x")']
        assert plan.again == []


def test_all_are_locked_once_and_come_back_in_the_order_asked_for() -> None:
    process("P", {"A": manual()}, (1, "A"))
    first, second, third = (operations.start("P") for _ in range(3))
    done = operators.perform_all([second.pk, first.pk, second.pk], Action.PAUSE)
    assert [one.pk for one in done] == [second.pk, first.pk]
    assert {one.state for one in done} == {S.PAUSED}
    third.refresh_from_db()
    assert third.state == S.READY


@pytest.mark.usefixtures("effects")
def test_a_child_that_is_cancelled_answers_its_own_call_alone(effects: Path) -> None:
    process("Child", {"Sign": manual()}, (1, "Sign"))
    process(
        "P", {"A": code("try:\n    run_process('Child')\nexcept RuntimeError as e:\n    data['e'] = str(e)")}, (1, "A")
    )
    one, other = operations.start("P"), operations.start("P")
    run_until_idle()
    child = ours(RunningProcesses).get(parent__run__instance=one)
    operators.perform(child.pk, Action.PAUSE)
    one.refresh_from_db()
    assert one.state == S.WAITING
    operators.perform(child.pk, Action.CANCEL)
    run_until_idle()
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.state, other.state) == (S.FINISHED, S.WAITING)
    assert one.data == {"e": f"Child (instance {child.pk}) was cancelled"}
    assert TaskRun.objects.get(instance=other).state == RunState.SUSPENDED

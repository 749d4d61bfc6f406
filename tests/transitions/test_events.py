"""What comes from elsewhere reaches the instance, the call and the signal that it is for, and no other."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tests.build import code, manual, outline, process, run_until_idle
from tests.own import ours
from workflow import operations, transitions
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, Signal, TaskRun, WaitingForApproval
from workflow.models.states import ENDED
from workflow.operators import Action, perform
from workflow.transitions import events

pytestmark = pytest.mark.django_db(transaction=True)


def goes_on(instance: RunningProcesses) -> RunningProcesses:
    run_until_idle()
    instance.refresh_from_db()
    return instance


def started(text: str, name: str = "P") -> RunningProcesses:
    process(name, {"A": code(text)}, (1, "A"))
    return goes_on(operations.start(name))


class TestKeptSignals:
    @pytest.fixture
    def other(self) -> RunningProcesses:
        return started("wait_for('something else')", "Other")

    def test_a_call_takes_none_of_another_name(self) -> None:
        operations.signal("letter", 1)
        instance = started("data['got'] = wait_for('parcel')")
        assert instance.state == InstanceState.WAITING
        assert ours(Signal).get().payload == 1
        operations.signal("parcel", 2)
        assert goes_on(instance).data == {"got": 2}

    def test_a_call_takes_none_that_was_sent_to_another_instance_or_process(self, other: RunningProcesses) -> None:
        process("P", {"A": code("data['got'] = wait_for('parcel')")}, (1, "A"))
        operations.signal("parcel", 1, instance=other.pk)
        operations.signal("parcel", 2, process="Other")
        instance = goes_on(operations.start("P"))
        assert instance.state == InstanceState.WAITING
        assert ours(Signal).count() == 2

    def test_the_oldest_is_taken_first_and_only_that(self) -> None:
        operations.signal("parcel", 1)
        operations.signal("parcel", 2)
        assert started("data['got'] = wait_for('parcel')").data == {"got": 1}
        assert ours(Signal).get().payload == 2


class TestChildren:
    def test_a_late_child_does_not_answer_a_later_call(self, effects: Path) -> None:
        process("Child", {"A": code("fail_first(1)\n'late'")}, (1, "A"))
        parent = started(
            "try:\n    run_process('Child')\nexcept RuntimeError:\n    pass\ndata['got'] = wait_for('news')"
        )
        assert parent.state == InstanceState.WAITING
        child = ours(RunningProcesses).get(process_name="Child")
        perform(child.pk, Action.RETRY)
        assert goes_on(child).state == InstanceState.FINISHED
        parent.refresh_from_db()
        assert (parent.state, parent.task_runs.get().state) == (InstanceState.WAITING, RunState.SUSPENDED)
        operations.signal("news", "good")
        assert goes_on(parent).data == {"got": "good"}

    def test_a_call_is_answered_once_all_of_its_children_have_ended(self) -> None:
        process("Child", {"Sign": manual()}, (1, "Sign"))
        parent = started("data['got'] = len(run_all([('Child', {}), ('Child', {})]))")
        first, second = ours(WaitingForApproval).order_by("pk")
        operations.approve(first)
        assert goes_on(parent).state == InstanceState.WAITING
        operations.approve(second)
        assert goes_on(parent).data == {"got": 2}

    def test_what_a_task_started_is_cancelled_with_it_and_nothing_else(self) -> None:
        """Neither what has ended, nor what another task has started; and all below it, too."""
        process("Below", {"Sign": manual()}, (1, "Sign"))
        process("Child", {"A": code("run_process('Below')")}, (1, "A"))
        process("Quick", {"A": code("1")}, (1, "A"))
        text = "run_process('Quick')\nrun_process('Child')"
        one, other = started(text), goes_on(operations.start("P"))
        perform(one.pk, Action.CANCEL)
        run_until_idle()

        def below(top: RunningProcesses) -> dict[str, str]:
            children = ours(RunningProcesses).filter(parent__run__instance=top)
            found = {child.process_name: str(child.state) for child in children}
            for child in children:
                found |= below(child)
            return found

        assert below(one) == {"Quick": "FINISHED", "Child": "CANCELLED", "Below": "CANCELLED"}
        assert below(other) == {"Quick": "FINISHED", "Child": "WAITING", "Below": "WAITING"}
        assert ours(WaitingForApproval).count() == 1
        child = ours(RunningProcesses).get(parent__run__instance=one, process_name="Child")
        assert outline(child) == [(1, 1, "A", "CANCELLED")]
        call = ActionCall.objects.get(run__instance=child)
        assert call.error == {"type": "Unanswered", "message": "The task ended while this call waited."}


class TestAnswering:
    def test_only_the_call_at_which_the_run_stands_is_answered(self) -> None:
        one, other = started("wait_for('a')\nwait_for('b')"), goes_on(operations.start("P"))
        operations.signal("a", "first", instance=one.pk)
        run_until_idle()
        run = one.task_runs.get()
        with transaction.atomic():
            assert events.answer_call(run, "second", now=timezone.now())
            assert not events.answer_call(run, "third", now=timezone.now()), "it stands at no call any more"
        assert list(run.calls.order_by("number").values_list("result", flat=True)) == ["first", "second"]
        assert ActionCall.objects.get(run__instance=other).ended_at is None

    def test_a_run_that_waits_no_more_is_not_decided(self) -> None:
        process("P", {"Sign": manual()}, (1, "Sign"))
        one, other = goes_on(operations.start("P")), goes_on(operations.start("P"))
        run = one.task_runs.get()
        given: dict[str, Any] = {"result": {"comment": "so"}, "changes": None, "by": None, "origin": {}}
        now = timezone.now()
        with transaction.atomic():
            assert events.decide_run(run, state=RunState.FINISHED, now=now, **given)
            assert not events.decide_run(run, state=RunState.REJECTED, now=now, **given)
        run.refresh_from_db()
        assert (run.state, run.comment, run.ended_at, run.due_at) == (RunState.FINISHED, "so", now, None)
        assert WaitingForApproval.objects.filter(rpid=other).exists()
        assert not WaitingForApproval.objects.filter(rpid=one).exists()


class TestRedirecting:
    def test_who_held_it_holds_it_no_more(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        one, other = operations.start("P"), operations.start("P")
        now = timezone.now()
        transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=2, processes=["P"])
        perform(one.pk, Action.PAUSE)
        one.refresh_from_db()
        assert (one.state, one.owner, one.fence, one.due_at) == (InstanceState.PAUSED, "", 2, None)
        other.refresh_from_db()
        assert (other.state, other.owner, other.fence) == (InstanceState.RUNNING, "me", 1)

    def test_what_goes_on_is_due_at_once_and_in_no_error(self) -> None:
        instance = started("1 / 0")
        assert instance.error is not None
        assert instance.ended_at is not None
        perform(instance.pk, Action.RETRY)
        instance.refresh_from_db()
        assert (instance.state, instance.error, instance.ended_at) == (InstanceState.READY, None, None)
        assert instance.due_at is not None
        assert abs(instance.due_at - timezone.now()) < timedelta(seconds=100)


class TestWaking:
    @pytest.mark.parametrize("state", InstanceState)
    def test_it_makes_ready_only_what_waits_and_no_other(self, state: InstanceState) -> None:
        """One that is held stays so, but its engine is told; what has ended stays as it is."""
        process("P", {"A": code("1")}, (1, "A"))
        one, other = operations.start("P"), operations.start("P")
        then = timezone.now() - timedelta(days=1)
        due = None if state in ENDED else then
        RunningProcesses.objects.filter(pk__in=[one.pk, other.pk]).update(
            state=state, due_at=due, ended_at=then if state in ENDED else None
        )
        with transaction.atomic():
            transitions.wake(one)
        one.refresh_from_db()
        other.refresh_from_db()
        assert (other.state, other.events, other.due_at) == (state, 0, due)
        assert one.state == ("READY" if state == "WAITING" else state)
        assert one.events == (0 if state in ENDED else 1)
        assert (one.due_at == due) == (state != "WAITING")


class TestReplacingSnapshots:
    def test_only_an_engine_that_holds_one_is_told(self) -> None:
        one = started("wait_for('a')")
        others = [goes_on(operations.start("P")) for _ in range(2)]
        RunningProcesses.objects.filter(pk__in=[one.pk, others[0].pk]).update(
            state=InstanceState.RUNNING, due_at=timezone.now()
        )
        before = {each.pk: each.events for each in (one, *others)}
        runs = list(TaskRun.objects.filter(instance__in=[one, others[1]]))
        for run in runs:
            run.snapshot = b"anew"
        transitions.replace_snapshots(runs)
        after = dict(ours(RunningProcesses).values_list("pk", "events"))
        assert after == {**before, one.pk: before[one.pk] + 1}
        kept = {run.instance_id: bytes(run.snapshot) for run in ours(TaskRun)}
        assert kept.pop(others[0].pk) != b"anew"
        assert set(kept.values()) == {b"anew"}


class TestReopening:
    @pytest.fixture
    def run(self) -> TaskRun:
        """One that failed at its first call, in its second attempt."""
        process("P", {"A": code("fail_first(9)", max_attempts=1)}, (1, "A"))
        goes_on(operations.start("P"))
        instance = goes_on(operations.start("P"))
        run = instance.task_runs.get()
        TaskRun.objects.filter(pk=run.pk).update(begun=3, deadline=timezone.now(), attempt=2)
        run.refresh_from_db()
        return run

    @pytest.fixture(autouse=True)
    def _effects(self, effects: Path) -> None:
        """For what fails."""

    def test_it_goes_on_in_another_attempt_at_its_call(self, run: TaskRun) -> None:
        transitions.reopen(run)
        before, after = run, TaskRun.objects.get(pk=run.pk)
        assert (after.state, after.error, after.ended_at, after.due_at) == (RunState.PENDING, None, None, None)
        assert (after.attempt, after.first_attempt, after.begun, after.deadline) == (3, 1, 0, None)
        assert (after.call_number, bytes(after.snapshot)) == (before.call_number, bytes(before.snapshot))
        assert before.call_number == 1

    def test_restarted_it_forgets_where_it_stood(self, run: TaskRun) -> None:
        transitions.reopen(run, restart=True)
        after = TaskRun.objects.get(pk=run.pk)
        assert (after.attempt, after.first_attempt, after.call_number, bytes(after.snapshot)) == (3, 3, 0, b"")

    def test_it_may_be_taken_for_finished(self, run: TaskRun) -> None:
        transitions.reopen(run, finish_with=({"by": "hand"},))
        after = TaskRun.objects.get(pk=run.pk)
        assert (after.state, after.result, after.changes, after.error) == ("FINISHED", {"by": "hand"}, None, None)
        assert (after.attempt, after.ended_at) == (2, run.ended_at)

    def test_no_other_is(self, run: TaskRun) -> None:
        transitions.reopen(run)
        assert ours(TaskRun).exclude(pk=run.pk).get().state == RunState.FAILED

"""What operators do to instances, whatever engines do meanwhile."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from tests.build import code, manual, outline, process, run_until_idle
from workflow import operations, operators, transitions
from workflow.errors import BadData, NoSuchInstance, NotAllowed, NotPermitted
from workflow.models import ActionCall, InstanceState, Intervention, RunningProcesses, TaskRun, WaitingForApproval
from workflow.operators import Action

pytestmark = pytest.mark.django_db(transaction=True)


def started(*rows: Any, **tasks: Any) -> RunningProcesses:
    process("P", tasks, *rows)
    return goes_on(operations.start("P"))


def goes_on(instance: RunningProcesses) -> RunningProcesses:
    run_until_idle()
    instance.refresh_from_db()
    return instance


def failing() -> RunningProcesses:
    """One that fails at its second call, with a manual task beside it."""
    text = "note('once')\nfail_first(1)\nnote('end')\n'done'"
    return started((1, "Work"), (1, "Sign"), (2, "End"), Work=code(text), Sign=manual(), End=code("results['Work']"))


class TestCancel:
    def test_it_ends_the_instance_and_takes_back_what_waits(self) -> None:
        instance = started((1, "Sign"), Sign=manual())
        operators.perform(instance.pk, Action.CANCEL, reason="by mistake")
        instance.refresh_from_db()
        assert (instance.state, instance.due_at) == (InstanceState.CANCELLED, None)
        assert instance.ended_at is not None
        assert outline(instance) == [(1, 1, "Sign", "CANCELLED")]
        assert not WaitingForApproval.objects.exists()

    def test_an_engine_that_holds_it_writes_nothing_any_more(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instance = operations.start("P")
        now = timezone.now()
        (held,) = transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=1)
        operators.perform(instance.pk, Action.CANCEL)
        done = transitions.Turn(state=InstanceState.FINISHED, fields={"ended_at": now})
        assert transitions.apply(transitions.lease_of(held), done) is transitions.Applied.LOST
        assert goes_on(instance).state == InstanceState.CANCELLED


class TestPause:
    def test_nothing_happens_until_it_is_resumed_and_no_decision_is_lost(self) -> None:
        instance = started((1, "Sign"), (2, "End"), Sign=manual(), End=code("1"))
        operators.perform(instance.pk, Action.PAUSE)
        operations.approve(WaitingForApproval.objects.get())
        assert goes_on(instance).state == InstanceState.PAUSED
        operators.perform(instance.pk, Action.RESUME)
        assert goes_on(instance).state == InstanceState.FINISHED

    def test_a_sleeper_sleeps_on(self) -> None:
        instance = started((1, "A"), A=code("sleep(hours=1)"))
        operators.perform(instance.pk, Action.PAUSE)
        operators.perform(instance.pk, Action.RESUME)
        assert goes_on(instance).state == InstanceState.WAITING
        assert instance.due_at == instance.task_runs.get().due_at


class TestRetry:
    def test_it_goes_on_where_it_failed_with_what_was_cancelled_beside_it(self, effects: Path) -> None:
        instance = failing()
        assert outline(instance) == [(1, 1, "Work", "FAILED"), (1, 1, "Sign", "CANCELLED")]
        plan = operators.plan(instance.pk, Action.RETRY)
        assert [effect.split(" -> ")[0] for effect in plan.happened] == ['note("once")', "fail_first(1)"]
        assert [effect.split(" -> ")[0] for effect in plan.again] == ["fail_first(1)"]
        operators.perform(instance.pk, Action.RETRY, reason="the line is back")
        assert goes_on(instance).state == InstanceState.WAITING
        operations.approve(WaitingForApproval.objects.get())
        assert goes_on(instance).state == InstanceState.FINISHED
        assert instance.error is None
        assert instance.results["End"] == "done"
        assert effects.read_text() == "once\nend\n"

    def test_restart_makes_every_call_again_under_other_keys(self, effects: Path) -> None:
        instance = failing()
        plan = operators.plan(instance.pk, Action.RESTART)
        assert len(plan.again) == 2
        operators.perform(instance.pk, Action.RESTART)
        goes_on(instance)
        assert effects.read_text() == "once\nonce\nend\n"
        assert TaskRun.objects.get(task_name="Work").state == "FINISHED"

    def test_skip_takes_the_task_for_done_with_that_result(self, effects: Path) -> None:
        instance = failing()
        operators.perform(instance.pk, Action.SKIP, result={"by": "hand"})
        goes_on(instance)
        operations.approve(WaitingForApproval.objects.get())
        assert goes_on(instance).results["End"] == {"by": "hand"}
        assert effects.read_text() == "once\n"

    def test_what_failed_on_entry_is_evaluated_again(self) -> None:
        instance = started((1, "Sign"), Sign=manual("=data['who']"))
        assert instance.state == InstanceState.FAILED
        RunningProcesses.objects.update(data={"who": "anna"})
        operators.perform(instance.pk, Action.RETRY)
        assert goes_on(instance).state == InstanceState.FAILED
        assert "no active user or group" in instance.error["message"]


class TestGoto:
    def test_it_enters_that_step_anew(self) -> None:
        instance = started((10, "Sign"), (20, "Skipped"), (30, "End"), Sign=manual(), Skipped=code("1"), End=code("2"))
        operators.perform(instance.pk, Action.GOTO, to=30)
        assert goes_on(instance).state == InstanceState.FINISHED
        assert outline(instance) == [(1, 10, "Sign", "CANCELLED"), (2, 30, "End", "FINISHED")]

    def test_a_step_that_is_none_is_an_error(self) -> None:
        instance = started((10, "Sign"), Sign=manual())
        with pytest.raises(BadData, match=r"goto needs one of the steps of P v1: 10; not 20\."):
            operators.perform(instance.pk, Action.GOTO, to=20)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (Action.RETRY, "is FINISHED; retry takes one that is FAILED"),
        (Action.RESUME, "is FINISHED; resume takes one that is PAUSED"),
        (Action.CANCEL, "is FINISHED; cancel takes one that is PAUSED or READY or RUNNING or WAITING"),
    ],
)
def test_what_the_state_does_not_permit_is_refused_and_says_what_would(action: Action, message: str) -> None:
    instance = started((1, "A"), A=code("1"))
    with pytest.raises(NotPermitted, match=message):
        operators.perform(instance.pk, action)
    assert not Intervention.objects.exists()


def test_all_instances_or_none() -> None:
    first = started((1, "Sign"), Sign=manual())
    with pytest.raises(NoSuchInstance):
        operators.perform_all([first.pk, 4711], Action.CANCEL)
    first.refresh_from_db()
    assert first.state == InstanceState.WAITING


def test_who_has_no_right_to_it_changes_nothing(django_user_model: Any) -> None:
    anna = django_user_model.objects.create_user("anna", is_staff=True)
    instance = started((10, "Sign"), Sign=manual())
    with pytest.raises(NotAllowed, match="anna may not do this .* workflow.operate_instances"):
        operators.perform(instance.pk, Action.CANCEL, by=anna)
    instance.refresh_from_db()
    assert instance.state == "WAITING"
    anna.user_permissions.add(Permission.objects.get(codename="operate_instances"))
    operators.perform(instance.pk, Action.CANCEL, by=django_user_model.objects.get(username="anna"))


def test_who_and_why_are_kept(django_user_model: Any) -> None:
    olga = django_user_model.objects.create_superuser("olga")
    instance = started((10, "Sign"), Sign=manual())
    operators.perform(instance.pk, Action.GOTO, to=10, by=olga, reason="once more")
    done = Intervention.objects.get()
    assert (done.instance, done.action, done.details, done.by, done.reason) == (
        instance,
        "goto",
        "step 10",
        olga,
        "once more",
    )
    assert ActionCall.objects.count() == 0

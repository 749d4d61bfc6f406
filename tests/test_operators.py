"""What operators do to instances, whatever engines do meanwhile."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from tests.beside import *  # noqa: F403
from tests.build import code, manual, outline, process, run_until_idle
from tests.own import ours
from tests.users import User
from workflow import operations, operators, transitions
from workflow.errors import BadData, NoSuchInstance, NotAllowed, NotPermitted
from workflow.models import (
    ActionCall,
    InstanceState,
    Intervention,
    Process,
    RunningProcesses,
    TaskRun,
    WaitingForApproval,
)
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
        assert not ours(WaitingForApproval).exists()

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
        operations.approve(ours(WaitingForApproval).get())
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
        operations.approve(ours(WaitingForApproval).get())
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
        assert ours(TaskRun).get(task_name="Work").state == "FINISHED"

    def test_skip_takes_the_task_for_done_with_that_result(self, effects: Path) -> None:
        instance = failing()
        operators.perform(instance.pk, Action.SKIP, result={"by": "hand"})
        goes_on(instance)
        operations.approve(ours(WaitingForApproval).get())
        assert goes_on(instance).results["End"] == {"by": "hand"}
        assert effects.read_text() == "once\n"

    def test_what_failed_on_entry_is_evaluated_again(self) -> None:
        instance = started((1, "Sign"), Sign=manual("=data['who']"))
        assert instance.state == InstanceState.FAILED
        ours(RunningProcesses).update(data={"who": "anna"})
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
    assert not ours(Intervention).exists()


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
    operators.perform(instance.pk, Action.CANCEL, by=django_user_model.objects.get_by_natural_key("anna"))


def test_who_and_why_are_kept(django_user_model: Any) -> None:
    olga = django_user_model.objects.create_superuser("olga")
    instance = started((10, "Sign"), Sign=manual())
    operators.perform(instance.pk, Action.GOTO, to=10, by=olga, reason="once more")
    done = ours(Intervention).get()
    assert (done.instance, done.action, done.details, done.by, done.reason) == (
        instance,
        "goto",
        "step 10, passing over 'Sign'",
        olga,
        "once more",
    )
    assert ours(ActionCall).count() == 0


def an_operator(name: str, *permissions: str) -> Any:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["operate_instances", *permissions]))
    return User.objects.get(pk=user.pk)


APPROVED = {"Sign": manual("anna"), "Pay": code("'paid'"), "End": code("1")}
ROWS = [(10, "Sign"), (20, "Pay"), (30, "End")]


class TestPassingOver:
    """To go past what people have not decided amounts to deciding it."""

    @pytest.fixture(autouse=True)
    def anna(self) -> Any:
        return User.objects.create_user("anna")

    @pytest.fixture
    def olga(self) -> Any:
        return an_operator("olga")

    @pytest.fixture
    def otto(self) -> Any:
        return an_operator("otto", "override_decision")

    def test_goto_takes_a_permission_and_a_reason(self, olga: Any, otto: Any) -> None:
        instance = started(*ROWS, **APPROVED)
        bystander = operations.start("P")
        run_until_idle()
        for by, reason, error, message in [
            (
                olga,
                "urgent",
                NotAllowed,
                "olga may not pass over 'Sign', which nobody has decided: .*override_decision",
            ),
            (otto, "", BadData, "This passes over 'Sign', which nobody has decided. Give a reason"),
            (otto, " \n", BadData, "Give a reason"),
        ]:
            with pytest.raises(error, match=message):
                operators.perform(instance.pk, Action.GOTO, to=20, by=by, reason=reason)
            assert goes_on(instance).state == InstanceState.WAITING
        assert not ours(Intervention).exists()
        operators.perform(instance.pk, Action.GOTO, to=20, by=otto, reason="on paper")
        assert goes_on(instance).state == InstanceState.FINISHED
        done = ours(Intervention).get()
        assert (done.by, done.details, done.reason) == (otto, "step 20, passing over 'Sign'", "on paper")
        assert ours(WaitingForApproval).get().rpid == bystander

    def test_the_program_may_and_the_history_says_so(self) -> None:
        instance = started(*ROWS, **APPROVED)
        operators.perform(instance.pk, Action.GOTO, to=30)
        done = ours(Intervention).get()
        assert (done.by, done.details) == (None, "step 30, passing over 'Sign'")

    def test_before_an_engine_has_entered_the_step(self, olga: Any) -> None:
        process("P", APPROVED, *ROWS)
        instance = operations.start("P")
        with pytest.raises(NotAllowed, match="may not pass over 'Sign'"):
            operators.perform(instance.pk, Action.GOTO, to=20, by=olga, reason="x")

    def test_what_comes_later_and_what_was_cancelled_beside_a_failure(self, olga: Any, effects: Path) -> None:
        instance = failing()
        with pytest.raises(NotAllowed, match="may not pass over 'Sign'"):
            operators.perform(instance.pk, Action.GOTO, to=2, by=olga, reason="x")
        operators.perform(instance.pk, Action.SKIP, by=olga)  # the other one opens again
        assert goes_on(instance).state == InstanceState.WAITING

    def test_what_is_decided_is_passed_by_who_operates(self, olga: Any) -> None:
        instance = started(*ROWS, **{**APPROVED, "Pay": code("1/0")})
        operations.approve(ours(WaitingForApproval).get())
        assert goes_on(instance).state == InstanceState.FAILED
        operators.perform(instance.pk, Action.GOTO, to=30, by=olga)
        assert ours(Intervention).get().details == "step 30"
        assert goes_on(instance).state == InstanceState.FINISHED

    def test_plan_tells_it_without_doing_it(self) -> None:
        instance = started(*ROWS, **APPROVED)
        assert operators.plan(instance.pk, Action.GOTO, to=30).passes_over == ("Sign",)
        assert operators.plan(instance.pk, Action.CANCEL).passes_over == ()

    def test_a_failed_manual_task_is_skipped_by_a_decision_alone(self, olga: Any, otto: Any) -> None:
        instance = started((10, "Sign"), (20, "End"), Sign=manual("=data['who']"), End=code("1"))
        assert instance.state == InstanceState.FAILED
        assert operators.plan(instance.pk, Action.SKIP).passes_over == ("Sign",)
        with pytest.raises(NotAllowed, match="may not pass over 'Sign'"):
            operators.perform(instance.pk, Action.SKIP, by=olga, result={"approved": True}, reason="x")
        operators.perform(instance.pk, Action.SKIP, by=otto, result={"approved": True}, reason="on paper")
        assert ours(Intervention).get().details == "passing over 'Sign', with {\"approved\": true}"
        assert goes_on(instance).state == InstanceState.FINISHED

    def test_code_that_stands_at_a_question(self, olga: Any) -> None:
        instance = started((10, "Ask"), (20, "End"), Ask=code("approval('anna', 'Well?')\n1/0"), End=code("1"))
        with pytest.raises(NotAllowed, match="may not pass over 'Ask'"):
            operators.perform(instance.pk, Action.GOTO, to=20, by=olga, reason="x")
        operations.approve(ours(WaitingForApproval).get())
        assert goes_on(instance).state == InstanceState.FAILED
        operators.perform(instance.pk, Action.SKIP, by=olga)
        assert goes_on(instance).state == InstanceState.FINISHED

    def test_code_that_failed_at_a_question_or_before_it(self, olga: Any) -> None:
        text = "if data.get('late'):\n    1/0\napproval('nobody', 'Well?')"
        instance = started((10, "Ask"), (20, "End"), Ask=code(text), End=code("1"))
        late = operations.start("P", {"late": True})
        run_until_idle()
        for one in (instance, late):
            with pytest.raises(NotAllowed, match="may not pass over 'Ask'"):
                operators.perform(one.pk, Action.SKIP, by=olga, reason="x")
            operators.perform(one.pk, Action.RETRY, by=olga)

    def test_what_a_sub_process_asks(self, olga: Any) -> None:
        below = process("Below", {"Sign": manual("anna")}, (1, "Sign"))
        process("Plain", {"A": code("1")}, (1, "A"))
        tasks = {
            "Sub": {"subprocess": below},
            "Plain": {"subprocess": Process.objects.get(name="Plain")},
            "End": code("1"),
        }
        instance = started((10, "Plain"), (20, "Sub"), (30, "End"), **tasks)
        assert instance.step == 20
        with pytest.raises(NotAllowed, match="may not pass over 'Sub'"):
            operators.perform(instance.pk, Action.GOTO, to=30, by=olga, reason="x")
        assert operators.plan(instance.pk, Action.GOTO, to=10).passes_over == ("Sub",)
        assert ours(WaitingForApproval).count() == 1

    def test_what_a_sub_process_would_ask_that_was_never_started(self) -> None:
        below = process("Below", {"Sign": manual("anna")}, (1, "Sign"))
        instance = started((10, "Sub"), (20, "End"), Sub={"subprocess": below}, End=code("1"))
        ours(RunningProcesses).filter(parent__isnull=False).delete()
        assert operators.plan(instance.pk, Action.GOTO, to=20).passes_over == ("Sub",)

    def test_what_a_sub_process_that_has_not_begun_would_ask(self) -> None:
        below = process("Below", {"Sign": manual("anna")}, (1, "Sign"))
        plain = process("Plain", {"A": code("1")}, (1, "A"))
        tasks = {
            "A": code("sleep(days=1)"),
            "Sub": {"subprocess": below},
            "Plain": {"subprocess": plain},
            "End": code("1"),
        }
        instance = started((10, "A"), (20, "Sub"), (30, "Plain"), (40, "End"), **tasks)
        assert operators.plan(instance.pk, Action.GOTO, to=40).passes_over == ("Sub",)

    def test_all_or_none(self, otto: Any, olga: Any) -> None:
        first = started(*ROWS, **APPROVED)
        other = operations.start("P", user=otto)
        run_until_idle()
        with pytest.raises(NotAllowed, match="otto started instance"):
            operators.perform_all([first.pk, other.pk], Action.GOTO, to=20, by=otto, reason="x")
        assert ours(WaitingForApproval).count() == 2


class TestTheirOwn:
    """Nobody but a superuser operates on an instance that they started."""

    @pytest.mark.parametrize("action", list(Action))
    def test_whatever_it_is(self, action: Action) -> None:
        olga = an_operator("olga", "override_decision")
        process("P", {"A": code("1/0" if action in operators.FROM else "approval('olga', 'x')")}, (1, "A"))
        mine, other = operations.start("P", user=olga), operations.start("P")
        run_until_idle()
        if action == Action.RESUME:
            ours(RunningProcesses).update(state="PAUSED", ended_at=None, error=None)
        to = 1 if action == Action.GOTO else None
        before = list(ours(RunningProcesses).values())
        with pytest.raises(NotAllowed, match=f"olga started instance {mine.pk}, or .* ask another operator"):
            operators.perform(mine.pk, action, by=olga, reason="x", to=to)
        assert list(ours(RunningProcesses).values()) == before
        operators.perform(other.pk, action, by=olga, reason="x", to=to)
        operators.perform(mine.pk, action, by=User.objects.create_superuser("root"), reason="x", to=to)

    def test_a_superuser_may_operate_on_their_own(self) -> None:
        root = User.objects.create_superuser("root")
        process("P", APPROVED, *ROWS)
        User.objects.create_user("anna")
        instance = operations.start("P", user=root)
        operators.perform(instance.pk, Action.PAUSE, by=root)

    def test_what_it_has_started_is_theirs_too(self) -> None:
        olga = an_operator("olga")
        process("Below", {"A": code("approval('olga', 'x')")}, (1, "A"))
        process("Above", {"A": code("run_process('Below')")}, (1, "A"))
        operations.start("Above", user=olga)
        run_until_idle()
        child = ours(RunningProcesses).get(process_name="Below")
        ours(RunningProcesses).filter(pk=child.pk).update(started_by=None)  # also if another user had started it
        with pytest.raises(NotAllowed, match=f"olga started instance {child.pk}, or the one that started it"):
            operators.perform(child.pk, Action.CANCEL, by=olga)
        with pytest.raises(NotAllowed):
            operations.delegate(ours(WaitingForApproval).get(), User.objects.create_user("emil"), an_operator("otto"))


def test_a_reason_that_no_database_keeps_is_refused() -> None:
    instance = started((1, "A"), A=code("sleep(hours=1)"))
    with pytest.raises(BadData, match="reason"):
        operators.perform(instance.pk, Action.PAUSE, reason="a\0b")
    assert not ours(Intervention).exists()


def test_very_many_are_told_in_short() -> None:
    tasks = {f"Sign {number} {'x' * 150}": manual() for number in range(30)}
    process("P", {**tasks, "End": code("1")}, *[(number + 1, name) for number, name in enumerate(tasks)], (100, "End"))
    instance = operations.start("P")
    operators.perform(instance.pk, Action.GOTO, to=100, reason="y" * 100_000)
    done = ours(Intervention).get()
    assert done.details.startswith("step 100, passing over 'Sign 0 xxx")
    assert done.details.endswith(" and 28 more")

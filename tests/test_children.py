"""What operators are told of instances that others have started, so that nothing is done twice without their knowing."""

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from tests.beside import *  # noqa: F403
from tests.build import code, manual, process, run_until_idle
from tests.locks import locked
from tests.own import ours
from workflow import operations, operators
from workflow.errors import NotPermitted
from workflow.models import Intervention, RunningProcesses
from workflow.operators import Action

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("effects")]

SUB, ALL = "subprocess", "run_all"


@pytest.fixture(params=[SUB, ALL])
def parent(request: pytest.FixtureRequest) -> RunningProcesses:
    """An instance that failed because what it has started has failed, after a call; and a bystander in the same position."""
    child = process("Pay", {"Charge": code("note('charged')\nfail_first(99)")}, (1, "Charge"))
    task = {"subprocess": child} if request.param == SUB else code("run_all([('Pay', {}), ('Pay', {})])")
    process("Order", {"Pay": task}, (1, "Pay"))
    bystander, instance = operations.start("Order"), operations.start("Order")
    run_until_idle()
    assert set(ours(RunningProcesses).values_list("state", flat=True)) == {"FAILED"}
    assert bystander.pk < instance.pk
    instance.refresh_from_db()
    return instance


def children(instance: RunningProcesses) -> list[RunningProcesses]:
    return list(ours(RunningProcesses).filter(parent__run__instance=instance).order_by("pk"))


def calls(effects: list[str] | Any) -> list[str]:
    return [effect.split(" -> ")[0] for effect in effects]


@pytest.mark.parametrize("action", [Action.RETRY, Action.RESTART])
def test_the_plan_of_a_parent_tells_what_its_new_children_would_do_again(
    parent: RunningProcesses, action: Action
) -> None:
    plan = operators.plan(parent.pk, action)
    old = children(parent)
    assert calls(plan.again[1:]) == ['note("charged")', "fail_first(99)"] * len(old)
    assert {effect.rpartition(" ")[2] for effect in plan.again[1:]} == {str(one.pk) for one in old}
    (warning,) = plan.warnings
    listed = ", ".join(f"{one.pk} (Pay, FAILED)" for one in old)
    assert warning == f"Starts new instances in place of these, and no longer waits for these: {listed}."


def test_the_plan_of_a_child_tells_that_nobody_waits_for_it(parent: RunningProcesses) -> None:
    old = children(parent)[0]
    plan = operators.plan(old.pk, Action.RETRY)
    assert plan.warnings == [
        f"Instance {parent.pk}, which started instance {old.pk}, no longer waits for it, and does not learn what it does. "
        f"If instance {parent.pk} is retried, it starts another instance, which makes all these calls again."
    ]
    operators.perform(old.pk, Action.RETRY)


@pytest.mark.parametrize("action", [Action.RETRY, Action.RESTART, Action.SKIP, Action.GOTO])
def test_an_old_child_does_not_go_on_beside_the_one_in_its_place(
    parent: RunningProcesses, effects: Path, action: Action
) -> None:
    old, to = children(parent)[0], 1 if action == Action.GOTO else None
    operators.perform(parent.pk, Action.RETRY)
    with pytest.raises(
        NotPermitted, match=f"{parent.pk} is about to start another instance in place of instance {old.pk}"
    ):
        operators.perform(old.pk, action, to=to)
    run_until_idle()
    new = children(parent)[-1]
    before = effects.read_text()
    (warning,) = operators.plan(old.pk, action, to=to).warnings
    with pytest.raises(
        NotPermitted, match=f"was started in place of instance {old.pk}, and makes the same calls"
    ) as told:
        operators.perform(old.pk, action, to=to)
    assert str(told.value) == warning
    old.refresh_from_db()
    assert old.state == "FAILED"
    run_until_idle()
    assert effects.read_text() == before
    assert not ours(Intervention).filter(instance=old).exists()
    operators.perform(new.pk, action, to=to)


@pytest.mark.parametrize("action", [Action.RETRY, Action.RESTART])
@pytest.mark.parametrize("is_paused", [False, True])
def test_no_other_is_started_in_place_of_a_child_that_was_retried_and_has_not_ended(
    parent: RunningProcesses, effects: Path, action: Action, *, is_paused: bool
) -> None:
    old = children(parent)[-1]
    operators.perform(old.pk, Action.RESTART)
    if is_paused:
        operators.perform(old.pk, Action.PAUSE)
    before = effects.read_text()
    (warning,) = operators.plan(parent.pk, action).warnings
    with pytest.raises(NotPermitted, match=rf"Instance {old.pk} \(Pay\).* has not ended") as told:
        operators.perform(parent.pk, action)
    assert str(told.value) == warning
    parent.refresh_from_db()
    assert parent.state == "FAILED"
    assert effects.read_text() == before
    operators.perform(old.pk, Action.CANCEL)
    operators.perform(parent.pk, action)


def test_no_other_is_started_in_place_of_one_below_which_something_has_not_ended() -> None:
    inner = process("Charge", {"Card": code("1 / 0")}, (1, "Card"))
    middle = process("Pay", {"Sub": {"subprocess": inner}}, (1, "Sub"))
    process("Order", {"Pay": {"subprocess": middle}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (child,) = children(instance)
    (grandchild,) = children(child)
    operators.perform(grandchild.pk, Action.RETRY)
    with pytest.raises(NotPermitted, match=rf"Instance {grandchild.pk} \(Charge\), which is READY, has not ended"):
        operators.perform(instance.pk, Action.RETRY)
    run_until_idle()
    operators.perform(instance.pk, Action.RETRY)


def test_one_below_an_old_child_does_not_go_on_either() -> None:
    inner = process("Charge", {"Card": code("1 / 0")}, (1, "Card"))
    middle = process("Pay", {"Sub": {"subprocess": inner}}, (1, "Sub"))
    process("Order", {"Pay": {"subprocess": middle}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (child,) = children(instance)
    (grandchild,) = children(child)
    operators.perform(instance.pk, Action.RETRY)
    with pytest.raises(NotPermitted, match=f"is about to start another instance in place of instance {child.pk}"):
        operators.perform(grandchild.pk, Action.RETRY)
    run_until_idle()
    new = children(instance)[-1]
    with pytest.raises(
        NotPermitted, match=f"Instance {new.pk}, which is FAILED, was started in place of instance {child.pk}"
    ):
        operators.perform(grandchild.pk, Action.RETRY)
    operators.perform(children(new)[0].pk, Action.RETRY)


def test_one_whose_parent_waits_for_another_attempt_is_left_alone_as_well() -> None:
    child = process("Pay", {"Charge": code("fail_first(99)")}, (1, "Charge"))
    process("Order", {"Pay": {"subprocess": child, "max_attempts": 2, "retry_delay": 3_600.0}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (old,) = children(instance)
    with pytest.raises(NotPermitted, match="is about to start another instance"):
        operators.perform(old.pk, Action.RETRY)


def test_once_the_one_in_its_place_is_cancelled_an_old_child_may_go_on() -> None:
    child = process("Pay", {"Charge": code("1 / data.get('n', 0)\nwait_for('paid')")}, (1, "Charge"))
    process("Order", {"Pay": {"subprocess": child}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    ours(RunningProcesses).filter(pk=instance.pk).update(data={"n": 1})
    operators.perform(instance.pk, Action.RETRY)
    run_until_idle()
    old, new = children(instance)
    assert (old.state, new.state) == ("FAILED", "WAITING")
    with pytest.raises(NotPermitted, match=f"Instance {new.pk}, which is WAITING, was started in place"):
        operators.perform(old.pk, Action.RETRY)
    operators.perform(new.pk, Action.CANCEL)
    run_until_idle()
    operators.perform(old.pk, Action.RETRY)


def order(*rows: tuple[Any, ...], **tasks: dict[str, Any]) -> RunningProcesses:
    """An instance that failed at step 10, since what it has started there has; with other tasks, at other steps."""
    child = process("Pay", {"Charge": code("note('charged')\nfail_first(1)\nwait_for('paid')")}, (1, "Charge"))
    process("Order", {"Pay": {"subprocess": child}, "Ask": manual(), **tasks}, (10, "Pay"), *rows)
    instance = operations.start("Order")
    run_until_idle()
    instance.refresh_from_db()
    assert (instance.state, instance.step) == ("FAILED", 10)
    return instance


@pytest.mark.parametrize("action", [Action.RETRY, Action.RESTART, Action.SKIP, Action.GOTO])
def test_an_old_child_does_not_go_on_once_its_parent_was_sent_back(
    parent: RunningProcesses, effects: Path, action: Action
) -> None:
    old, to = children(parent)[0], 1 if action == Action.GOTO else None
    operators.perform(parent.pk, Action.GOTO, to=1)
    with pytest.raises(
        NotPermitted, match=f"{parent.pk} is about to start another instance in place of instance {old.pk}"
    ):
        operators.perform(old.pk, action, to=to)
    run_until_idle()
    new = children(parent)[len(children(parent)) // 2]
    before = effects.read_text()
    with pytest.raises(NotPermitted, match=f"Instance {new.pk}, which is FAILED, was started in place of instance"):
        operators.perform(old.pk, action, to=to)
    run_until_idle()
    assert effects.read_text() == before
    operators.perform(new.pk, action, to=to)


def test_an_old_child_does_not_go_on_either_once_the_one_in_its_place_has_finished() -> None:
    child = process("Pay", {"Charge": code("1 / data.get('n', 0)")}, (1, "Charge"))
    process("Order", {"Pay": {"subprocess": child}}, (10, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (old,) = children(instance)
    ours(RunningProcesses).filter(pk=instance.pk).update(data={"n": 1})
    operators.perform(instance.pk, Action.GOTO, to=10)
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == "FINISHED"
    with pytest.raises(NotPermitted, match="which is FINISHED, was started in place of"):
        operators.perform(old.pk, Action.RETRY)


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_parent_is_not_sent_to_a_step_again_whose_child_was_retried_and_has_not_ended(
    parent: RunningProcesses, effects: Path, *, is_paused: bool
) -> None:
    old = children(parent)[-1]
    operators.perform(old.pk, Action.RETRY)
    if is_paused:
        operators.perform(old.pk, Action.PAUSE)
    before = effects.read_text()
    (warning,) = operators.plan(parent.pk, Action.GOTO, to=1).warnings
    with pytest.raises(NotPermitted, match=rf"Instance {old.pk} \(Pay\).* has not ended") as told:
        operators.perform(parent.pk, Action.GOTO, to=1)
    assert str(told.value) == warning
    parent.refresh_from_db()
    assert (parent.state, parent.visit) == ("FAILED", 1)
    assert effects.read_text() == before
    operators.perform(old.pk, Action.CANCEL)
    operators.perform(parent.pk, Action.GOTO, to=1)


def test_nor_one_below_whose_child_something_has_not_ended() -> None:
    inner = process("Charge", {"Card": code("1 / 0")}, (1, "Card"))
    middle = process("Pay", {"Sub": {"subprocess": inner}}, (1, "Sub"))
    process("Order", {"Pay": {"subprocess": middle}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (child,) = children(instance)
    (grandchild,) = children(child)
    operators.perform(grandchild.pk, Action.RETRY)
    for one in (instance, child):
        with pytest.raises(NotPermitted, match=rf"Instance {grandchild.pk} \(Charge\), which is READY, has not ended"):
            operators.perform(one.pk, Action.GOTO, to=1)
    run_until_idle()
    operators.perform(instance.pk, Action.GOTO, to=1)
    with pytest.raises(NotPermitted, match=f"is about to start another instance in place of instance {child.pk}"):
        operators.perform(grandchild.pk, Action.RETRY)


def test_the_plan_of_a_goto_tells_what_new_children_would_do_again(parent: RunningProcesses) -> None:
    plan = operators.plan(parent.pk, Action.GOTO, to=1)
    assert list(plan.again) == list(operators.plan(parent.pk, Action.RESTART).again)
    assert calls(plan.again[1:]) == ['note("charged")', "fail_first(99)"] * len(children(parent))
    listed = ", ".join(f"{one.pk} (Pay, FAILED)" for one in children(parent))
    assert plan.warnings == [f"Starts new instances in place of these, and no longer waits for these: {listed}."]


def test_the_plan_of_a_goto_tells_of_steps_that_come_after_it_and_of_no_others() -> None:
    tasks = {"First": code("note('first')"), "Last": code("note('last')\n1 / 0")}
    process("Order", tasks, (10, "First"), (20, "Last"), (30, "First"))
    instance = operations.start("Order")
    run_until_idle()
    assert calls(operators.plan(instance.pk, Action.GOTO, to=10).again) == ['note("first")', 'note("last")']
    assert calls(operators.plan(instance.pk, Action.GOTO, to=20).again) == ['note("last")']
    assert operators.plan(instance.pk, Action.GOTO, to=30).again == []


def test_a_goto_cancels_a_child_that_is_waited_for_and_tells_what_another_would_do_again() -> None:
    child = process("Pay", {"Charge": code("note('charged')\nwait_for('paid')")}, (1, "Charge"))
    middle = process("Buy", {"Pay": {"subprocess": child}}, (1, "Pay"))
    process("Order", {"Buy": {"subprocess": middle}}, (1, "Buy"))
    instance = operations.start("Order")
    run_until_idle()
    (old,) = children(instance)
    plan = operators.plan(instance.pk, Action.GOTO, to=1)
    assert calls(plan.again) == ['note("charged")']
    assert plan.warnings == [
        f"Starts new instances in place of these, and no longer waits for these: {old.pk} (Buy, WAITING)."
    ]
    operators.perform(instance.pk, Action.GOTO, to=1)
    old.refresh_from_db()
    assert (old.state, children(old)[0].state) == ("CANCELLED", "CANCELLED")


@pytest.mark.parametrize("action", [Action.GOTO, Action.SKIP])
def test_a_parent_leaves_for_a_later_step_and_is_told_that_a_child_continues(action: Action) -> None:
    instance = order((20, "Ask"))
    (old,) = children(instance)
    operators.perform(old.pk, Action.RETRY)
    run_until_idle()
    to = 20 if action == Action.GOTO else None
    plan = operators.plan(instance.pk, action, to=to)
    assert plan.again == []
    assert plan.warnings == [
        f"Instance {old.pk} (Pay, WAITING) continues by itself, and instance {instance.pk} does not learn what it does. "
        f"Cancel instance {old.pk} if it must not continue."
    ]
    operators.perform(instance.pk, action, to=to)
    old.refresh_from_db()
    assert old.state == "WAITING"


@pytest.mark.parametrize("action", [Action.GOTO, Action.SKIP, Action.RETRY, Action.RESTART])
def test_a_parent_is_not_sent_to_where_it_can_come_back_to_a_child_that_has_not_ended(action: Action) -> None:
    instance = order((20, "Ask", {"on_reject": 10}))
    (old,) = children(instance)
    operators.perform(old.pk, Action.RETRY)
    with pytest.raises(NotPermitted, match=rf"Instance {old.pk} \(Pay\), which is READY, has not ended"):
        operators.perform(instance.pk, action, to=20 if action == Action.GOTO else None)


def test_an_old_child_does_not_go_on_while_its_parent_can_come_back_to_the_step() -> None:
    instance = order((20, "Ask", {"on_reject": 10}))
    (old,) = children(instance)
    operators.perform(instance.pk, Action.SKIP)
    run_until_idle()
    with pytest.raises(NotPermitted, match=f"Instance {instance.pk} can come again to the step that started"):
        operators.perform(old.pk, Action.RETRY)
    operators.perform(instance.pk, Action.CANCEL)
    (warning,) = operators.plan(old.pk, Action.RETRY).warnings
    assert warning.endswith("does not learn what it does.")
    operators.perform(old.pk, Action.RETRY)


def test_an_old_child_may_go_on_where_its_parent_does_not_come_back_by_itself() -> None:
    instance = order((20, "Ask"))
    (old,) = children(instance)
    operators.perform(instance.pk, Action.GOTO, to=20)
    run_until_idle()
    (warning,) = operators.plan(old.pk, Action.RETRY).warnings
    assert f"If instance {instance.pk} is sent back to that step, it starts another instance" in warning
    operators.perform(old.pk, Action.RETRY)
    with pytest.raises(NotPermitted, match=f"Instance {old.pk} .* has not ended"):
        operators.perform(instance.pk, Action.GOTO, to=10)


def test_a_parent_that_failed_before_it_started_another_is_not_retried_beside_the_old_one() -> None:
    child = process("Pay", {"Charge": code("fail_first(1)\nwait_for('paid')")}, (1, "Charge"))
    process("Order", {"Pay": {"subprocess": child, "input": "{'n': 1 / data.get('n', 1)}"}}, (10, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    ours(RunningProcesses).filter(pk=instance.pk).update(data={"n": 0})
    operators.perform(instance.pk, Action.GOTO, to=10)
    run_until_idle()
    (old,) = children(instance)
    operators.perform(old.pk, Action.RETRY)
    with pytest.raises(NotPermitted, match=f"Instance {old.pk} .* has not ended"):
        operators.perform(instance.pk, Action.RETRY)


@pytest.mark.postgres
@pytest.mark.parametrize("perform", [operators.perform, lambda key, *given: operators.perform_all([key], *given)])
def test_whoever_operates_waits_for_those_who_operate_on_any_instance_above(perform: Any) -> None:
    inner = process("Charge", {"Card": code("1 / 0")}, (1, "Card"))
    middle = process("Pay", {"Sub": {"subprocess": inner}}, (1, "Sub"))
    process("Order", {"Pay": {"subprocess": middle}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (grandchild,) = children(children(instance)[0])
    with locked(ours(RunningProcesses).filter(pk=instance.pk)), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            perform(grandchild.pk, Action.RETRY)
    perform(grandchild.pk, Action.RETRY)


def test_what_a_cancelled_neighbour_had_started_is_told_too() -> None:
    child = process("Pay", {"Charge": code("note('charged')"), "Sign": manual()}, (1, "Charge"), (2, "Sign"))
    tasks = {"Pay": {"subprocess": child}, "Bad": code("wait_for('go')\n1 / 0")}
    process("Order", tasks, (1, "Pay"), (1, "Bad"))
    instance = operations.start("Order")
    run_until_idle()
    operations.signal("go")
    run_until_idle()
    plan = operators.plan(instance.pk, Action.RETRY)
    (old,) = children(instance)
    assert calls(plan.again) == ['note("charged")']
    assert plan.warnings == [
        f"Starts new instances in place of these, and no longer waits for these: {old.pk} (Pay, CANCELLED)."
    ]
    back = operators.plan(instance.pk, Action.GOTO, to=1)
    assert calls(back.again) == ['wait_for("go")', 'run_process("Pay")', 'note("charged")']
    assert back.warnings == plan.warnings


def test_what_is_further_below_is_told_too() -> None:
    inner = process("Charge", {"Card": code("note('charged')\n1 / 0")}, (1, "Card"))
    middle = process("Pay", {"Sub": {"subprocess": inner}}, (1, "Sub"))
    process("Order", {"Pay": {"subprocess": middle}}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    assert calls(operators.plan(instance.pk, Action.RETRY).again) == [
        'run_process("Pay")',
        'run_process("Charge")',
        'note("charged")',
    ]


def test_one_that_failed_by_itself_has_no_warnings() -> None:
    process("Plain", {"A": code("note('x')\n1 / 0")}, (1, "A"))
    instance = operations.start("Plain")
    run_until_idle()
    assert operators.plan(instance.pk, Action.RETRY).warnings == []


def test_many_are_told_in_short() -> None:
    process("Pay", {"Charge": code("1 / 0")}, (1, "Charge"))
    process("Order", {"Pay": code("run_all([('Pay', {})] * 13)")}, (1, "Pay"))
    instance = operations.start("Order")
    run_until_idle()
    (warning,) = operators.plan(instance.pk, Action.RETRY).warnings
    assert warning.endswith("(Pay, FAILED), 3 more.")


def test_the_page_shows_the_warning_and_the_command_prints_it(
    parent: RunningProcesses, admin_client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import call_command

    old = children(parent)[0]
    page = admin_client.get(f"/admin/workflow/runningprocesses/{old.pk}/step-in/").content.decode()
    assert "no longer waits for it" in page
    page = admin_client.get(f"/admin/workflow/runningprocesses/{parent.pk}/step-in/?to=1").content.decode()
    assert "Go to step 1" in page
    assert page.count("note(&quot;charged&quot;)") == 3 * len(children(parent))
    call_command("manageprocess", "retry", str(old.pk), "--dry-run")
    assert "  warning:\n    Instance" in capsys.readouterr().out

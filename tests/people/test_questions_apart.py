"""Who may not decide what code asks: `approval(…, not_starter=True, not_same_as="Sign")`."""

from typing import Any

import pytest
from django.utils.timezone import localdate

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from workflow import clock, operations
from workflow.code.check import check_code
from workflow.code.waits import wait_of
from workflow.errors import NotAllowed
from workflow.models import Absence, ActionCall, RunningProcesses, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)
BOTH = "anna, bert"


def ask(more: str, *, step: int = 1, beside: bool = False, sign: int = 1) -> None:
    asks = code(f"approval({BOTH!r}, 'Well?', {more})['user']")
    rows = [(sign, "Sign"), (sign if beside else step, "Ask")]
    process("P", {"Sign": manual(BOTH), "Ask": asks}, *sorted(rows))


def waiting(task: str) -> WaitingForApproval:
    return ours(WaitingForApproval).get(
        task_name=task, rpid__process_name="P", rpid=ours(RunningProcesses).earliest("pk")
    )


def start(user: Any = None) -> None:
    """One instance, and another beside it, in which everything was decided by the other person."""
    operations.start("P", user=user)
    operations.start("P")
    run_until_idle()


def test_not_whoever_started_it(people: People) -> None:
    ask("not_starter=True", beside=True)
    start(people.anna)
    asked = waiting("Ask")
    assert list(operations.inbox(people.anna).filter(rpid=asked.rpid, question__gt="")) == []
    with pytest.raises(NotAllowed, match="nobody decides what they have started themselves"):
        operations.approve(asked, by=people.anna)
    operations.resolve_again(asked)
    with pytest.raises(NotAllowed, match="have started themselves"):
        operations.approve(waiting("Ask"), by=people.anna)
    operations.approve(waiting("Ask"), by=people.bert)


def test_not_whoever_decided_the_task_before(people: People) -> None:
    ask("not_same_as='Sign'", step=2)
    start()
    operations.approve(waiting("Sign"), by=people.anna)
    run_until_idle()
    for again in (False, True):
        if again:
            operations.resolve_again(waiting("Ask"))
        assert not operations.may_decide(people.anna, waiting("Ask"))
        with pytest.raises(NotAllowed, match="decided another task, and different people must decide the two"):
            operations.approve(waiting("Ask"), by=people.anna)
    operations.approve(waiting("Ask"), by=people.bert)


@pytest.mark.parametrize(("first", "second"), [("Sign", "Ask"), ("Ask", "Sign")])
def test_side_by_side_whichever_is_decided_first(people: People, first: str, second: str) -> None:
    ask("not_same_as='Sign'", beside=True)
    start()
    operations.claim(waiting(second), people.anna)
    operations.approve(waiting(first), by=people.anna)
    assert waiting(second).claimed_by is None
    assert not operations.may_decide(people.anna, waiting(second))
    ours(WaitingForApproval).get(
        pk=waiting(second).pk
    ).barred.all().delete()  # as an earlier version would have left it
    with pytest.raises(NotAllowed, match="decided another task, and different people must decide the two"):
        operations.approve(waiting(second), by=people.anna)
    operations.approve(waiting(second), by=people.bert)
    bystanders = ours(WaitingForApproval).exclude(rpid=ours(RunningProcesses).earliest("pk"))
    assert all(operations.may_decide(people.anna, one) for one in bystanders)


def test_the_task_comes_after_the_question(people: People) -> None:
    ask("not_same_as='Sign'", step=1, sign=2)
    start()
    operations.approve(waiting("Ask"), by=people.anna)
    run_until_idle()
    assert not operations.may_decide(people.anna, waiting("Sign"))
    operations.approve(waiting("Sign"), by=people.bert)


def test_a_stand_in_counts_for_both(people: People) -> None:
    today = localdate(clock.now())
    Absence.objects.create(user=people.anna, stand_in=people.emil, first_day=today, last_day=today)
    ask("not_same_as='Sign'", step=2)
    start()
    operations.approve(waiting("Sign"), by=people.emil)
    run_until_idle()
    for user in (people.emil, people.anna):
        with pytest.raises(NotAllowed):
            operations.approve(waiting("Ask"), by=user)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Sing", "Did you mean 'Sign'?"), ("Ask", "There are: 'Sign'."), ("\u2028", "There are: 'Sign'.")],
)
def test_what_names_no_manual_task_is_told_where_it_is_called(people: People, name: str, hint: str) -> None:
    text = "try:\n    approval('anna', 'Well?', not_same_as=data['other'])\nexcept ValueError as error:\n    said = str(error)\nsaid"
    process("P", {"Ask": code(text), "Sign": manual("anna")}, (1, "Ask"), (2, "Sign"))
    waits("P", {"other": name}, task="Sign")
    said = f"approval(): not_same_as must name a manual task of this process, not {name!r}. {hint}"
    assert ours(RunningProcesses).get().results["Ask"] == said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"not_starter": 1}, "approval(): not_starter must be True or False, not int"),
        ({"not_same_as": None}, "approval(): not_same_as must be the name of a manual task, not NoneType"),
        ({"not_same_as": ["Sign"]}, "approval(): not_same_as must be the name of a manual task, not list"),
    ],
)
def test_what_is_of_another_type_is_told(more: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as refused:
        wait_of("approval", ("anna", "Well?"), more, now=clock.now())
    assert str(refused.value) == message


def test_the_checker_knows_the_arguments() -> None:
    assert check_code("approval('anna', 'Well?', not_starter=True, not_same_as='Sign')") == []
    (problem,) = check_code("approval('anna', 'Well?', not_starter='yes')")
    assert "bool" in problem.message


def test_calls_that_were_recorded_before_go_on(people: People) -> None:
    process("P", {"Ask": code("approval('anna', 'Well?')['user']")}, (1, "Ask"))
    asked = waits("P")
    assert ours(ActionCall).get().arguments == {"args": ["anna", "Well?"], "kwargs": {}}
    ours(TaskRun).update(snapshot=b"")  # replayed from the ledger
    operations.approve(asked, by=people.anna)
    run_until_idle()
    assert ours(RunningProcesses).get().results["Ask"] == "anna"

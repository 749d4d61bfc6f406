"""What several people, engines and programs do at the same time: one wins, the others are told, nothing is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from tests.beside import *  # noqa: F403
from tests.build import code, manual, outline, process, run_until_idle
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.errors import AlreadyDecided, NotAllowed
from workflow.models import (
    Absence,
    Decision,
    InstanceState,
    ProcessVersion,
    RunningProcesses,
    Task,
    TaskRun,
    WaitingForApproval,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CROWD = 8


def at_once(work: Callable[[int], Any], times: int = CROWD) -> list[Any]:
    """What `work` returns or raises, called from as many threads at the same moment."""
    barrier = Barrier(times)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return work(number)
        except (AlreadyDecided, NotAllowed) as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as crowd:
        return list(crowd.map(one, range(times)))


def test_of_many_decisions_on_one_task_exactly_one_counts() -> None:
    process("Sign", {"Sign": manual(), "End": code("1")}, (1, "Sign"), (2, "End"))
    operations.start("Sign")
    run_until_idle()
    waiting = ours(WaitingForApproval).get()
    told = at_once(lambda number: operations.approve(waiting, comment=str(number)))
    winners = [run for run in told if isinstance(run, TaskRun)]
    assert len(winners) == 1
    assert all("Nothing was changed" in str(error) for error in told if error not in winners)
    run_until_idle()
    instance = ours(RunningProcesses).get()
    assert outline(instance) == [(1, 1, "Sign", "FINISHED"), (2, 2, "End", "FINISHED")]
    assert instance.results["Sign"]["comment"] == winners[0].comment


def test_of_fifty_decisions_on_a_task_of_quorum_three_exactly_three_count() -> None:
    group = Group.objects.create(name="board")
    board = [User.objects.create_user(f"member{number}") for number in range(50)]
    group.user_set.add(*board)
    process("Sign", {"Sign": manual("board", quorum=3), "End": code("1")}, (1, "Sign"), (2, "End"))
    operations.start("Sign")
    run_until_idle()
    waiting = ours(WaitingForApproval).get()
    told = at_once(lambda number: operations.approve(waiting, by=board[number], comment=str(number)), times=50)
    winners = [run for run in told if isinstance(run, TaskRun)]
    votes = list(ours(Decision).order_by("pk"))
    assert len(winners) == len(votes) == 3
    assert all("Nothing was changed" in str(error) for error in told if error not in winners)
    instance = ours(RunningProcesses).get()
    assert instance.events == 1, "it was woken once"
    run_until_idle()
    instance.refresh_from_db()
    assert outline(instance) == [(1, 1, "Sign", "FINISHED"), (2, 2, "End", "FINISHED")]
    assert [one["comment"] for one in instance.results["Sign"]["votes"]] == [vote.comment for vote in votes]


@pytest.mark.parametrize("says_so", ["A", "B"])
def test_who_decides_two_tasks_at_once_that_are_for_different_people_decides_one(says_so: str) -> None:
    """Also where they decide the one for themselves, and a stand-in the other one for them."""
    group = Group.objects.create(name="board")
    names = ("anna", "bert", "carl", "dora")
    board = {name: User.objects.create_user(name) for name in names}
    group.user_set.add(board["anna"], board["bert"])
    today = date.today()  # noqa: DTZ011 - both days around it are included
    days = {"first_day": today - timedelta(days=1), "last_day": today + timedelta(days=1)}
    Absence.objects.create(user=board["anna"], stand_in=board["carl"], **days)
    other = {"A": "B", "B": "A"}[says_so]
    tasks = {says_so: manual("board", not_same_as=other), other: manual("board"), "End": code("1")}
    process("Two", tasks, (1, says_so), (1, other), (2, "End"))
    for deciders in ("anna", "anna"), ("anna", "carl"), ("carl", "carl"):
        instance = operations.start("Two")
        run_until_idle()
        both = list(instance.waiting.order_by("pk"))
        by = [board[name] for name in deciders]
        told = at_once(lambda number, both=both, by=by: operations.approve(both[number], by=by[number]), times=2)
        refused = [one for one in told if isinstance(one, NotAllowed)]
        assert len(refused) == 1, told
        left = instance.waiting.get()
        assert not operations.inbox(board["anna"]).filter(pk=left.pk).exists()
        assert operations.approve(left, by=board["bert"]).state == "FINISHED"


def test_what_everybody_claims_one_person_has() -> None:
    people = [User.objects.create_user(f"user{number}", is_staff=True) for number in range(CROWD)]
    process("Sign", {"Sign": manual()}, (1, "Sign"))
    operations.start("Sign")
    run_until_idle()
    waiting = ours(WaitingForApproval).get()
    told = at_once(lambda number: operations.claim(waiting, people[number]))
    assert told.count(None) == 1
    waiting.refresh_from_db()
    assert waiting.claimed_by == people[told.index(None)]


def test_where_the_first_one_wins_exactly_one_of_several_tasks_is_decided() -> None:
    names = [f"Sign {number}" for number in range(CROWD)]
    process("Race", {name: manual() for name in names}, *[(1, name, {"ends_step": True}) for name in names])
    operations.start("Race")
    run_until_idle()
    waiting = list(ours(WaitingForApproval).select_related("task_run"))
    told = at_once(lambda number: operations.approve(waiting[number]))
    assert sum(isinstance(run, TaskRun) for run in told) == 1
    assert ours(TaskRun).filter(state="FINISHED").count() == 1
    assert ours(TaskRun).filter(state="CANCELLED").count() == CROWD - 1


def test_decisions_while_engines_run_are_not_lost() -> None:
    tasks = {"Sign": manual(), "Stamp": manual(), "Work": code("pause(0.05)"), "End": code("1")}
    process("Busy", tasks, (1, "Sign"), (1, "Stamp"), (1, "Work"), (2, "End"))
    instances = operations.start_many(["Busy"], count=10)
    engines = [Thread(target=_engine_until, args=(instances,)) for _ in range(2)]
    for engine in engines:
        engine.start()
    decided = 0
    while decided < 20:
        for waiting in ours(WaitingForApproval).select_related("task_run"):
            operations.approve(waiting)
            decided += 1
    for engine in engines:
        engine.join(timeout=60)
    assert set(ours(RunningProcesses).values_list("state", flat=True)) == {"FINISHED"}
    for instance in instances:
        history = outline(instance)
        assert len(history) == 4
        assert {state for *_, state in history} == {"FINISHED"}


def _engine_until(instances: list[RunningProcesses]) -> None:
    try:
        ended = ours(RunningProcesses).filter(pk__in=[one.pk for one in instances], state=InstanceState.FINISHED)
        while ended.count() < len(instances):
            run_until_idle(poll_interval=0.01)
    finally:
        connections.close_all()


def test_of_many_first_starts_each_gets_the_same_version() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    at_once(lambda _: operations.start("P"))
    assert ours(ProcessVersion).count() == 1
    ours(Task).update(code="2")
    at_once(lambda _: operations.start("P"))
    assert list(ours(ProcessVersion).order_by("number").values_list("number", flat=True)) == [1, 2]
    assert ours(RunningProcesses).count() == 2 * CROWD


def test_two_engines_run_each_step_once() -> None:
    process("Count", {f"T{n}": code("1") for n in range(4)}, *[(n, f"T{n}") for n in range(4)])
    instances = operations.start_many(["Count"], count=30)
    at_once(lambda _: _engine_until(instances), times=3)
    assert ours(TaskRun).count() == 30 * 4
    assert set(ours(TaskRun).values_list("state", "attempt")) == {("FINISHED", 1)}
    # Nothing was taken over or handed back: each instance was claimed by one engine, once.
    assert set(ours(RunningProcesses).values_list("fence", flat=True)) == {1}


def test_of_many_starts_of_one_name_exactly_one_starts() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    begun = at_once(lambda number: operations.start("P", {"n": number}, once="invoice 7"))
    assert len({instance.pk for instance in begun}) == 1
    assert ours(RunningProcesses).count() == 1

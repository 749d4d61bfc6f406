"""Deadlines and engines: each is kept once, whoever runs beside, takes over, or decides at the same moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections

from tests.build import code, engine, manual, process, run_until_idle, waits
from workflow import clock, operations, transitions
from workflow.engine import Mode
from workflow.errors import AlreadyDecided
from workflow.models import Decision, InstanceState, Intervention, Notice, RunningProcesses, TaskRun, WaitingForApproval
from workflow.people.deadlines import keep_deadlines
from workflow.transitions import LeaseLost

pytestmark = pytest.mark.django_db(transaction=True)

LATE = timedelta(days=3)
MANY = 20


def sign(**fields: Any) -> None:
    given = {"due": "1d", "remind": "-1h, 0", **fields}
    process("P", {"Sign": manual(**given), "End": code("1")}, (1, "Sign"), (2, "End"))


def later(by: timedelta = LATE) -> Any:
    return lambda: datetime.now(UTC) + by


def in_threads(*works: Any) -> None:
    """Do all of it at the same time."""
    barrier = Barrier(len(works))

    def one(work: Any) -> None:
        barrier.wait()
        try:
            work()
        finally:
            connections.close_all()

    threads = [Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)


def test_the_instance_is_due_when_the_first_of_them_is() -> None:
    sign()
    waiting = waits("P")
    assert waiting.rpid.due_at == waiting.task_run.due_at == waiting.events[0].at == waiting.due_at - timedelta(hours=1)
    engine(clock=later(timedelta(hours=23, minutes=30))).run(Mode.UNTIL_IDLE)
    waiting = WaitingForApproval.objects.get()
    assert waiting.rpid.due_at == waiting.task_run.due_at == waiting.due_at
    engine(clock=later()).run(Mode.UNTIL_IDLE)
    assert RunningProcesses.objects.get().due_at is None
    assert Intervention.objects.count() == Notice.objects.filter(kind="REMINDER").count() == 2


@pytest.mark.slow
def test_of_several_engines_one_keeps_each() -> None:
    sign(by_default="approve", by_default_after="5d", escalate_to="managers")
    Group.objects.create(name="managers")
    operations.start_many(["P"], count=MANY)
    run_until_idle()
    engines = [engine(clock=later(), batch=3) for _ in range(3)]
    in_threads(*(lambda one=one: one.run(Mode.UNTIL_IDLE) for one in engines))
    actions = list(Intervention.objects.values_list("action", flat=True))
    assert sorted(actions) == ["escalate"] * MANY + ["remind"] * MANY
    assert Notice.objects.filter(kind="ESCALATED").count() == MANY
    engines = [engine(clock=later(3 * LATE), batch=3) for _ in range(3)]
    in_threads(*(lambda one=one: one.run(Mode.UNTIL_IDLE) for one in engines))
    assert Decision.objects.filter(by_default=True).count() == MANY
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
    assert Intervention.objects.filter(action="decide by default").count() == MANY


@pytest.mark.slow
def test_of_a_person_and_a_deadline_one_decides() -> None:
    sign(by_default="reject")
    operations.start_many(["P"], count=MANY)
    run_until_idle()
    told: list[AlreadyDecided] = []

    def person() -> None:
        for waiting in waiting_now:
            try:
                operations.approve(waiting)
            except AlreadyDecided as error:
                told.append(error)

    waiting_now = list(WaitingForApproval.objects.order_by("pk"))
    in_threads(person, lambda: engine(clock=later()).run(Mode.UNTIL_IDLE))
    run_until_idle()
    assert Decision.objects.count() == MANY
    assert Decision.objects.filter(by_default=True).count() == len(told)
    states = list(RunningProcesses.objects.values_list("state", flat=True))
    assert (states.count("REJECTED"), states.count("FINISHED")) == (len(told), MANY - len(told))


def test_an_engine_that_lost_the_instance_keeps_none() -> None:
    sign()
    waits("P")
    now = clock.now() + LATE
    (held,) = transitions.claim("slow", now=now, until=now, limit=1)
    (taken,) = transitions.claim("other", now=now, until=now + LATE, limit=1)
    with pytest.raises(LeaseLost):
        keep_deadlines(transitions.lease_of(held), now)
    assert not Intervention.objects.exists()
    assert [one.action for one in keep_deadlines(transitions.lease_of(taken), now)] == ["remind"]
    assert keep_deadlines(transitions.lease_of(taken), now) == []


def test_code_beside_it_runs_on_and_once(effects: Path) -> None:
    tasks = {"Sign": manual(due="0.3s", remind="0"), "Work": code("pause(1)\nnote('worked')")}
    process("P", tasks, (1, "Sign"), (1, "Work"))
    instance = operations.start("P")
    run_until_idle()
    told, worked = Intervention.objects.get(), TaskRun.objects.get(task_name="Work")
    assert told.at < worked.ended_at
    assert effects.read_text().splitlines() == ["worked"]
    operations.approve(WaitingForApproval.objects.get())
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == InstanceState.FINISHED


def test_what_stands_wrong_in_the_database_does_not_keep_an_engine_busy() -> None:
    sign()
    waits("P")
    WaitingForApproval.objects.all().delete()
    engine(clock=later()).run(Mode.UNTIL_IDLE)
    assert RunningProcesses.objects.get().due_at is None

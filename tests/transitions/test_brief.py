"""Transactions that wait for nobody for long, and for which nobody waits for long. What others lock is PostgreSQL's to tell."""

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from tests.build import code, process
from tests.locks import locked
from tests.own import ours
from workflow import operations, transitions
from workflow.cut import cut_is_gone
from workflow.models import InstanceState, Process, RunningProcesses, RunState, TaskRun, bulk
from workflow.transitions import Applied, Turn, brief
from workflow.transitions.brief import HeldUp

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="It locks no rows."),
]


def instances(*keys: int) -> QuerySet[RunningProcesses]:
    return ours(RunningProcesses).filter(pk__in=keys)


@pytest.fixture
def claimed() -> list[RunningProcesses]:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=3)
    now = timezone.now()
    return transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=3)


def plain(_: RunningProcesses) -> Turn:
    return Turn(state=InstanceState.FINISHED, fields={"ended_at": timezone.now()})


def local(instance: RunningProcesses) -> Turn:
    (run,) = ours(TaskRun).filter(instance=instance) or [entered(instance)]
    run.state, run.error = RunState.FAILED, {"type": "E", "message": "m"}
    return Turn(state=InstanceState.FAILED, fields={"ended_at": timezone.now()}, changed=[run])


def entered(instance: RunningProcesses) -> TaskRun:
    now = timezone.now()
    return TaskRun.objects.create(
        instance=instance, task_name="A", visit=1, row=0, sequence=1, state=RunState.RUNNING, started_at=now
    )


@pytest.mark.parametrize("turn_of", [plain, local])
def test_only_what_is_locked_is_held_up(
    claimed: list[RunningProcesses], turn_of: Callable[[RunningProcesses], Turn]
) -> None:
    turns = [(transitions.lease_of(one), turn_of(one)) for one in claimed]
    second = claimed[1].pk
    with locked(instances(second)):
        assert transitions.apply_all(turns) == [Applied.DONE, Applied.HELD_UP, Applied.DONE]
    assert transitions.apply_all(turns[1:2]) == [Applied.DONE]


def test_a_task_run_that_is_locked_holds_up_its_own_turn_alone(claimed: list[RunningProcesses]) -> None:
    turns = [(transitions.lease_of(one), local(one)) for one in claimed]
    with locked(ours(TaskRun).filter(instance=claimed[1])):
        assert transitions.apply_all(turns) == [Applied.DONE, Applied.HELD_UP, Applied.DONE]
    assert transitions.apply_all(turns[1:2]) == [Applied.DONE]


def test_one_that_is_waited_for_is_seen_as_it_is_then(claimed: list[RunningProcesses]) -> None:
    one = claimed[0]
    lease, turn = transitions.lease_of(one), plain(one)
    with locked(instances(one.pk), then=lambda: transitions.wake(transitions.locked(one.pk))) as is_over:
        Thread(target=lambda: time.sleep(0.2) or is_over.set()).start()
        assert transitions.apply(lease, turn) is Applied.OUTDATED


def test_it_is_not_waited_for_for_ever(claimed: list[RunningProcesses], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow.transitions.turns.LONGEST", 0.1)
    one = claimed[0]
    with locked(instances(one.pk)), pytest.raises(HeldUp, match=f"instance {one.pk} locked"):
        transitions.apply(transitions.lease_of(one), plain(one))


def test_a_turn_that_needs_another_instance_is_held_up_by_that() -> None:
    child = process("Child", {"A": code("1")}, (1, "A"))
    process("P", {"A": {"subprocess": child}}, (1, "A"))
    above = operations.start("P")
    now = timezone.now()
    call = TaskRun.objects.create(
        instance=above,
        task_name="A",
        visit=1,
        row=0,
        sequence=1,
        state=RunState.SUSPENDED,
        started_at=now,
        call_number=1,
    ).calls.create(number=1, attempt=1, name="run_process", arguments={}, started_at=now)
    below = operations.start("Child")
    ours(RunningProcesses).filter(pk=below.pk).update(parent=call)
    later = now + timedelta(seconds=60)
    claimed = transitions.claim("me", now=later, until=later, limit=9, processes=["Child"])
    turn = Turn(state=InstanceState.FINISHED, fields={"ended_at": now}, parent=claimed[0].parent)
    pair = (transitions.lease_of(claimed[0]), turn)
    with locked(instances(above.pk)):
        assert transitions.apply_all([pair]) == [Applied.HELD_UP]
    assert transitions.apply_all([pair]) == [Applied.DONE]


def test_leases_are_renewed_but_of_what_is_locked(claimed: list[RunningProcesses]) -> None:
    leases = [transitions.lease_of(one) for one in claimed]
    until = timezone.now() + timedelta(hours=1)
    with locked(instances(claimed[0].pk)):
        assert transitions.renew(leases, until=until) == {one.pk for one in claimed[1:]}
    assert transitions.renew(leases, until=until) == {one.pk for one in claimed}
    assert set(ours(RunningProcesses).values_list("due_at", flat=True)) == {until}


def test_a_claim_leaves_out_the_limited_while_somebody_has_one_locked() -> None:
    limited = process("Limited", {"A": code("1")}, (1, "A"))
    ours(Process).filter(pk=limited.pk).update(max_running=1)
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["Limited", "P"], count=2)
    now = timezone.now() + timedelta(seconds=1)

    def claim() -> list[str]:
        return [one.process_name for one in transitions.claim("me", now=now, until=now + timedelta(hours=1), limit=1)]

    with locked(ours(Process).filter(pk=limited.pk)):
        assert (claim(), claim(), claim()) == (["P"], ["P"], [])
    assert (claim(), claim()) == (["Limited"], [])


def test_the_server_ends_one_that_stands_still(
    claimed: list[RunningProcesses], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of an engine that was stopped by SIGSTOP, or whose machine has lost its network."""
    monkeypatch.setattr(brief, "LONGEST_REST", 0.2)
    key, found = claimed[0].pk, []

    def look() -> None:
        with transaction.atomic():
            found.append(ours(RunningProcesses).select_for_update().get(pk=key).pk)
        connection.close()

    def stand_still() -> None:
        with cut_is_gone(), brief.brief() as setting:
            bulk.run(f"SELECT {setting}", [])
            ours(RunningProcesses).select_for_update().get(pk=key)
            other = Thread(target=look)
            other.start()
            other.join(5)
            assert found == [key], "its lock is free"
            ours(RunningProcesses).exists()

    with pytest.raises(OperationalError, match="idle-in-transaction"):
        stand_still()
    connection.close()


def test_within_another_transaction_it_is_that_ones_to_say() -> None:
    with transaction.atomic(), brief.brief() as setting:
        assert setting == "NULL"

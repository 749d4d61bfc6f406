"""What PostgreSQL writes by one statement is what is written one thing after the other, which SQLite does always."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build import code, process
from tests.own import ours
from tests.test_bulk import contents
from workflow import operations, transitions
from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun
from workflow.transitions import Applied, Lease, Turn, turns

Pair = tuple[Lease, Turn]

wide = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

leases = st.sampled_from(["held", "held", "held", "owner", "fence", "events", "ended"])
kinds = st.sampled_from(["entered", "went on", "ended", "waits", "handed back", "nothing"])


@pytest.fixture
def claimed() -> list[RunningProcesses]:
    process("P", {"A": code("1"), "B": code("2")}, (1, "A"), (1, "B"), (2, "A"))
    operations.start_many(["P"], count=6)
    now = timezone.now()
    return transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=6)


def run_of(instance: RunningProcesses, visit: int, row: int, **fields: Any) -> TaskRun:
    given = {"state": RunState.RUNNING, "started_at": instance.started_at, **fields}
    return TaskRun(instance=instance, task_name="A", visit=visit, row=row, sequence=visit, **given)


def finished(run: TaskRun, data: dict[str, Any]) -> TaskRun:
    run.state, run.ended_at, run.result, run.changes = RunState.FINISHED, run.started_at, data, {"set": data}
    return run


def turn_of(kind: str, instance: RunningProcesses, data: dict[str, Any]) -> Turn:
    """A turn such as the planner makes; the run of row 0 is in the database already."""
    there = ours(TaskRun).get(instance=instance, visit=1, row=0)
    later = {"step": 2, "visit": 2, "data": data, "results": {"A": 1}}
    end = {**later, "ended_at": instance.started_at, "error": None}
    match kind:
        case "entered":
            return Turn(state=InstanceState.RUNNING, fields=later, created=[run_of(instance, 2, 2)])
        case "went on":
            created = [finished(run_of(instance, 2, 2), data), run_of(instance, 3, 0), run_of(instance, 3, 1)]
            return Turn(
                state=InstanceState.RUNNING, fields=later, changed=[finished(there, data), created[0]], created=created
            )
        case "ended":
            return Turn(state=InstanceState.FINISHED, fields=end, changed=[finished(there, data)])
        case "waits":
            return Turn(state=InstanceState.WAITING, due_at=instance.started_at, fields=later)
        case "handed back":
            return Turn(state=InstanceState.READY, due_at=instance.started_at)
    return Turn(state=InstanceState.RUNNING)


def lease_of(kind: str, instance: RunningProcesses) -> Lease:
    """The instance's lease, or one that misses something."""
    own = transitions.lease_of(instance)
    there = {"instance": own.instance, "owner": own.owner, "fence": own.fence, "events": own.events}
    match kind:
        case "owner":
            there["owner"] = "another"
        case "fence" | "events":
            there[kind] += 1
        case "ended":
            ended = {"state": InstanceState.CANCELLED, "ended_at": instance.started_at, "due_at": None}
            ours(RunningProcesses).filter(pk=instance.pk).update(**ended)
    return Lease(**there)


def outcome(write: Callable[[Sequence[Pair]], list[Applied]], pairs: Sequence[Pair]) -> tuple[Any, ...]:
    """What becomes of the turns, and what stands in the database then, but for keys. It is undone."""
    with transaction.atomic():
        applied = write(pairs)
        for one, (_, turn) in zip(applied, pairs, strict=True):
            for run in turn.created if one is Applied.DONE else ():
                assert ours(TaskRun).get(pk=run.pk).row == run.row
        instances = list(ours(RunningProcesses).order_by("pk").values())
        runs = list(ours(TaskRun).order_by("instance", "visit", "row").values())
        for run in runs:
            del run["id"]
        transaction.set_rollback(True)
    return applied, instances, runs


@pytest.mark.django_db
@wide
@given(st.lists(st.tuples(leases, kinds, contents), min_size=1, max_size=6))
def test_it_writes_what_the_long_way_writes(drawn: list[tuple[str, str, dict[str, Any]]]) -> None:
    with transaction.atomic():
        instances = claimed.__wrapped__()  # type: ignore[attr-defined]  # each example has its own
        for instance in instances:
            run_of(instance, 1, 0).save()

        def pairs() -> list[Pair]:
            chosen = zip(drawn, instances, strict=False)
            return [(lease_of(lease, one), turn_of(kind, one, data)) for (lease, kind, data), one in chosen]

        assert all(turn.is_plain for _, turn in pairs())
        assert outcome(transitions.apply_all, pairs()) == outcome(turns._apply_local, pairs())
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_a_turn_that_was_written_can_be_written_again(claimed: list[RunningProcesses]) -> None:
    lease = transitions.lease_of(claimed[0])
    keys = []
    for _ in range(2):
        turn = Turn(state=InstanceState.RUNNING, created=[run_of(claimed[0], 1, 0), run_of(claimed[0], 1, 1)])
        assert transitions.apply(lease, turn) is Applied.DONE
        keys.append([run.pk for run in turn.created])
    assert keys[0] == keys[1] == list(ours(TaskRun).order_by("row").values_list("pk", flat=True))


@pytest.mark.django_db
def test_a_group_of_all_kinds_is_told_in_its_order(claimed: list[RunningProcesses]) -> None:
    plain = Turn(state=InstanceState.READY, due_at=timezone.now())
    failed = run_of(claimed[1], 1, 0)
    failed.save()
    failed.state = RunState.FAILED
    closing = Turn(state=InstanceState.RUNNING, changed=[failed], at=timezone.now())
    lost = Lease(instance=claimed[2].pk, owner="another", fence=1, events=0)
    leases = [transitions.lease_of(one) for one in claimed]
    group: list[Pair] = [(leases[1], closing), (lost, plain), (leases[0], plain), (leases[3], closing)]
    assert transitions.apply_all(group) == [Applied.DONE, Applied.LOST, Applied.DONE, Applied.DONE]


@pytest.mark.django_db
def test_it_is_one_statement(claimed: list[RunningProcesses], django_assert_num_queries: Any) -> None:
    group = [
        (transitions.lease_of(one), Turn(state=InstanceState.RUNNING, created=[run_of(one, 1, 0)])) for one in claimed
    ]
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 4):  # begin, lock, insert, commit
        transitions.apply_all(group)

"""Which instances an engine takes: by priority, within the limits of processes, and of the processes that it is for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

from tests.build import code, engine, process, run_until_idle
from workflow import operations, transitions
from workflow.engine import Mode
from workflow.engine.timepiece import DatabaseClock
from workflow.models import InstanceState, Priority, RunningProcesses, TaskRun

pytestmark = pytest.mark.django_db(transaction=True)


def claimed(limit: int, **options: Any) -> list[int]:
    now = datetime.now(UTC) + timedelta(seconds=1)
    return [one.pk for one in transitions.claim("me", now=now, until=now + timedelta(hours=1), limit=limit, **options)]


def test_those_of_high_priority_come_first_whenever_they_were_started() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    urgent = process("Urgent", {"A": code("1")}, (1, "A"))
    urgent.priority = Priority.HIGH
    urgent.save()
    low = operations.start("P", priority=Priority.LOW)
    normal = operations.start("P")
    high = operations.start("Urgent")
    assert claimed(2) == [high.pk, normal.pk]
    assert claimed(2) == [low.pk]


def test_an_engine_for_some_processes_leaves_the_others() -> None:
    for name in ("P", "Q"):
        process(name, {"A": code("1")}, (1, "A"))
    p, q = operations.start("P"), operations.start("Q")
    engine(processes=["Q"]).run(Mode.UNTIL_IDLE)
    for one in (p, q):
        one.refresh_from_db()
    assert (p.state, q.state) == (InstanceState.READY, InstanceState.FINISHED)


class TestMaxRunning:
    @pytest.fixture(autouse=True)
    def limited(self) -> None:
        one = process("P", {"A": code("pause(0.05)")}, (1, "A"))
        one.max_running = 2
        one.save()
        process("Q", {"A": code("1")}, (1, "A"))

    def test_no_more_are_claimed_until_others_have_ended(self) -> None:
        ids = [one.pk for one in operations.start_many(["P"], count=5)]
        other = operations.start("Q")
        assert sorted(claimed(10)) == [*ids[:2], other.pk]
        assert claimed(10) == []
        RunningProcesses.objects.filter(pk=ids[0]).update(
            state=InstanceState.FINISHED, due_at=None, ended_at=datetime.now(UTC)
        )
        assert claimed(10) == [ids[2]]

    def test_what_a_dead_engine_held_does_not_count(self) -> None:
        ids = [one.pk for one in operations.start_many(["P"], count=3)]
        assert claimed(10) == ids[:2]
        RunningProcesses.objects.filter(pk__in=ids[:2]).update(due_at=datetime.now(UTC) - timedelta(hours=1))
        assert claimed(10) == ids[:2]

    def test_it_holds_over_all_engines_and_all_are_run(self, effects: Any) -> None:
        operations.start_many(["P", "Q"], count=8)

        def run(_: int) -> None:
            run_until_idle(poll_interval=0.02)
            connections.close_all()

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(run, range(3)))
        assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
        spans = list(TaskRun.objects.filter(instance__process_name="P").values_list("started_at", "ended_at"))
        calls = [(call.started_at, call.ended_at) for run in TaskRun.objects.all() for call in run.calls.all()]
        assert len(spans) == len(calls) == 8
        assert max(sum(a <= start < b for a, b in calls) for start, _ in calls) <= 2


def test_the_engines_clock_is_the_databases() -> None:
    clock = DatabaseClock()
    clock._ahead = timedelta(hours=5)
    clock.measure()
    if connection.vendor == "postgresql":
        assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=5)
    else:
        assert clock() - datetime.now(UTC) > timedelta(hours=4), "SQLite has no clock of its own to measure"

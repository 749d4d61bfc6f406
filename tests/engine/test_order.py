"""Which instances an engine takes: by priority, within the limits of processes, and of the processes that it is for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

from tests.build import code, engine, process, run_until_idle
from workflow import operations, transitions
from workflow.code.actions import Action, replace_action, replaced
from workflow.engine import Mode, timepiece
from workflow.engine.give_up import hand_back
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


def test_what_a_stop_hands_back_stays_ahead_of_what_has_waited_behind_it() -> None:
    with replaced():
        replace_action(Action(name="leave", function=lambda: stopped.stop()))  # noqa: PLW0108 - it is made below
        stopped = engine(batch=1)  # which says what it has, and takes nothing that calls for more
        process("P", {"A": code("leave()"), "B": code("1")}, (1, "A"), (2, "B"))
        first, *_ = operations.start_many(["P"], count=3)
        stopped.run()
    first.refresh_from_db()
    assert (first.state, first.step) == (InstanceState.READY, 2)
    assert claimed(1) == [first.pk]
    hand_back(RunningProcesses.objects.get(pk=first.pk))
    assert claimed(1) == [first.pk]


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

    def test_a_high_priority_counts_among_limited_ones_too(self) -> None:
        operations.start_many(["Q"], count=10)
        low = operations.start("P", priority=Priority.LOW)
        high = operations.start("P", priority=Priority.HIGH)
        assert high.pk in claimed(3)
        assert low.pk not in claimed(6)
        assert low.pk in claimed(10)

    def test_of_one_priority_those_come_first_that_were_due_first(self) -> None:
        first = [one.pk for one in operations.start_many(["Q"], count=2)]
        limited = [one.pk for one in operations.start_many(["P"], count=3)]
        last = [one.pk for one in operations.start_many(["Q"], count=5)]
        assert claimed(3) == [*first, limited[0]]
        assert claimed(3) == [limited[1], *last[:2]]
        assert claimed(9) == last[2:]

    def test_only_those_of_the_engines_processes_are_counted_and_taken(self) -> None:
        limited = [one.pk for one in operations.start_many(["P"], count=3)]
        operations.start_many(["Q"], count=3)
        assert claimed(2, processes=["P"]) == limited[:2]
        assert claimed(2, processes=["P"]) == []

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


def test_the_clock_goes_by_the_answer_that_came_quickest(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = iter([(timedelta(seconds=3), timedelta(seconds=9)), (timedelta(seconds=1), timedelta(minutes=5))])
    monkeypatch.setattr(timepiece, "_sample", lambda: next(samples, (timedelta(seconds=2), timedelta(seconds=7))))
    clock = DatabaseClock()
    clock.measure()
    if connection.vendor == "postgresql":
        assert clock._ahead == timedelta(minutes=5)

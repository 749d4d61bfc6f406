"""What a claim costs, and that it stays so however many instances wait or have ended."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from tests.build import code, engine, manual, process
from workflow import operations, transitions
from workflow.code.runner import get_runner
from workflow.engine import Mode, drive
from workflow.engine.commit import Direct
from workflow.engine.drive import Drive, go_all_the_way
from workflow.engine.patience import Patience
from workflow.engine.plan import Planner
from workflow.engine.slots import NoSlots
from workflow.models import InstanceState, RunningProcesses, prepared
from workflow.models.states import Priority

pytestmark = pytest.mark.django_db(transaction=True)


def parked(count: int) -> None:
    """Instances that no engine has anything to do with: half wait for people, half have ended."""
    version = operations.start(process("P", {"A": code("1")}, (1, "A"))).version
    now = timezone.now()
    common: dict[str, Any] = {"version": version, "process_name": "P", "step": 1, "started_at": now}
    ended = {"state": InstanceState.FINISHED, "ended_at": now}
    RunningProcesses.objects.bulk_create(
        RunningProcesses(**common, **(ended if number % 2 else {"state": InstanceState.WAITING}))
        for number in range(count)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_the_claim_finds_what_is_due_by_its_index() -> None:
    parked(4000)
    plan = RunningProcesses.objects.due(timezone.now()).order_by("due_at", "pk")[:10].explain()
    assert "workflow_instance_due" in plan
    assert "Seq Scan" not in plan


def test_many_that_came_due_together_are_found_in_the_order_of_the_index() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    due = RunningProcesses.objects.due(timezone.now()).filter(priority=Priority.NORMAL)
    plan = due.order_by("due_at", "pk")[:10].explain()
    assert "workflow_instance_due" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("limited", [False, True])
def test_a_claim_takes_no_more_than_it_asks_for_whatever_the_statistics_say(limited: bool) -> None:
    """Statistics of a single row had PostgreSQL look again for each row, and pass over what it had found before."""
    one = process("P", {"A": code("1")}, (1, "A"))
    process("Q", {"A": code("1")}, (1, "A"))
    operations.start("P")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    one.max_running = 4 if limited else None
    one.save()
    operations.start_many(["P", "Q"], count=15)
    now = timezone.now() + timedelta(seconds=1)

    def claimed(limit: int, **options: Any) -> int:
        return len(transitions.claim("me", now=now, until=now + timedelta(hours=1), limit=limit, **options))

    assert claimed(2) == 2
    assert claimed(3, processes=["Q"]) == 3
    assert claimed(100, processes=["P"]) == (2 if limited else 14)
    assert claimed(5) == 5


def test_what_is_kept_planned_is_right_for_tables_that_grow() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start("P")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    engine().run(Mode.ONCE)  # claims, and writes a lone turn
    now = timezone.now()
    claimed = transitions.claim("me", now=now, until=now, limit=10)
    assert claimed == []
    assert transitions.outlook(now).due_at is None
    if connection.vendor == "postgresql":
        plans = kept_plans()
        assert len(plans) == 3, "a claim, what it asks where it finds nothing, and the outlook"
        for plan in plans:
            assert "workflow_instance_due" in plan
            assert "Seq Scan on workflow_runningprocesses" not in plan
            assert "Sort" not in plan


def kept_plans() -> list[str]:
    """How PostgreSQL does what this connection keeps: always in the same way, whatever the parameters are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, cardinality(parameter_types), custom_plans FROM pg_prepared_statements")
        plans = []
        for name, count, anew in cursor.fetchall():
            assert anew == 0, "it was planned for certain parameters"
            nothing = ", ".join(["NULL"] * count)
            cursor.execute(f"{prepared.BY_INDEX} EXPLAIN EXECUTE {name} ({nothing})")
            while cursor.nextset():
                pass
            plans.append("\n".join(line for (line,) in cursor.fetchall()))
        return plans


def test_what_comes_due_during_a_look_for_work_does_not_wait_for_the_poll() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    due = operations.start("P").due_at
    assert due
    moments = [due - timedelta(milliseconds=1)] * 2  # at first, and when it looks
    looking = engine(poll_interval=30, clock=lambda: moments.pop() if moments else due + timedelta(milliseconds=1))
    assert looking._claimed(10) == []
    assert looking._patient_for() < 0.1
    assert len(looking._claimed(10)) == 1


def test_a_batch_that_others_fill_in_part_for_long_is_filled_up() -> None:
    behind = engine(batch=4, poll_interval=30)
    behind.is_behind = True
    nobody: Any = None
    behind.driving = {(key, 1): nobody for key in range(3)}
    assert behind._wait(0), "none of them has ended, and there is room for one more"


def test_an_idle_engine_writes_nothing(django_assert_max_num_queries: Any) -> None:
    now = timezone.now()
    with django_assert_max_num_queries(2) as queries:
        assert transitions.claim("me", now=now, until=now, limit=10) == []
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned()")
            assert cursor.fetchone() == (None,)
    else:  # an UPDATE would take the lock of the whole database, whether it finds anything or not
        (only,) = queries.captured_queries
        assert only["sql"].startswith("SELECT")


def test_a_claim_costs_the_same_for_one_as_for_many(django_assert_max_num_queries: Any) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=20)
    now = timezone.now()
    with django_assert_max_num_queries(5):  # look, begin, lock, lease, commit
        claimed = transitions.claim("me", now=now, until=now + timedelta(seconds=9), limit=20)
    assert len(claimed) == 20


def test_it_counts_in_a_row_how_often_an_instance_was_not_given_back() -> None:
    operations.start(process("P", {"A": code("1")}, (1, "A")))

    def claimed() -> RunningProcesses:
        now = timezone.now()  # and the lease is over at once
        (one,) = transitions.claim("me", now=now, until=now, limit=1)
        return one

    assert [claimed().interrupted for _ in range(3)] == [0, 1, 2]
    given_back = transitions.Turn(state=InstanceState.READY, due_at=timezone.now())
    assert transitions.apply(transitions.lease_of(claimed()), given_back) is transitions.Applied.DONE
    assert claimed().interrupted == 0


def test_the_longest_due_come_first() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    first, second, third = operations.start_many(["P"], count=3)
    now = timezone.now()
    RunningProcesses.objects.filter(pk=third.pk).update(due_at=now - timedelta(hours=1))
    claimed = transitions.claim("me", now=now, until=now + timedelta(seconds=9), limit=2)
    assert set(claimed) == {third, first}
    assert transitions.claim("me", now=now, until=now, limit=2) == [second]


class TestClaimsThatACrashTookBack:
    """PostgreSQL's commit of a claim is not waited for: the instance may be due again, as if nobody had claimed it."""

    @staticmethod
    def claimed() -> RunningProcesses:
        now = timezone.now()
        (claimed,) = transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=1)
        return claimed

    @staticmethod
    def crash() -> None:
        RunningProcesses.objects.update(state="READY", owner="", fence=F("fence") - 1, due_at=timezone.now())

    def test_it_is_lost(self) -> None:
        operations.start(process("P", {"A": code("1")}, (1, "A")))
        lease = transitions.lease_of(self.claimed())
        self.crash()
        turn = transitions.Turn(state=InstanceState.FINISHED, fields={"ended_at": timezone.now()})
        assert transitions.apply(lease, turn) is transitions.Applied.LOST

    def test_made_again_by_the_same_engine_it_holds_again(self) -> None:
        operations.start(process("P", {"A": code("1")}, (1, "A")))
        lease = transitions.lease_of(self.claimed())
        self.crash()
        assert transitions.lease_of(self.claimed()) == lease
        turn = transitions.Turn(state=InstanceState.FINISHED, fields={"ended_at": timezone.now()})
        assert transitions.apply(lease, turn) is transitions.Applied.DONE

    def test_what_is_driven_by_it_is_not_driven_twice(self) -> None:
        operations.start(process("P", {"A": code("1")}, (1, "A")))
        begun: list[Any] = []
        holding = engine()
        holding.drivers = SimpleNamespace(begin=begun.extend)  # type: ignore[assignment]
        assert holding._claim() == 1
        self.crash()
        assert holding._claim() == 0
        assert len(begun) == len(holding.driving) == 1


@pytest.mark.parametrize(
    ("text", "condition", "most"), [("1", "", 0), ("1", "False", 0), ("key()", "", 13), ("sleep()", "", 14)]
)
def test_what_a_step_costs(
    text: str, condition: str, most: int, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that calls nothing is written with what comes after it, as is what is skipped. A call is two commits, of where
    the code stands and of what it returned; each begins, looks whether the lease holds, writes two kinds of rows, and commits.
    """
    monkeypatch.setattr(drive, "LONGEST_UNWRITTEN", 60.0)  # however slow the machine is
    fields = {"condition": condition}

    def queries(steps: int) -> int:
        name = f"P{steps}"
        process(
            name, {f"T{number}": code(text) for number in range(steps)}, *[(n, f"T{n}", fields) for n in range(steps)]
        )
        operations.start(name)
        now = timezone.now()
        (instance,) = transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=1)
        runner = get_runner()
        driven = Drive(
            definition=instance.version.frozen,
            runner=runner,
            aside=runner,
            lease=60.0,
            planner=Planner(runner=runner, clock=timezone.now),
            writer=Direct(),
            side=ThreadPoolExecutor(1),
            slots=NoSlots(),
            patience=Patience(stopping=(stopping := Event())),
            stopping=stopping,
        )
        with django_assert_max_num_queries(1000) as counted:
            go_all_the_way(driven.run(instance))
        return len(counted)

    assert queries(12) - queries(2) <= 10 * most


def test_once_makes_one_pass_and_leaves_the_rest() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=5)
    engine(batch=3).run(Mode.ONCE)
    states = sorted(RunningProcesses.objects.values_list("state", flat=True))
    assert states == ["FINISHED"] * 3 + ["READY"] * 2


def test_stop_hands_back_what_has_not_begun() -> None:
    process("P", {"A": code("1"), "B": manual()}, (1, "A"), (2, "B"))
    operations.start_many(["P"], count=5)
    stopped = engine()
    stopped.stop()
    stopped.run()
    assert set(RunningProcesses.objects.values_list("state", "owner")) == {("READY", "")}

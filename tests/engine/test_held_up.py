"""Rows that somebody else has locked for long hold up what needs them, and nothing else: PostgreSQL's, as all of SQLite is one lock."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.build import code, engine, process
from tests.engine.test_slow_beside import has_ended, working
from tests.locks import locked
from tests.system.conftest import eventually
from workflow import operations, transitions
from workflow.code.actions import Action, replace_action, replaced
from workflow.engine import drive, threads
from workflow.models import InstanceState, Process, RunningProcesses

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="It locks no rows."),
]

QUICK = 5


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """When it is, the atomic action `hold_atomic` and the action `hold` return."""
    event = threading.Event()
    with replaced():
        replace_action(Action(name="hold_atomic", function=lambda: event.wait(60), atomic=True))
        replace_action(Action(name="hold", function=lambda: event.wait(60)))
        yield event
        event.set()


def assert_others_go_on() -> None:
    for _ in range(QUICK):
        instance = operations.start("Quick")
        eventually(lambda key=instance.pk: has_ended(key), within=10)  # type: ignore[misc]


def quick() -> None:
    process("Quick", {"A": code("key()"), "B": code("note('quick')")}, (1, "A"), (2, "B"))


def test_others_go_on_beside_an_atomic_action_in_whose_instance_another_row_writes(
    over: threading.Event, effects: Path
) -> None:
    quick()
    tasks = {"L": code("hold_atomic()", time_limit=60), "R": code("note('r1')\nnote('r2')", time_limit=60)}
    process("Slow", tasks, (1, "L"), (1, "R"))
    slow = operations.start("Slow")
    with working(engine(concurrency=4, batch=100)):
        eventually(lambda: RunningProcesses.objects.filter(pk=slow.pk, visit=1).exists())
        eventually(lambda: is_locked_by_another(slow.pk))
        assert_others_go_on()
        assert not has_ended(slow.pk)
        over.set()
        eventually(lambda: has_ended(slow.pk), within=20)
    assert sorted(effects.read_text().split()) == sorted(["r1", "r2", *["quick"] * QUICK])


def test_leases_are_renewed_beside_an_atomic_action(over: threading.Event, effects: Path) -> None:
    process("Atomic", {"A": code("hold_atomic()", time_limit=60)}, (1, "A"))
    process("Plain", {"A": code("note('plain')\nhold()", time_limit=60)}, (1, "A"))
    atomic, plain = operations.start("Atomic"), operations.start("Plain")
    with working(engine(concurrency=4, batch=100, lease=1.0)):
        eventually(lambda: is_locked_by_another(atomic.pk) and effects.read_text())
        begun = timezone.now()
        with working(engine(concurrency=4, batch=100, lease=1.0)):
            eventually(lambda: timezone.now() - begun > timedelta(seconds=3))
            fences = dict(RunningProcesses.objects.values_list("pk", "fence"))
            over.set()
            eventually(lambda: has_ended(atomic.pk) and has_ended(plain.pk))
    assert fences == {atomic.pk: 1, plain.pk: 1}, "no lease was lost"
    assert effects.read_text().split() == ["plain"]


def test_others_go_on_beside_an_instance_that_somebody_has_locked(over: threading.Event, effects: Path) -> None:
    quick()
    process("Slow", {"A": code("hold()\nnote('a')", time_limit=60)}, (1, "A"))
    slow = operations.start("Slow")
    with working(engine(concurrency=4, batch=100, lease=1.0)):
        eventually(lambda: RunningProcesses.objects.filter(pk=slow.pk, state=InstanceState.RUNNING).exists())
        with locked(RunningProcesses.objects.filter(pk=slow.pk)):
            over.set()
            assert_others_go_on()
        eventually(lambda: has_ended(slow.pk))
    assert effects.read_text().split().count("a") == 1


def test_others_go_on_beside_many_that_are_locked_at_a_call(
    over: threading.Event, effects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose last call is not written yet keep their threads, and others come in their stead; the rest is let go of."""
    monkeypatch.setattr(threads, "THREADS", 4)
    monkeypatch.setattr(drive, "LONGEST_HELD_UP", 0.3)
    quick()
    process("Slow", {"A": code("note(f'{run.id} a')\nhold()\nnote(f'{run.id} b')", time_limit=60)}, (1, "A"))
    slow = [one.pk for one in operations.start_many(["Slow"], count=8)]
    with working(engine(concurrency=2, batch=100)):
        eventually(lambda: len(effects.read_text().splitlines()) == 4)
        with locked(RunningProcesses.objects.filter(pk__in=slow)):
            over.set()
            assert_others_go_on()
            assert not any(has_ended(key) for key in slow)
        eventually(lambda: all(has_ended(key) for key in slow), within=30)
    done = [line for line in effects.read_text().splitlines() if line != "quick"]
    assert sorted(done) == sorted(f"{key} {what}" for key in slow for what in "ab"), "no call is made twice"


def test_one_that_is_let_go_of_is_taken_up_when_it_is_free(
    over: threading.Event, effects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has come of the lock, as here a signal to it."""
    monkeypatch.setattr(drive, "LONGEST_HELD_UP", 0.1)
    process("Slow", {"A": code("spin()\nnote('a')", time_limit=60)}, (1, "A"))
    replace_action(Action(name="spin", function=lambda: over.wait(20), checkpoint=False))
    slow = operations.start("Slow")
    with working(engine(concurrency=4)):
        eventually(lambda: RunningProcesses.objects.filter(pk=slow.pk, state=InstanceState.RUNNING).exists())
        with locked(RunningProcesses.objects.filter(pk=slow.pk), lambda: wake(slow.pk)):
            over.set()
            time.sleep(1)
        eventually(lambda: has_ended(slow.pk), within=10)
    assert effects.read_text() == "a\n"
    assert RunningProcesses.objects.get(pk=slow.pk).fence == 2, "it was claimed anew"


def wake(key: int) -> None:
    transitions.wake(transitions.locked(key))


def test_an_engine_that_stops_leaves_what_is_locked_at_a_call(over: threading.Event, effects: Path) -> None:
    process("Slow", {"A": code("note('a')\nhold()\nnote('b')", time_limit=60)}, (1, "A"))
    slow = operations.start("Slow")
    stopping = engine(concurrency=4)
    with working(stopping):
        eventually(effects.read_text)
        with locked(RunningProcesses.objects.filter(pk=slow.pk)):
            over.set()
            stopping.stop()
            eventually(lambda: not stopping.driving, within=10)
    assert RunningProcesses.objects.get(pk=slow.pk).state == InstanceState.RUNNING
    assert [one.pk for one in stopping.drivers.left] == [slow.pk]


def test_what_is_not_limited_is_claimed_beside_a_process_that_somebody_has_locked(effects: Path) -> None:
    quick()
    limited = process("Limited", {"A": code("1")}, (1, "A"))
    limited.max_running = 1
    limited.save()
    one = operations.start("Limited")
    held = locked(Process.objects.filter(pk=limited.pk))
    with held, working(engine(concurrency=4, batch=100)):
        assert_others_go_on()
        assert not has_ended(one.pk)
    with working(engine(concurrency=4, batch=100)):
        eventually(lambda: has_ended(one.pk))


def is_locked_by_another(key: int) -> bool:
    with transaction.atomic():
        return not RunningProcesses.objects.select_for_update(skip_locked=True).filter(pk=key).exists()

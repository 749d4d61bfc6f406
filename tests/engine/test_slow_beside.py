"""What is slow holds back nothing else: neither code that computes, nor an action that waits, nor an instance that never rests."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, Event, Lock, Thread

import pytest
from django.db import connection

from tests.build import code, engine, process
from tests.system.conftest import eventually
from workflow import operations
from workflow.code.actions import Action, replace_action, replaced
from workflow.code.runner import get_runner
from workflow.code.sandbox import SandboxRunner
from workflow.engine import Engine
from workflow.engine.slots import Slots
from workflow.engine.slow import SlowCode
from workflow.engine.threads import THREADS
from workflow.models import RunningProcesses, TaskRun
from workflow.standing import standing

QUICK = 10
COMPUTES = "while True:\n    pass"

SLOW = {
    "that computes": (3, COMPUTES),
    "that waits in an action": (20, "hold()"),
    "that waits in actions again and again": (20, "while not breathe():\n    pass"),
    "of all kinds": (6, f"if run.id % 2:\n    {COMPUTES.replace(chr(10), chr(10) + '    ')}\nelse:\n    hold()"),
}


@pytest.fixture
def over() -> Iterator[Event]:
    """When it is, actions that are slow return, and code that computes dies with its process."""
    event = Event()
    with replaced():
        replace_action(Action(name="hold", function=lambda: event.wait(60)))
        replace_action(Action(name="breathe", function=lambda: event.wait(0.05)))
        yield event
        event.set()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", SLOW)
def test_others_go_on_beside_code(kind: str, effects: Path, over: Event) -> None:
    count, text = SLOW[kind]
    process("Slow", {"A": code(f"note('begun')\n{text}", time_limit=60)}, (1, "A"))
    process("Quick", {"A": code("data['n'] = 1"), "B": code("key()")}, (1, "A"), (2, "B"))
    operations.start_many(["Slow"], count=count)
    with working(engine(concurrency=4, batch=100)):
        eventually(lambda: effects.read_text().count("begun") == count)
        for _ in range(QUICK):
            instance = operations.start("Quick")
            eventually(lambda key=instance.pk: has_ended(key), within=30)  # type: ignore[misc]
        assert RunningProcesses.objects.filter(process_name="Slow", ended_at=None).count() == count
        over.set()
        kill_what_computes()
    assert not RunningProcesses.objects.filter(state="RUNNING").exists(), "it has stopped cleanly"


LOOPS = {"at once": COMPUTES, "after a call": f"note('begun')\n{COMPUTES}"}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "rows", "concurrency", "count"),
    [
        ("at once", 1, 4, 16),
        ("after a call", 1, 4, 16),
        ("at once", 2, 4, 12),
        ("at once", 1, 1, 6),
        ("after a call", 2, 1, 6),
    ],
)
@pytest.mark.usefixtures("effects")
def test_others_wait_for_no_more_endless_loops_than_compute_at_a_time(
    kind: str, rows: int, concurrency: int, count: int
) -> None:
    """And all the loops come to their end beside a stream of others."""
    process("Loop", {"A": code(LOOPS[kind], time_limit=1)}, *[(1, "A")] * rows)
    process("Quick", {"A": code("data['n'] = 1"), "B": code("key()")}, (1, "A"), (2, "B"))
    operations.start_many(["Loop"], count=count)
    with working(engine(concurrency=concurrency, batch=100)):
        eventually(lambda: len(computing()) >= concurrency, within=30)
        over_before = loops_over()
        quick = operations.start("Quick")
        eventually(lambda: has_ended(quick.pk), within=60)
        assert loops_over() - over_before <= concurrency + 2
        while RunningProcesses.objects.filter(process_name="Loop", ended_at=None).exists():
            quick = operations.start("Quick")
            eventually(lambda key=quick.pk: has_ended(key), within=60)  # type: ignore[misc]
    assert set(RunningProcesses.objects.filter(process_name="Loop").values_list("state", flat=True)) == {"FAILED"}


def loops_over() -> int:
    return TaskRun.objects.filter(instance__process_name="Loop", state="FAILED").count()


def computing() -> set[int]:
    runner = get_runner()
    assert isinstance(runner, SandboxRunner)
    return runner._busy.copy()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_comes_due_beside_a_slow_action_does_not_wait_for_the_poll(over: Event) -> None:
    process("Slow", {"A": code("hold()")}, (1, "A"))
    process("Sleeps", {"A": code("sleep(seconds=1)")}, (1, "A"))
    with working(engine(concurrency=4, batch=100, poll_interval=60)):
        sleeps = operations.start("Sleeps")
        eventually(lambda: TaskRun.objects.filter(instance=sleeps, state="SUSPENDED").exists())
        slow = operations.start("Slow")
        eventually(lambda: has_ended(sleeps.pk), within=30)
        assert not has_ended(slow.pk)
        over.set()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_place_that_comes_free_beside_a_slow_action_is_taken_at_once(over: Event) -> None:
    process("Slow", {"A": code("hold()")}, (1, "A"))
    one = process("OneAtATime", {"A": code("data['n'] = 1")}, (1, "A"))
    one.max_running = 1
    one.save()
    with working(engine(concurrency=4, batch=100, poll_interval=60)):
        slow = operations.start("Slow")
        eventually(lambda: RunningProcesses.objects.filter(pk=slow.pk, state="RUNNING").exists())
        ones = operations.start_many(["OneAtATime"], count=5)
        eventually(lambda: all(has_ended(one.pk) for one in ones), within=30)
        assert not has_ended(slow.pk)
        over.set()


def kill_what_computes() -> None:
    runner = get_runner()
    assert isinstance(runner, SandboxRunner)
    for worker in runner._busy.copy():
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_others_go_on_beside_instances_that_never_rest() -> None:
    tasks = {"A": code("data['n'] = data.get('n', 0) + 1"), "B": code("1")}
    process("Slow", tasks, (1, "A", {"condition": "data.get('n', 0) >= 0", "then": 1}), (2, "B"))
    process("Quick", {"A": code("1")}, (1, "A"))
    operations.start_many(["Slow"], count=3)
    with working(engine(concurrency=4, batch=100)):
        eventually(lambda: RunningProcesses.objects.filter(process_name="Slow", visit__gt=5).count() == 3)
        for _ in range(QUICK):
            instance = operations.start("Quick")
            eventually(lambda key=instance.pk: has_ended(key))  # type: ignore[misc]
        assert RunningProcesses.objects.filter(process_name="Slow", state="RUNNING").count() == 3
    assert set(RunningProcesses.objects.filter(process_name="Slow").values_list("state", flat=True)) == {"READY"}


def has_ended(key: int) -> bool:
    return RunningProcesses.objects.filter(pk=key, ended_at__isnull=False).exists()


@contextmanager
def working(running: Engine) -> Iterator[None]:
    """An engine in a thread of its own until the block ends."""

    def run() -> None:
        try:
            running.run()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        running.stop()
        thread.join(60)
        assert not thread.is_alive(), "it does not stop"


class TestSlots:
    """Which threads may compute, by themselves."""

    def test_one_at_a_time_while_they_are_quick(self) -> None:
        with Slots(4, patience=1) as slots, slots.working():
            assert not slots.has_room
            assert not slots.try_take()

    def test_another_one_beside_each_that_takes_long(self) -> None:
        over, begun = Event(), []
        with Slots(3, patience=0.01) as slots:

            def work() -> None:
                with slots.working():
                    begun.append(time.monotonic())
                    over.wait(20)

            threads = started(work, count=5)
            eventually(lambda: len(begun) == 3)
            time.sleep(0.1)
            assert len(begun) == 3, "no more than there are slots"
            over.set()
            joined(threads)
        assert len(begun) == 5

    def test_one_that_gets_on_step_by_step_is_quick(self) -> None:
        over = Event()
        with Slots(4, patience=0.2) as slots, slots.working():
            other = started(lambda: over.set() if slots.try_take() else None)
            for _ in range(10):
                time.sleep(0.01)
                slots.moved()
            joined(other)
        assert not over.is_set()

    def test_those_that_come_back_are_let_in_before_those_that_come_new(self) -> None:
        """Or a stream of new instances would keep those from going on whose action has returned."""
        order: list[str] = []
        with Slots(1, patience=1) as slots:
            is_away, may_return, is_over = Event(), Event(), Event()

            def returner() -> None:
                with slots.working():
                    with slots.away():
                        is_away.set()
                        may_return.wait(20)
                    order.append("back")

            def holder() -> None:
                with slots.working():
                    may_return.set()
                    is_over.wait(20)

            threads = started(returner)
            is_away.wait(20)
            threads += started(holder)
            eventually(lambda: len(slots._line) == 1)
            is_over.set()
            while not order:
                if slots.try_take():
                    order.append("new")
                    slots.leave()
            joined(threads)
        assert order[0] == "back"

    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_none_waits_for_ever_whatever_they_do(self, count: int) -> None:
        """Many threads that compute for long or short, go away and come back: each ends, and no more compute than may."""
        computing, most = 0, 0
        ready = Barrier(24)

        with Slots(count, patience=0.001) as slots:

            def work(number: int) -> None:
                nonlocal computing, most
                ready.wait(20)
                for turn in range(20):
                    with slots.working():
                        computing += 1
                        most = max(most, len(slots._computing))
                        time.sleep(0.003 if (number + turn) % 5 == 0 else 0)
                        slots.moved()
                        with slots.away():
                            time.sleep(0.001 * (number % 3))
                        computing -= 1

            threads = [Thread(target=work, args=(number,)) for number in range(24)]
            for thread in threads:
                thread.start()
            joined(threads)
            assert not slots.is_any_engaged
        assert computing == 0
        assert most <= count

    @pytest.mark.parametrize("count", [1, 2, 4])
    def test_neither_slow_code_nor_the_rest_waits_for_ever(self, count: int) -> None:
        """Beside a stream of others that never ends, slow code comes to its end; and the others are not held back by all of it."""
        slow, lock = SlowCode(), Lock()
        slow.note("loop")
        is_over, taken = Event(), 0

        def others() -> None:
            nonlocal taken
            while not is_over.is_set():
                with slots.working("quick"):
                    time.sleep(0.001)
                with lock:
                    taken += 1

        def loop() -> None:
            for _ in range(2):
                with slots.working("loop"):
                    most.append(len(slots._computing))
                    time.sleep(0.02)
                    with slots.away():
                        pass

        most: list[int] = []
        with Slots(count, patience=0.001, slow=slow) as slots:
            stream = started(others, count=3)
            joined(started(loop, count=6 if count > 1 else 2))
            is_over.set()
            joined(stream)
            assert not slots.is_any_engaged
        assert taken
        assert max(most) <= count

    @pytest.mark.parametrize("count", [2, 4])
    def test_the_last_place_is_not_for_slow_code_while_others_want_it(self, count: int) -> None:
        slow, over, wanted = SlowCode(), Event(), Event()
        slow.note("loop")

        def loop() -> None:
            with slots.working("loop"):
                over.wait(20)

        with Slots(count, patience=0.001, slow=slow, are_others=wanted.is_set) as slots:
            wanted.set()
            threads = started(loop, count=count + 2)
            eventually(lambda: len(slots._computing) == count - 1)
            time.sleep(0.1)
            assert len(slots._computing) == count - 1
            assert slots.has_room
            assert not slots.has_room_for_slow
            wanted.clear()
            eventually(lambda: len(slots._computing) == count)
            over.set()
            joined(threads)

    def test_slow_code_in_the_line_begins_when_no_others_come_after_all(self) -> None:
        """With a single place nothing computes then, and so nobody leaves it either."""
        slow, wanted = SlowCode(), Event()
        slow.note("loop")
        done: list[int] = []

        def loop() -> None:
            with slots.working("loop"):
                done.append(1)

        with Slots(1, patience=0.001, slow=slow, are_others=wanted.is_set) as slots:
            joined(started(loop))
            wanted.set()
            threads = started(loop)
            eventually(lambda: len(slots._line) == 1)
            wanted.clear()
            joined(threads)
        assert len(done) == 2

    def test_it_ends_while_some_still_wait(self) -> None:
        """The watch may be gone before the last has had its turn."""
        done: list[int] = []
        over = Event()
        with Slots(2, patience=0.001) as slots:

            def work() -> None:
                with slots.working():
                    over.wait(20)
                    done.append(1)

            threads = started(work, count=6)
            eventually(lambda: len(slots._computing) == 2)
        over.set()
        joined(threads)
        assert len(done) == 6


def started(work: object, *, count: int = 1) -> list[Thread]:
    threads = [Thread(target=work) for _ in range(count)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    return threads


def joined(threads: list[Thread]) -> None:
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_engine_reports_what_it_has_no_thread_for(over: Event, effects: Path) -> None:
    process("Slow", {"A": code("note('begun')\nhold()", time_limit=60)}, (1, "A"))
    process("Next", {"A": code("note('next')")}, (1, "A"))
    slow = operations.start_many(["Slow"], count=THREADS)
    with working(engine(concurrency=4, batch=100, lease=1.0)):
        eventually(lambda: effects.read_text().count("begun") == THREADS, within=30)
        waiting = operations.start("Next")
        eventually(lambda: "had no thread free for it" in told_of(waiting.pk), within=30)
        assert told_of(slow[0].pk).endswith("is running it.")
        over.set()
        eventually(lambda: has_ended(waiting.pk), within=60)


def told_of(key: int) -> str:
    return standing(RunningProcesses.objects.get(pk=key))

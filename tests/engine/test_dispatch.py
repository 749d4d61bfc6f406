"""A task queue that drives: whatever becomes of a task, no instance is lost, and none is driven twice."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread, Timer
from types import FrameType
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from tests.app import queues
from tests.build import code, engine, manual, process, run_until_idle
from tests.system.conftest import eventually
from workflow import clock, operations, transitions
from workflow.engine import Engine, Mode
from workflow.engine.worker import drive_handed_over
from workflow.models import InstanceState, RunningProcesses, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_sent() -> Iterator[None]:
    queues.sent.clear()
    yield
    queues.failures.clear()


def use(settings: Settings, name: str) -> None:
    settings.TASKS = {"default": {"BACKEND": f"tests.app.queues.{name}"}}


@pytest.fixture
def claimed(effects: Path) -> dict[str, Any]:
    """What a task is told of a claimed instance of two steps."""
    process("P", {"A": code("note('a')"), "B": code("note('b')")}, (1, "A"), (2, "B"))
    operations.start("P")
    (instance,) = claim("engine")
    return {"instance": instance.pk, "owner": "engine", "fence": instance.fence, "lease": 30.0}


def claim(owner: str) -> list[RunningProcesses]:
    now = clock.ask_database()
    return transitions.claim(owner, now=now, until=now + timedelta(seconds=30), limit=10)


def test_it_drives_all_kinds_of_tasks_to_the_end(settings: Settings, effects: Path) -> None:
    use(settings, "ImmediateBackend")
    child = process("Child", {"A": code("note('child')\nsleep(seconds=0.01)")}, (1, "A"))
    tasks = {
        "L": code("note('l')"),
        "R": code("fail_first(1)", max_attempts=2, retry_delay=0.01),
        "Sub": {"subprocess": child},
    }
    process("P", {**tasks, "Sign": manual()}, (1, "L"), (1, "R"), (2, "Sub"), (3, "Sign"))
    instance = operations.start("P")

    while not WaitingForApproval.objects.exists():  # an engine is idle also while something sleeps
        run_until_idle(dispatch="tasks")

    instance.refresh_from_db()
    assert (instance.state, instance.step, instance.owner) == (InstanceState.WAITING, 3, "")
    assert sorted(effects.read_text().split()) == ["child", "l"]


def test_what_fails_fails_alone(settings: Settings) -> None:
    use(settings, "ImmediateBackend")
    process("Bad", {"A": code("1 / 0")}, (1, "A"))
    process("Good", {"A": code("1")}, (1, "A"))
    operations.start_many(["Bad", "Good"])
    run_until_idle(dispatch="tasks")
    assert dict(RunningProcesses.objects.values_list("process_name", "state")) == {"Bad": "FAILED", "Good": "FINISHED"}


def test_a_task_that_is_run_twice_does_nothing_the_second_time(
    claimed: dict[str, Any], effects: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "workflow.engine.worker")
    for _ in range(2):
        drive_handed_over(**claimed)
    assert effects.read_text().split() == ["a", "b"]
    assert RunningProcesses.objects.get().state == InstanceState.FINISHED
    assert TaskRun.objects.count() == 2
    void = f"The task for instance {claimed['instance']} is void: it has come too late, or twice."
    assert [record.getMessage() for record in caplog.records if record.name == "workflow.engine.worker"] == [void]


def test_a_task_that_is_run_twice_at_once_is_driven_once(claimed: dict[str, Any], effects: Path) -> None:
    both = [Thread(target=drive_handed_over, kwargs=claimed) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert effects.read_text().split() == ["a", "b"]


def test_a_task_that_comes_after_the_next_claim_does_nothing(claimed: dict[str, Any], effects: Path) -> None:
    RunningProcesses.objects.update(due_at=clock.ask_database() - timedelta(seconds=1))  # its lease is over
    (again,) = claim("other")
    drive_handed_over(**claimed)
    fresh = RunningProcesses.objects.get()
    assert (fresh.state, fresh.owner, fresh.fence) == (InstanceState.RUNNING, "other", again.fence)
    assert effects.read_text() == ""


def test_a_claim_is_taken_over_by_one_worker_who_may_ask_again(claimed: dict[str, Any]) -> None:
    lease = transitions.Lease(instance=claimed["instance"], owner="engine", fence=claimed["fence"], events=0)
    until = clock.ask_database() + timedelta(seconds=30)
    for _ in range(2):  # as where the connection broke before the answer
        taken = transitions.take_over(lease, by="worker", until=until)
        assert taken is not None
        assert (taken.owner, taken.fence, taken.state) == ("worker", claimed["fence"], InstanceState.RUNNING)
    assert transitions.take_over(lease, by="another", until=until) is None


def test_what_the_queue_loses_is_claimed_again_after_the_lease(
    settings: Settings, effects: Path, caplog: pytest.LogCaptureFixture
) -> None:
    use(settings, "Losing")
    process("P", {"A": code("note('a')")}, (1, "A"))
    operations.start("P")
    engine(dispatch="tasks", lease=0.3).run(Mode.ONCE)
    assert len(queues.sent) == 1
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == (
        "No worker has come for 1 of the tasks within the lease of 0.3 s; their instances are claimed again."
    )

    use(settings, "ImmediateBackend")
    run_until_idle(dispatch="tasks")
    drive_handed_over(**queues.sent[0])  # it was only late
    assert RunningProcesses.objects.get().state == InstanceState.FINISHED
    assert effects.read_text() == "a\n"


def test_a_queue_whose_workers_are_too_few_is_told_of_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    use(settings, "Losing")
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=6)
    one = engine(dispatch="tasks", lease=0.3)

    def run() -> None:
        one.run()
        connection.close()

    running = Thread(target=run)
    running.start()
    try:
        eventually(lambda: len(queues.sent) == 6)
        for _ in range(4):  # a worker comes now and then, and most of the leases run out
            sent = len(queues.sent)
            eventually(lambda sent=sent: len(queues.sent) > sent)
            drive_handed_over(**queues.sent[-1])
    finally:
        one.stop()
        running.join()
    told = [record.getMessage() for record in caplog.records if record.name == "workflow.engine.dispatch"]
    assert len(told) == 1, told


def test_a_queue_that_is_down_is_waited_for_and_told_once(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    use(settings, "Failing")
    queues.failures += [ConnectionError("refused"), ConnectionError("refused again")]
    caplog.set_level("INFO", "workflow.engine.dispatch")
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=3)

    run_until_idle(dispatch="tasks")

    assert set(RunningProcesses.objects.values_list("state", "owner")) == {("FINISHED", "")}
    assert [record.getMessage() for record in caplog.records if record.name == "workflow.engine.dispatch"] == [
        "The task queue can't be used (ConnectionError: refused); instances are handed back, and tried again.",
        "The task queue can be used again.",
    ]


def test_while_the_queue_is_down_other_engines_may_take_what_was_handed_back(settings: Settings) -> None:
    use(settings, "Failing")
    queues.failures += [ConnectionError("refused")] * 1_000
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=3)
    ours = engine(dispatch="tasks")
    thread = in_a_thread(ours)
    run_until_idle()
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
    ours.stop()
    thread.join()


def in_a_thread(which: Engine) -> Thread:
    def run() -> None:
        which.run()
        connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


def test_an_engine_that_stops_leaves_to_the_workers_what_they_were_sent(settings: Settings, effects: Path) -> None:
    use(settings, "Losing")
    process("P", {"A": code("note('a')")}, (1, "A"))
    operations.start("P")
    ours = engine(dispatch="tasks")
    thread = in_a_thread(ours)
    while not queues.sent:
        Event().wait(0.01)
    ours.stop()
    thread.join()
    assert RunningProcesses.objects.get().state == InstanceState.RUNNING

    drive_handed_over(**queues.sent[0])
    assert RunningProcesses.objects.get().state == InstanceState.FINISHED


class Interrupted(Exception):
    """As what queues raise in the middle of a task."""


def test_what_interrupts_a_task_has_it_handed_back_between_two_tasks(effects: Path) -> None:
    process("P", {"A": code("pause(1)\nnote('a')"), "B": code("note('b')")}, (1, "A"), (2, "B"))
    operations.start("P")
    (instance,) = claim("engine")
    before = signal.signal(signal.SIGUSR1, _interrupt)
    timer = Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    try:
        with pytest.raises(Interrupted):
            drive_handed_over(instance=instance.pk, owner="engine", fence=instance.fence, lease=30.0)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    fresh = RunningProcesses.objects.get()
    assert (fresh.state, fresh.step, fresh.owner) == (InstanceState.READY, 2, "")
    assert fresh.due_at is not None
    assert (fresh.due_at - fresh.started_at).total_seconds() > 0.5, "others have their turn first"
    run_until_idle()
    assert effects.read_text().split() == ["a", "b"]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def test_a_worker_renews_the_lease_while_it_drives(effects: Path) -> None:
    process("P", {"A": code("note('begun')\npause(1.5)\nnote('a')")}, (1, "A"))
    operations.start("P")
    (instance,) = claim("engine")
    task = {"instance": instance.pk, "owner": "engine", "fence": instance.fence, "lease": 0.6}
    worker = Thread(target=drive_handed_over, kwargs=task)
    worker.start()
    while not effects.read_text():
        Event().wait(0.01)
    run_until_idle()  # the whole time, another engine would take it if it could
    worker.join()
    fresh = RunningProcesses.objects.get()
    assert (fresh.state, fresh.fence) == (InstanceState.FINISHED, 1)
    assert effects.read_text().split() == ["begun", "a"]

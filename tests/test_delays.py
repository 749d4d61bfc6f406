"""Why an instance does not move: the sentence names the real cause, and what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.migrations.recorder import MigrationRecorder

from tests.beside import *  # noqa: F403
from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from workflow import clock, operations
from workflow.models import Engine, InstanceState, Priority, Process, RunningProcesses
from workflow.standing import standing

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = 60.0


def an_engine(name: str = "e1", *, silent: float = 1, **fields: Any) -> Engine:
    """An engine that reported so many seconds ago."""
    seen_at = clock.ask_database() - timedelta(seconds=silent)
    defaults = {"host": "vm", "pid": 1, "version": "1", "concurrency": 4, "lease": LEASE, "started_at": seen_at}
    return Engine.objects.create(name=name, seen_at=seen_at, **{**defaults, **fields})


def an_instance(name: str = "P", **fields: Any) -> RunningProcesses:
    """An instance that has been READY for a minute, beside one that has just become so; `due` counts seconds from now."""
    if not ours(Process).filter(name=name).exists():
        process(name, {"Do": code("1")}, (1, "Do"))
    instance = operations.start(name)
    due = fields.pop("due", -60)
    at = clock.ask_database() + timedelta(seconds=due)
    ours(RunningProcesses).filter(pk=instance.pk).update(due_at=at, **fields)
    instance.refresh_from_db()
    return instance


def running(owner: str = "e1", *, due: float = 50, **fields: Any) -> RunningProcesses:
    return an_instance(state=InstanceState.RUNNING, owner=owner, due=due, **fields)


def no_engine_has_started() -> RunningProcesses:
    return an_instance()


def the_only_engine_died() -> RunningProcesses:
    an_engine(silent=90)
    return running(due=-30)


def nobody_wakes_a_sleeper() -> RunningProcesses:
    an_engine(silent=90)
    return an_instance(state=InstanceState.WAITING)


def engines_take_other_processes() -> RunningProcesses:
    an_engine(processes=["Other"])
    return an_instance()


def its_process_is_at_its_limit() -> RunningProcesses:
    an_engine()
    running()
    waiting = an_instance()
    ours(Process).filter(name="P").update(max_running=1)
    return waiting


def others_have_priority() -> RunningProcesses:
    an_engine()
    for _ in range(3):
        an_instance(priority=Priority.HIGH)
    an_instance(due=-90)  # was due earlier, but after those of high priority
    return an_instance(priority=Priority.LOW)


def its_engine_was_killed() -> RunningProcesses:
    an_engine(silent=40)
    return running()


def its_engine_is_frozen_beside_another() -> RunningProcesses:
    an_engine(silent=40)
    an_engine("e2")
    return running()


def its_engine_has_no_thread_free() -> RunningProcesses:
    instance = running(fence=7)
    an_engine(queued=[[instance.pk, 7]])
    return instance


def its_engine_had_no_thread_free_at_another_claim() -> RunningProcesses:
    instance = running(fence=7)
    an_engine(queued=[[instance.pk, 6], [instance.pk + 1, 7]])
    return instance


def no_worker_comes_for_its_task() -> RunningProcesses:
    an_engine(dispatch="tasks")
    return running()


def a_worker_has_taken_its_task() -> RunningProcesses:
    an_engine(dispatch="tasks")
    return running("vm:worker")


def its_engine_stopped_and_left_it() -> RunningProcesses:
    an_engine("e2")
    return running("gone")


def migrations_are_not_applied() -> RunningProcesses:
    an_engine()
    return running()


def a_sleep_has_just_ended() -> RunningProcesses:
    an_engine()
    return an_instance(state=InstanceState.WAITING, due=-1)


def nothing_is_wrong() -> RunningProcesses:
    an_engine()
    return running()


TABLE: list[tuple[Callable[[], RunningProcesses], str]] = [
    (no_engine_has_started, "Ready since {due}. No engine has announced itself. Start one: manage.py runengine."),
    (
        the_only_engine_died,
        "The engine e1 stopped responding; its lease ended at {due}. No engine is alive: the last word of e1 was {n} s ago, "
        "and its lease is 60 s. Start one: manage.py runengine.",
    ),
    (
        nobody_wakes_a_sleeper,
        "Ready since {due}. No engine is alive: the last word of e1 was {n} s ago, and its lease is 60 s. "
        "Start one: manage.py runengine.",
    ),
    (engines_take_other_processes, "Ready since {due}. No engine takes instances of 'P': see its --processes."),
    (
        its_process_is_at_its_limit,
        "Ready since {due}. Only 1 instance of “P” may run at once, and it is running. This one is next when that ends.",
    ),
    (
        others_have_priority,
        "Ready since {due}. 4 instances with a higher priority, or due earlier, are ahead of it.",
    ),
    (
        its_engine_was_killed,
        "The engine e1 has not reported for {n} s: it was killed, or hangs. No other engine is alive that could take over: "
        "start one with manage.py runengine.",
    ),
    (
        its_engine_is_frozen_beside_another,
        "The engine e1 has not reported for {n} s: it was killed, or hangs. Another engine takes over at {due}, when the "
        "lease ends.",
    ),
    (
        its_engine_has_no_thread_free,
        "The engine e1 holds it, but had no thread free for it at {seen}: all were busy with other instances. Start more "
        "engines, or raise WORKFLOW['CONCURRENCY'] if their code computes for long.",
    ),
    (its_engine_had_no_thread_free_at_another_claim, "The engine e1 is running it."),
    (
        no_worker_comes_for_its_task,
        "The engine e1 has handed it to the task queue, and no worker has taken it yet. Is one running?",
    ),
    (a_worker_has_taken_its_task, "A worker of the task queue (vm:worker) is running it."),
    (
        its_engine_stopped_and_left_it,
        "The engine gone held it when it stopped. Another engine takes over at {due}, when the lease ends.",
    ),
    (a_sleep_has_just_ended, "Ready. An engine will pick it up in a moment."),
    (nothing_is_wrong, "The engine e1 is running it."),
]


def told(template: str, instance: RunningProcesses, sentence: str) -> str:
    """The template with times of the instance and its engine; `{n}` matches any number."""
    owner = ours(Engine).filter(name=instance.owner or "e1").first()
    times = {"due": instance.due_at, "seen": owner.seen_at if owner else None}
    shown = {name: f"{at:%Y-%m-%d %H:%M:%S}" if at else "" for name, at in times.items()}
    number = next((word for word in sentence.split() if word.isdigit() and word != "60"), "")
    return template.format(**shown, n=number)


@pytest.mark.parametrize(("made", "template"), TABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_the_sentence_names_the_cause(made: Callable[[], RunningProcesses], template: str) -> None:
    an_instance("Beside", state=InstanceState.WAITING, due=60)
    instance = made()
    sentence = standing(instance)
    assert sentence == told(template, instance, sentence)


@pytest.mark.parametrize(("made", "template"), TABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_other_people_read_nothing_of_engines(made: Callable[[], RunningProcesses], template: str) -> None:
    sentence = standing(made(), for_operators=False)
    assert "engine" not in sentence
    assert "worker" not in sentence


def test_migrations_that_are_not_applied_are_named() -> None:
    an_engine()
    instances = [running(), an_instance()]
    with _without_newest_migration():
        for instance in instances:
            assert "run manage.py migrate" in standing(instance)
    for instance in instances:
        assert "migrate" not in standing(instance)


@contextmanager
def _without_newest_migration() -> Iterator[None]:
    newest = MigrationRecorder.Migration.objects.filter(app="workflow").order_by("name").last()
    assert newest is not None
    MigrationRecorder.Migration.objects.filter(pk=newest.pk).delete()
    try:
        yield
    finally:
        newest.save()


def test_to_look_for_a_lock_keeps_none() -> None:
    """Neither inside a request's own transaction: an engine could not claim what somebody looks at."""
    an_engine()
    instance = an_instance()
    sentence = standing(instance)
    assert sentence.endswith("See their logs.")
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == InstanceState.FINISHED


def test_a_quorum_that_can_no_longer_be_reached_is_told_with_numbers() -> None:
    board = Group.objects.create(name="board")
    for name in ("anna", "mark", "eva"):
        User.objects.create_user(name).groups.add(board)
    process("Q", {"Sign": manual("board", quorum=3)}, (1, "Sign"))
    process("Beside", {"Sign": manual("board", quorum=2)}, (1, "Sign"))
    waiting, other = waits("Q"), waits("Beside")
    anna = User.objects.get(username="anna")
    operations.approve(waiting, by=anna)
    ours(User).filter(username="eva").update(is_active=False)
    alert = "“Sign” needs 2 more approvals, but only 1 of the people it asks can still give one. "
    assert alert + "Add people to its groups, or delegate it to others." in standing(waiting.rpid)
    assert alert + "An operator has to ask others as well." in standing(waiting.rpid, for_operators=False)
    assert "approvals" not in standing(other.rpid)

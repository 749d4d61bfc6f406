"""An engine's own threads."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Event, current_thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db.backends.signals import connection_created
from django.utils import timezone

from tests.build import code, engine, outline, process
from tests.engine.quick import TIME_LIMIT, quick_runner
from workflow import operations, transitions
from workflow.code.runner import Runner, get_runner
from workflow.engine import Mode, commit, drive
from workflow.engine.lacking import Lacking
from workflow.engine.patience import Patience
from workflow.engine.threads import Threads
from workflow.models import InstanceState, RunningProcesses
from workflow.transitions import Applied, Lease, Turn


class SharedBy:
    """A runner that has others made in a certain way."""

    def __init__(self, runner: Runner, shared: Callable[[], AbstractContextManager[Runner]]) -> None:
        self._runner = runner
        self.shared = shared

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)


class Runners:
    """In place of a runner that has others made: counts them."""

    made = 0

    def shared(self) -> Any:
        self.made += 1
        raise AssertionError("Each is a process.")


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_finds_nothing_to_drive_needs_no_sandbox() -> None:
    """Threads are called for by the dozen, and most come too late."""
    runners = Runners()
    with Threads(
        runner=cast("Runner", runners),
        concurrency=4,
        lease=60.0,
        clock=timezone.now,
        patience=Patience(stopping=Event()),
        ended=lambda _: None,
        lacking=Lacking(),
    ) as threads:
        threads._drive_in_turn()
    assert runners.made == 0


@pytest.mark.django_db(transaction=True)
def test_code_without_calls_needs_no_connection() -> None:
    """A thread that waits for one gives its slot to another, which would take a sandbox of its own."""
    connected = []

    def note(**given: Any) -> None:
        connected.append(current_thread().name)

    process("Sum", {"Add": code("1"), "Double": code("results['Add'] * 2")}, (10, "Add"), (20, "Double"))
    operations.start_many("Sum", count=20)
    connection_created.connect(note)
    try:
        engine().run(Mode.UNTIL_IDLE)
    finally:
        connection_created.disconnect(note)
    assert RunningProcesses.objects.filter(state=InstanceState.FINISHED).count() == 20
    assert connected, "the committer has one"
    assert "drive" not in connected


@pytest.mark.django_db(transaction=True)
def test_no_thread_waits_for_what_is_written_at_leisure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would need a sandbox of its own for those that it lets in beside it."""
    made = []
    runner = get_runner()

    @contextmanager
    def shared() -> Iterator[Runner]:
        with runner.shared() as own:
            made.append(own)
            yield own

    monkeypatch.setattr(drive, "LONGEST_UNWRITTEN", 0.0)
    process("Three", {name: code("1") for name in "ABC"}, (1, "A"), (2, "B"), (3, "C"))
    operations.start_many("Three", count=40)
    engine(runner=cast("Runner", SharedBy(runner, shared)), concurrency=1, batch=40).run(Mode.UNTIL_IDLE)
    assert RunningProcesses.objects.filter(state=InstanceState.FINISHED).count() == 40
    assert len(made) == 1


@pytest.mark.django_db(transaction=True)
def test_rows_that_are_known_to_be_short_need_no_thread_each(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """They come one after the other, each as the others find the data; what ends the step leaves the rest undone."""
    settings.WORKFLOW = {**settings.WORKFLOW, "TIME_LIMIT": TIME_LIMIT}
    aside = []
    execute = drive.Drive._execute_aside
    monkeypatch.setattr(drive.Drive, "_execute_aside", lambda *given: aside.append(given) or execute(*given))
    tasks = {
        "A": code("data['n'] = data.get('n', 0) + 1  # both"),
        "B": code("data['m'] = data.get('n', 0) + 2  # both"),
        "Over": code("'over before the rest'"),
    }
    process("Both", tasks, (1, "A"), (1, "B"), (2, "Over", {"ends_step": True}), (2, "A"))
    with quick_runner() as runner:
        operations.start("Both")
        engine(runner=runner).run(Mode.UNTIL_IDLE)
        assert len(aside) >= 2
        aside.clear()
        instances = operations.start_many("Both", count=20)
        engine(runner=runner).run(Mode.UNTIL_IDLE)
    assert not aside
    for instance in RunningProcesses.objects.filter(pk__in=[one.pk for one in instances]):
        assert instance.data == {"n": 1, "m": 2}
        assert outline(instance) == [
            (1, 1, "A", "FINISHED"),
            (1, 1, "B", "FINISHED"),
            (2, 2, "Over", "FINISHED"),
            (2, 2, "A", "CANCELLED"),
        ]


@pytest.mark.parametrize(
    ("becomes", "state"),
    [
        (Applied.DONE, InstanceState.FINISHED),
        (Applied.OUTDATED, InstanceState.FINISHED),
        (Applied.LOST, InstanceState.RUNNING),
        (ValueError("It can't be written."), InstanceState.FAILED),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_what_becomes_of_a_write_on_the_way_is_that_instances_alone(
    becomes: Applied | Exception, state: InstanceState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody decided meanwhile, or another engine has it: here of the first write of the first of three."""
    monkeypatch.setattr(drive, "LONGEST_UNWRITTEN", 0.0)
    process("Two", {name: code("data['n'] = data.get('n', 0) + 1") for name in "AB"}, (1, "A"), (2, "B"))
    first, *others = (one.pk for one in operations.start_many("Two", count=3))
    told: list[int] = []

    def apply(lease: Lease, turn: Turn) -> Applied:
        if lease.instance != first or told or becomes is Applied.DONE:
            return transitions.apply(lease, turn)
        told.append(first)
        if isinstance(becomes, Exception):
            raise becomes
        return becomes

    def apply_all(turns: Sequence[tuple[Lease, Turn]]) -> list[Applied]:
        if len(turns) > 1:
            raise ValueError("Each is written by itself.")
        return [apply(*turns[0])]

    monkeypatch.setattr(commit, "transitions", SimpleNamespace(apply_all=apply_all))
    engine().run(Mode.ONCE)
    instances = RunningProcesses.objects.in_bulk()
    assert instances[first].state == state
    assert (instances[first].data == {"n": 2}) == (state == InstanceState.FINISHED)
    assert [(instances[key].state, instances[key].data) for key in others] == [(InstanceState.FINISHED, {"n": 2})] * 2

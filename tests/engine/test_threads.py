"""An engine's own threads."""

from threading import Event, current_thread
from typing import Any, cast

import pytest
from django.db.backends.signals import connection_created
from django.utils import timezone

from tests.build import code, engine, process
from workflow import operations
from workflow.code.runner import Runner
from workflow.engine import Mode
from workflow.engine.patience import Patience
from workflow.engine.threads import Threads
from workflow.models import InstanceState, RunningProcesses


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
        clock=timezone.now,
        patience=Patience(stopping=Event()),
        ended=lambda _: None,
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

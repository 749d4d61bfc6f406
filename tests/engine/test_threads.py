"""An engine's own threads."""

from threading import Event
from typing import Any, cast

import pytest
from django.utils import timezone

from workflow.code.runner import Runner
from workflow.engine.patience import Patience
from workflow.engine.threads import Threads


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

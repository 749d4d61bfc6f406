"""The sandbox's processes die under the engine, as when the machine runs out of memory."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build import code, process
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.models import RunningProcesses

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# The first attempt would take for ever.
LONG = "note('begun')\nfirst, n = attempt() == 1, 0\nwhile first and n < 10 ** 9:\n    n = n + 1\n'done'"


def test_the_task_is_tried_again_or_fails_and_the_engine_goes_on(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    limits = {"time_limit": 100, "retry_delay": 0}
    process("Retried", {"A": code(LONG, max_attempts=2, **limits)}, (1, "A"))
    process("Fails", {"A": code(LONG, **limits)}, (1, "A"))
    retried, fails = operations.start_many(["Retried", "Fails"])
    engine = start_engine("--concurrency", "2")
    eventually(lambda: effects.read_text() == "begun\nbegun\n", lambda: engine.log)
    time.sleep(0.5)  # until both compute
    for worker in engine.workers():
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: not RunningProcesses.objects.filter(ended_at=None).exists(), lambda: engine.log)
    retried.refresh_from_db()
    fails.refresh_from_db()
    assert fails.state == "FAILED"
    assert fails.error["type"] == "SandboxCrashed"
    assert "[attempt 1 of 2 failed: SandboxCrashed" in retried.task_runs.get().log
    assert (retried.state, retried.results) == ("FINISHED", {"A": "done"})

    process("After", {"A": code("'still here'")}, (1, "A"))
    after = operations.start("After")
    engine.told(f"After instance {after.pk} is FINISHED")
    engine.signal(signal.SIGTERM)
    assert engine.ended() == 0

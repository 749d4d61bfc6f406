"""How an engine is stopped: it ends what it runs, hands the rest back, and says so; a second signal ends it at once."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection, transaction

from tests.build import code, process, run_until_idle
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.models import RunningProcesses, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SIGNALS = [signal.SIGTERM, signal.SIGINT]
COMPUTING = "n = 0\nwhile n < 700000:\n    n = n + 1\nn"


def states() -> set[str]:
    return set(RunningProcesses.objects.values_list("state", flat=True))


@pytest.mark.parametrize("group", [False, True], ids=["the engine", "its process group"])
@pytest.mark.parametrize("number", SIGNALS)
def test_under_load_everything_is_ended_or_handed_back(
    number: int, group: bool, start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    """A terminal and a service manager signal the whole group, with the processes in which code runs."""
    tasks = {"A": code(f"note(f'{{run.id}}')\n{COMPUTING}", time_limit=60), "B": code(COMPUTING, time_limit=60)}
    process("P", tasks, (1, "A"), (2, "A"), (2, "B"), (3, "B"))
    instances = operations.start_many(["P"], count=8)
    engine = start_engine("--concurrency", "2", "--batch", "5")
    engine.told("Result of P task")
    engine.signal(number, group=group)

    assert engine.ended() == 0, engine.log
    assert "stopped; it holds nothing." in engine.log.splitlines()[-1]
    assert group or "in a new session" not in engine.log
    assert "READY" in states(), engine.log
    assert states() <= {"READY", "FINISHED"}, engine.log
    assert set(RunningProcesses.objects.values_list("owner", flat=True)) == {""}

    run_until_idle()
    assert states() == {"FINISHED"}
    assert set(TaskRun.objects.values_list("state", "attempt", "result")) == {("FINISHED", 1, 700000)}
    keys = [str(instance.pk) for instance in instances for _ in range(2)]
    assert sorted(effects.read_text().split()) == sorted(keys), "no call was made again"


@pytest.mark.parametrize("number", SIGNALS)
def test_an_idle_engine_stops_at_once(number: int, start_engine: Callable[..., EngineProcess]) -> None:
    engine = start_engine("--poll-interval", "30")
    engine.told("started.")
    engine.signal(number)
    began = time.monotonic()
    assert engine.ended() == 0
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_it_at_once_and_others_go_on(
    number: int, start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    process("P", {"A": code("note('begun')\nhold()\n'done'")}, (1, "A"))
    operations.start("P")
    engine = start_engine("--lease", "1")
    eventually(effects.read_text, lambda: engine.log)
    engine.signal(number)
    time.sleep(0.5)
    assert engine.process.poll() is None, "it lets its code end"
    began = time.monotonic()
    engine.signal(number)
    assert engine.ended() == 128 + number
    assert time.monotonic() - began < 3
    assert states() == {"RUNNING"}, "until its lease is over"

    effects.with_name("END").touch()
    assert start_engine("--until-idle").ended() == 0
    assert states() == {"FINISHED"}
    assert effects.read_text() == "begun\n"


def impatient(database_url: str) -> str:
    """The address for one that waits a moment for what is locked, and then takes the database for gone."""
    options = "timeout=1" if connection.vendor == "sqlite" else "options=-c%20lock_timeout%3D1s"
    return f"{database_url}?{options}"


def test_what_it_can_not_hand_back_is_told(start_engine: Callable[..., EngineProcess], database_url: str) -> None:
    process("P", {"A": code("pause(2)\n'done'")}, (1, "A"))
    keys = [instance.pk for instance in operations.start_many(["P"], count=2)]
    engine = start_engine("--lease", "60", DATABASE_URL=impatient(database_url))
    eventually(lambda: TaskRun.objects.filter(call_number=1).count() == 2, lambda: engine.log)
    with transaction.atomic():
        RunningProcesses.objects.update(step=1)  # for the engine, these rows are locked until it has ended
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0
    assert all(f"Instance {key} was left to its lease: " in engine.log for key in keys), engine.log
    assert "stopped; instances left to their leases: 2." in engine.log.splitlines()[-1], engine.log
    assert states() == {"RUNNING"}


def test_a_signal_as_soon_as_it_has_started_is_heard(start_engine: Callable[..., EngineProcess]) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=20)
    engine = start_engine()
    engine.told("started.")
    engine.signal(signal.SIGTERM)
    assert engine.ended() == 0
    assert states() <= {"READY", "FINISHED"}

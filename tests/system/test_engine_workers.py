"""`runengine --workers`: engines of one command, which are killed, stopped, or lose their parent."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry

from tests.build import code, process, run_until_idle
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.models import Engine, RunningProcesses, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

COMPUTING = "n = 0\nwhile n < 300000:\n    n = n + 1\nn"


def states() -> set[str]:
    return set(RunningProcesses.objects.values_list("state", flat=True))


def runs(pid: int) -> bool:
    """Whether it is there, and is not just the memory of a process that nobody has asked for since."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.fixture
def start_two(start_engine: Callable[..., EngineProcess]) -> Callable[..., EngineProcess]:
    """Starts a command with two workers, and waits until both are up."""

    def start(*options: str) -> EngineProcess:
        command = start_engine("--workers", "2", *options)
        eventually(lambda: command.log.count(" started.") == 2, lambda: command.log)
        return command

    return start


def test_one_that_is_killed_comes_again_and_all_stop_together(start_two: Callable[..., EngineProcess]) -> None:
    command = start_two()
    first, second = command.workers()
    # They announce themselves right after they have said that they started.
    eventually(lambda: set(Engine.objects.values_list("pid", flat=True)) == {first, second}, lambda: command.log)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: command.log.count(" started.") == 3, lambda: command.log)
    assert "ended with exit code 137; it is started again in" in command.log
    assert command.workers()[0] == second

    command.signal(signal.SIGTERM)
    assert command.ended() == 0, command.log
    assert command.log.count("stopped; it holds nothing.") == 2
    assert not Engine.objects.exists(), command.log


def test_ctrl_c_reaches_all_of_them_and_is_one_signal(start_two: Callable[..., EngineProcess], effects: Path) -> None:
    process("P", {"A": code(f"note(f'{{run.id}}')\n{COMPUTING}")}, (1, "A"), (2, "A"))
    instances = operations.start_many(["P"], count=60)
    command = start_two("--batch", "10")
    command.told("Result of P task")
    command.signal(signal.SIGINT, group=True)
    assert command.ended() == 0, command.log
    assert command.log.count("stopped; it holds nothing.") == 2
    assert "READY" in states(), command.log
    assert states() <= {"READY", "FINISHED"}, command.log

    run_until_idle()
    assert set(TaskRun.objects.values_list("state", "attempt", "result")) == {("FINISHED", 1, 300000)}
    assert sorted(effects.read_text().split()) == sorted(str(one.pk) for one in instances for _ in range(2))


def test_they_stop_cleanly_when_their_parent_is_killed(start_two: Callable[..., EngineProcess], effects: Path) -> None:
    process("P", {"A": code("note('begun')\npause(1)\n'done'")}, (1, "A"))
    operations.start("P")
    command = start_two()
    engines = command.workers()
    eventually(effects.read_text, lambda: command.log)
    command.signal(signal.SIGKILL)
    command.ended()
    eventually(lambda: not any(map(runs, engines)), lambda: command.log)
    assert command.log.count("stopped; it holds nothing.") == 2
    assert states() == {"FINISHED"}, "what ran was let end"
    assert effects.read_text() == "begun\n"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", ["die(99)", "kill_engine()"])
def test_what_kills_its_engine_holds_up_no_neighbours(
    way: str, start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    """However long a lease is: the parent knows who is dead."""
    process("Poison", {"A": code(way)}, (1, "A"))
    process("Neighbour", {"A": code("pause(0.2)\nbook(f'{run.id}')\nsay(f'{run.id}')")}, (1, "A"))
    neighbours = operations.start_many(["Neighbour"], count=50)
    poison = operations.start("Poison")
    began = time.monotonic()
    command = start_engine("--workers", "2", "--lease", "600", "--until-idle")
    eventually(lambda: not neighbours_left(), lambda: command.log, within=120)
    eventually(lambda: RunningProcesses.objects.get(pk=poison.pk).ended_at, lambda: command.log, within=120)
    assert command.ended() == 0, command.log
    assert time.monotonic() - began < 150, "a lease takes 600 s"
    poison.refresh_from_db()
    assert poison.state == "FAILED"
    assert "The engine died, or lost the instance or the database, 5 times" in poison.error["message"]
    assert command.log.count("it is started again") == 5

    assert set(RunningProcesses.objects.exclude(pk=poison.pk).values_list("state", flat=True)) == {"FINISHED"}
    booked = LogEntry.objects.values_list("object_repr", flat=True)
    assert sorted(booked) == sorted(str(one.pk) for one in neighbours), "nothing atomic is done twice"
    said = {line for line in effects.read_text().splitlines() if not line.startswith("died")}
    assert len(said) == 50, "what is repeated has the same key"
    assert not Engine.objects.exists()


def neighbours_left() -> bool:
    return RunningProcesses.objects.filter(process_name="Neighbour", ended_at=None).exists()

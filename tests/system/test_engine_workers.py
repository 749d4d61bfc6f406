"""`runengine --workers`: engines of one command, which are killed, stopped, or lose their parent."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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
    assert list(Engine.objects.values_list("pid", flat=True)) == [first], "which could not take its row along"


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

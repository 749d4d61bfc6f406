"""Processes that tests start by forks are like those that a user starts."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT, Manage, Spawn
from tests.forking import Forked
from tests.system.conftest import EngineProcess

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("arguments", [["checkprocess"], ["approve", "--help"], ["approve", "P", "A"], ["nonsense"]])
def test_they_say_the_same_and_end_alike(arguments: list[str], manage: Manage, environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", *arguments]
    afresh = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    done = manage(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (afresh.returncode, afresh.stdout, afresh.stderr)


def test_only_what_needs_other_settings_starts_afresh(spawn: Spawn) -> None:
    assert isinstance(spawn("checkprocess", EFFECTS="here"), Forked)
    assert isinstance(spawn("checkprocess", LOG_LEVEL="ERROR"), subprocess.Popen)


def test_they_can_be_killed_and_signalled_as_a_group(spawn: Spawn) -> None:
    engine, other = EngineProcess(spawn("runengine")), EngineProcess(spawn("runengine"))
    assert os.getpgid(engine.process.pid) == engine.process.pid
    for one in (engine, other):
        one.told("started.")
        assert one.process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        engine.process.wait(timeout=0.01)
    engine.process.kill()
    assert engine.ended() == -signal.SIGKILL
    other.signal(signal.SIGTERM, group=True)
    assert other.ended() == 0
    other.process.kill()  # does nothing to whoever has its number now

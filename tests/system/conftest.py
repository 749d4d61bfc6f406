"""Engines that are processes of their own, and what they do to the world."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import IS_SECOND_RUN, ROOT, Spawn
from tests.postgres import OWN

PATIENCE = 60.0  # seconds
TAKE_IT_AWAY = ["test_chaos.py", "test_server_gone.py"]
"""Tests that stop and kill the server of PostgreSQL, which others must not need meanwhile: `test_own_server.py` runs them."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    name = collection_path.name
    if name == "test_own_server.py":
        return bool(OWN) or None
    if name == "test_server_gone.py" or (name in TAKE_IT_AWAY and IS_SECOND_RUN):
        return not OWN or None
    return None


@pytest.fixture
def start_engine(spawn: Spawn, effects: Path) -> Callable[..., "EngineProcess"]:
    """Starts an engine as a process."""

    def start(*options: str, **variables: str) -> EngineProcess:
        variables["EFFECTS"] = str(effects)
        return EngineProcess(spawn("runengine", "--poll-interval", "0.05", *options, **variables))

    return start


@pytest.fixture
def engines(environment: dict[str, str], effects: Path) -> Iterator["Engines"]:
    """Runs an engine until nothing is due, or until it is killed at that place; gives its exit code."""
    command = [sys.executable, "-m", "tests.app.engines"]
    variables = {**environment, "EFFECTS": str(effects), "EMAIL_URL": f"filemail:///{effects.parent}/mail"}
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        (effects.parent / "engines.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=variables, stderr=log, **pipes) as forking,
    ):
        yield Engines(forking, effects.parent / "engines.log")
        forking.kill()


class Engines:
    """Engines that run one after the other."""

    commits = 0
    """How many the last one has made that was not killed."""

    def __init__(self, forking: Any, log: Path) -> None:
        self._forking, self._log = forking, log

    def __call__(self, kill_at: str = "") -> int:
        self._forking.stdin.write(f"{kill_at}\n")
        self._forking.stdin.flush()
        answer = self._forking.stdout.readline()
        assert answer, self._log.read_text()
        code, *commits = map(int, answer.split())
        if not code:
            (self.commits,) = commits
        return code


class EngineProcess:
    """An engine, or a worker of a task queue, that runs, or has run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def log(self) -> str:
        path: Path = self.process.log  # type: ignore[attr-defined]
        return path.read_text()

    def told(self, text: str) -> None:
        """Wait until it has logged this."""
        eventually(lambda: text in self.log, lambda: f"{text!r} is not in the log:\n{self.log}")

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to it, or, as a terminal does, to all processes of its group."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"The engine does not end:\n{self.log}") from None

    def workers(self) -> list[int]:
        """The processes in which it runs code."""
        return [pid for pid, parent in parents() if parent == self.process.pid]


def parents() -> list[tuple[int, int]]:
    """Each process of this machine, with the one that started it."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [(int(pid), int(parent)) for pid, parent in map(str.split, listed.splitlines())]


def eventually(
    is_so: Callable[[], Any], told: Callable[[], str] = lambda: "It does not come to pass.", *, within: float = PATIENCE
) -> None:
    """Wait until it is so: for that many seconds."""
    deadline = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)

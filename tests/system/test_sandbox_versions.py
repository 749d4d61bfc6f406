"""The sandbox is upgraded while code sleeps: what fell asleep under one version of pydantic-monty goes on under another, by its snapshot
or by a replay, in both directions and in a mixed fleet. No call is made twice.
"""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.build import code, process
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.models import ActionCall, RunningProcesses, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

OTHER = "1.3.0"
"""A version before the one that is installed."""
PACKAGES = ("pydantic-monty", "pydantic-monty-client", "pydantic-monty-runtime")
NO_NETWORK = re.compile(r"NewConnectionError|ConnectTimeout|NameResolutionError|ProxyError|Network is unreachable")

Start = Callable[..., EngineProcess]

SLEEPERS = {
    "Loop": (
        "keys = []\n"
        "for n in range(3):\n"
        "    note(f'{run.id} loop {n}')\n"
        "    keys.append(wait_for('go'))\n"
        "data['keys'] = keys",
        {"keys": ["payload"] * 3},
    ),
    "Function": (
        "def after(text, times):\n"
        "    found = {'text': text * times, 'list': [n * n for n in range(times)]}\n"
        "    found['signal'] = wait_for('go')\n"
        "    return found\n"
        "try:\n"
        "    data['found'] = after('ä\U0001f600', 3)\n"
        "    raise ValueError('after')\n"
        "except ValueError as error:\n"
        "    data['error'] = str(error)\n"
        "note(f'{run.id} function')",
        {"found": {"text": "ä\U0001f600" * 3, "list": [0, 1, 4], "signal": "payload"}, "error": "after"},
    ),
    "Dates": (
        "import datetime\n"
        "day = datetime.date(2026, 3, 1)\n"
        "note(f'{run.id} {day}')\n"
        "wait_for('go')\n"
        "data['days'] = [str(day + datetime.timedelta(days=n)) for n in range(2)]",
        {"days": ["2026-03-01", "2026-03-02"]},
    ),
    "Chance": (
        "import random\n"
        "x = random.random()\n"
        "note(f'{run.id} {x}')\n"
        "wait_for('go')\n"
        "data['same'] = x == data.get('x', x)\n"
        "note(f'{run.id} {x} again')",
        {"same": True},
    ),
}
"""Code that waits in the middle, with what it is to make of its data."""


@pytest.fixture(scope="session")
def other_sandbox(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables by which a process takes another version of the sandbox than the one that is installed."""
    folder = tmp_path_factory.mktemp("sandbox")
    wanted = [f"{name}=={OTHER}" for name in PACKAGES]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--retries",
        "2",
        "--target",
        str(folder),
    ]
    done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode and NO_NETWORK.search(done.stderr):
        pytest.skip(f"pydantic-monty {OTHER} can't be installed without a network.")
    assert done.returncode == 0, done.stderr
    # Its worker would else be the one that is installed beside Python.
    return {"PYTHONPATH": str(folder), "MONTY_BIN": str(folder / "bin" / "monty")}


@pytest.fixture
def start(start_engine: Start, other_sandbox: dict[str, str]) -> Start:
    """Starts an engine with the installed version of the sandbox, or the other one."""

    def start(*options: str, other: bool) -> EngineProcess:
        return start_engine(*options, **(other_sandbox if other else {}))

    return start


def test_there_are_two_versions(other_sandbox: dict[str, str], environment: dict[str, str]) -> None:
    asked = "import pydantic_monty, subprocess, os; print(pydantic_monty.__version__)"
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, env={**environment, **other_sandbox}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == OTHER != version("pydantic-monty")


@pytest.mark.parametrize("other_first", [True, False])
@pytest.mark.parametrize("are_kept", [True, False], ids=["by snapshot", "by replay"])
def test_what_fell_asleep_under_one_version_goes_on_under_the_other(
    start: Start, effects: Path, other_first: bool, are_kept: bool
) -> None:
    for name, (text, _) in SLEEPERS.items():
        process(name, {"A": code(text)}, (1, "A"))
        operations.start(name)
    other = other_first
    for _ in range(3):
        assert start("--until-idle", other=other).ended() == 0
        other = not other
        if not are_kept:
            TaskRun.objects.update(snapshot=b"")
        operations.signal("go", "payload", transient=True)
    assert start("--until-idle", other=other).ended() == 0
    for instance in RunningProcesses.objects.all():
        assert (instance.process_name, instance.state, instance.error) == (instance.process_name, "FINISHED", None)
        assert instance.data == SLEEPERS[instance.process_name][1]
    assert_nothing_was_done_twice(effects)


def test_in_a_mixed_fleet_either_takes_what_the_other_has_put_to_sleep(start: Start, effects: Path) -> None:
    text = "total = 0\nfor n in range(6):\n    total += note(f'{run.id} {n}')\n    sleep(seconds=0.1)\ndata['total'] = total"
    process("Naps", {"A": code(text)}, (1, "A"))
    engines = [start("--batch", "3", other=other) for other in (True, False)]
    for engine in engines:
        engine.told("started.")
    operations.start_many(["Naps"], count=20)
    eventually(
        lambda: not RunningProcesses.objects.filter(ended_at=None).exists(),
        lambda: "\n".join(engine.log for engine in engines),
    )
    for engine in engines:
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0
        assert "task A waits until" in engine.log, "both had their share"
    for instance in RunningProcesses.objects.all():
        assert (instance.state, instance.data) == ("FINISHED", {"total": 6 * len(f"{instance.pk} 0")})
    assert_nothing_was_done_twice(effects)


def assert_nothing_was_done_twice(effects: Path) -> None:
    """As the world saw it, and as the ledger has it."""
    lines = Counter(effects.read_text().splitlines())
    assert max(lines.values()) == 1
    assert sum(lines.values()) == ActionCall.objects.filter(name="note").count()
    assert set(TaskRun.objects.values_list("state", "attempt")) == {("FINISHED", 1)}
    assert set(ActionCall.objects.values_list("attempt", flat=True)) == {1}

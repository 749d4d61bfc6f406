"""A server of PostgreSQL that is stopped under load, and started after a while: engines wait for it, and say so once."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tests.build import code, process
from tests.postgres import OWN
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.models import RunningProcesses

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not OWN, reason="It stops the server: set TEST_DATABASE=postgres TEST_POSTGRES=wheel."),
]

INSTANCES = 100
AWAY = 3.0  # seconds
DOWN = "The database can't be used ("
UP = "The database can be used again."


def begin(start_engine: Callable[..., EngineProcess], engines: int) -> list[EngineProcess]:
    """Engines that are in the middle of many instances."""
    User.objects.create_user("book")
    text = "book(f'{run.id}')\nnote(f'{run.id} a')\nsleep(seconds=0.05)\nnote(f'{run.id} b')"
    process("P", {"A": code("data['n'] = run.id"), "B": code(text, time_limit=60)}, (1, "A"), (2, "B"))
    started = [start_engine("--lease", "60", "--batch", "10") for _ in range(engines)]
    for engine in started:
        engine.told("started")
    operations.start_many(["P"], count=INSTANCES)
    eventually(lambda: LogEntry.objects.count() > INSTANCES // 10)
    return started


def stop_server() -> None:
    connection.close()
    OWN[0].stop()


def assert_done_once(effects: Path) -> None:
    keys = list(RunningProcesses.objects.values_list("pk", flat=True))
    assert set(RunningProcesses.objects.values_list("state", "error")) == {("FINISHED", None)}
    assert len(keys) == INSTANCES
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == sorted(map(str, keys))
    assert set(effects.read_text().splitlines()) == {f"{key} {what}" for key in keys for what in "ab"}


def test_engines_wait_for_it_and_say_so_once(start_engine: Callable[..., EngineProcess], effects: Path) -> None:
    engines = begin(start_engine, 2)
    stop_server()
    for engine in engines:
        engine.told(DOWN)
    time.sleep(AWAY)
    assert all(engine.process.poll() is None for engine in engines)
    OWN[0].start()
    eventually(lambda: not RunningProcesses.objects.filter(ended_at=None).exists(), lambda: engines[0].log[-5000:])
    for engine in engines:
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0
        assert (engine.log.count(DOWN), engine.log.count(UP)) == (1, 1), engine.log[-5000:]
        assert "Traceback" not in engine.log, engine.log
    assert_done_once(effects)
    assert Counter(effects.read_text().splitlines()).most_common(1)[0][1] == 1, "no engine has died"


def test_one_that_is_told_to_stop_while_it_waits_does_and_another_goes_on(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    (engine,) = begin(start_engine, 1)
    stop_server()
    engine.told(DOWN)
    engine.signal(signal.SIGTERM)
    assert engine.ended() == 0, engine.log[-5000:]
    OWN[0].start()
    RunningProcesses.objects.exclude(owner="").update(due_at=timezone.now())  # not to wait for its lease
    other = start_engine("--until-idle")
    assert other.ended() == 0, other.log[-5000:]
    assert_done_once(effects)

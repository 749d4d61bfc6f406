"""Engines announce themselves, and `runengine --check` tells whether one is alive."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.conftest import Manage
from tests.system.conftest import EngineProcess, eventually
from workflow import clock
from workflow.models import Engine

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_the_command_tells_whether_one_is_alive(manage: Manage, start_engine: Callable[..., EngineProcess]) -> None:
    none = manage("runengine", "--check")
    assert none.returncode == 1
    assert "No engine has announced itself on" in none.stderr

    engine = start_engine()
    eventually(Engine.objects.exists, lambda: engine.log)
    alive = manage("runengine", "--check")
    assert (alive.returncode, alive.stdout) == (0, "An engine is alive.\n")
    assert manage("runengine", "--check", "elsewhere").returncode == 1

    engine.process.kill()
    engine.ended()
    dead = Engine.objects.get()
    Engine.objects.update(seen_at=clock.now() - timedelta(seconds=dead.lease + 5))
    told = manage("runengine", "--check", "any")
    assert told.returncode == 1
    assert f"the last word of {dead.name} was" in told.stderr

    assert start_engine("--until-idle").ended() == 0
    assert Engine.objects.get() == dead, "one that stops takes its row along; the dead one's stays to be seen"


def test_it_says_so_three_times_in_a_lease(start_engine: Callable[..., EngineProcess]) -> None:
    engine = start_engine("--lease", "0.6")
    eventually(Engine.objects.exists, lambda: engine.log)
    first = Engine.objects.get().seen_at
    eventually(lambda: Engine.objects.get().seen_at > first + timedelta(seconds=1), lambda: engine.log)

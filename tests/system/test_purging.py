"""A purge beside engines at work: they don't notice it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.build import code, process
from tests.system.conftest import EngineProcess, eventually
from tests.system.test_many_engines import assert_calm
from workflow import operations
from workflow.models import RunningProcesses, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

INSTANCES = 40


def test_engines_go_on_while_what_they_have_ended_is_deleted(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    process("Child", {"A": code("note(f'{data[\"of\"]} child')")}, (1, "A"))
    text = "note(f'{run.id} begun')\nrun_process('Child', of=run.id)\nnote(f'{run.id} done')"
    process("Parent", {"A": code(text)}, (1, "A"))
    instances = operations.start_many(["Parent"], count=INSTANCES)
    engines = [start_engine("--batch", "5") for _ in range(2)]
    deleted = []

    def all_gone() -> bool:
        deleted.extend(done.instances for done in operations.purge(timedelta(), batch=3))
        return not RunningProcesses.objects.exists()

    eventually(all_gone, lambda: "\n".join(engine.log for engine in engines))
    assert sum(deleted) == 2 * INSTANCES
    assert not TaskRun.objects.exists()
    noted = Counter(effects.read_text().splitlines())
    assert noted == Counter(f"{one.pk} {what}" for one in instances for what in ("begun", "child", "done"))
    for engine in engines:
        assert_calm(engine.log)

"""Engines that are killed at any moment: others go on, and nothing is lost, done twice, or left behind."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.build import code, outline, process, run_until_idle
from tests.system.conftest import EngineProcess, eventually, parents
from workflow import operations
from workflow.models import ActionCall, RunningProcesses, RunState, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

INSTANCES = 30
KILLS = 6
LOOPS = 3
NOTES = 1 + LOOPS * 2


def mixed() -> None:
    """Code in a row, rows side by side, retries, a condition, and a loop."""
    noted = "note(f'{run.id} {run.task} {data.get(\"n\")}')"
    tasks = {
        "Begin": code(f"{noted}\ndata['n'] = 0"),
        "Left": code(f"pause(0.02)\n{noted}\n'left'"),
        "Right": code(f"{noted}\npause(0.02)\ndata['n'] + 1"),
        "Flaky": code("look_up('x')\nfail_first(1)", max_attempts=2, retry_delay=0.05),
        "Count": code("data['n'] = results['Right']"),
        "Rarely": code("data['rarely'] = data['n']"),
        "Again": code("None"),
        "End": code("data['end'] = 'end'"),
    }
    again = {"condition": f"data['n'] < {LOOPS}", "then": 20}
    process(
        "Mixed", tasks,
        (10, "Begin"), (20, "Left"), (20, "Right"), (20, "Flaky"), (30, "Count"),
        (40, "Rarely", {"condition": "data['n'] == 2"}), (50, "Again", again), (60, "End"),
    )  # fmt: skip


def told_of(instance: RunningProcesses) -> Any:
    """All of an instance that does not depend on who ran it when."""
    instance.refresh_from_db()
    runs = instance.task_runs.order_by("visit", "row").values_list("task_name", "attempt", "result")
    return instance.state, instance.data, instance.results, instance.visit, outline(instance), list(runs)


@pytest.mark.timeout(300)
def test_all_ends_as_if_no_engine_had_ever_died(start_engine: Callable[..., EngineProcess], effects: Path) -> None:
    mixed()
    model = operations.start("Mixed")
    while not model.ended_at:
        run_until_idle()
        model.refresh_from_db()
    assert Counter(effects.read_text().splitlines()).total() == NOTES
    effects.write_text("")

    chance = random.Random(seed := random.randrange(2**32))
    instances: list[RunningProcesses] = []
    for _ in range(KILLS):
        if not RunningProcesses.objects.filter(ended_at=None).exists():
            instances += operations.start_many(["Mixed"], count=INSTANCES)
        engine = start_engine("--lease", "1", "--batch", "10")
        engine.told("is RUNNING")
        time.sleep(chance.uniform(0.0, 0.4))
        engine.process.kill()
        engine.ended()
    while RunningProcesses.objects.filter(ended_at=None).exists():
        engine = start_engine("--until-idle", "--lease", "1", "--batch", "10")
        assert engine.ended() == 0, f"seed {seed}\n{engine.log}"

    for instance in instances:
        assert told_of(instance) == told_of(model), f"instance {instance.pk}, seed {seed}"
    assert not TaskRun.objects.filter(state=RunState.RUNNING).exists()
    assert set(RunningProcesses.objects.values_list("owner", "due_at")) == {("", None)}
    assert ActionCall.objects.count() == (len(instances) + 1) * ActionCall.objects.filter(run__instance=model).count()
    assert_effects(Counter(effects.read_text().splitlines()), instances=len(instances))


def assert_effects(counted: Counter[str], *, instances: int) -> None:
    """Each call was made; what was made twice is no more than what the engines had in hand when they died."""
    assert len(counted) == instances * NOTES
    assert counted.total() - len(counted) <= KILLS * 8, "of 4 instances, two notes side by side"


def test_an_engine_that_was_killed_leaves_no_worker_behind(start_engine: Callable[..., EngineProcess]) -> None:
    process("Long", {"A": code("n = 0\nwhile n < 10 ** 9:\n    n = n + 1", time_limit=2)}, (1, "A"))
    operations.start("Long")
    engine = start_engine()
    engine.told("is RUNNING")
    eventually(engine.workers)
    workers = set(engine.workers())
    engine.process.kill()
    engine.ended()
    eventually(lambda: not workers & {pid for pid, _ in parents()}, lambda: "its workers live on")

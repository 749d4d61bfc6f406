"""Several engines, and people, at work on one database at the same time."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction

from tests.build import code, manual, process
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.models import RunningProcesses, TaskRun, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

STARTS = 20


@pytest.fixture(autouse=True)
def _somebody_can_decide(transactional_db: None) -> None:
    """What nobody can decide is logged, too."""
    User.objects.create_user("somebody", is_staff=True)


def test_nothing_is_run_twice_and_nobody_is_locked_out(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    noted = "note(f'{run.id} {run.task}')"
    tasks = {"Left": code(noted), "Right": code(noted), "Sign": manual(), "End": code(noted)}
    process("P", tasks, (1, "Left"), (1, "Right"), (2, "Sign"), (3, "End"))
    engines = [start_engine("--concurrency", "2", "--batch", "3") for _ in range(2)]
    for _ in range(STARTS):
        operations.start_many(["P"], count=2)
        for waiting in WaitingForApproval.objects.all()[:3]:
            operations.approve(waiting)

    def all_ended() -> bool:
        for waiting in WaitingForApproval.objects.all():
            operations.approve(waiting)
        return not RunningProcesses.objects.filter(ended_at=None).exists()

    eventually(all_ended, lambda: "\n".join(engine.log for engine in engines))
    for engine in engines:
        engine.signal(signal.SIGTERM)
    assert [engine.ended() for engine in engines] == [0, 0]

    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
    expected = {f"{key} {task}" for key in range_of_instances() for task in ("Left", "Right", "End")}
    assert Counter(effects.read_text().splitlines()) == Counter(expected)
    assert TaskRun.objects.count() == 2 * STARTS * 4
    for engine in engines:
        assert "Result of P task End" in engine.log, "both had their share"
        assert_calm(engine.log)


def range_of_instances() -> list[int]:
    return list(RunningProcesses.objects.values_list("pk", flat=True))


def assert_calm(log: str) -> None:
    """Nothing in the log but what an engine tells on a good day."""
    assert "locked" not in log
    assert {line.split()[1] for line in log.splitlines()} == {"level=INFO"}, log


def test_a_decision_beside_code_that_runs_is_not_lost(
    start_engine: Callable[..., EngineProcess], manage: Callable[..., object], effects: Path
) -> None:
    tasks = {"Sign": manual(), "Slow": code("note('begun')\nhold()\n'slow'"), "End": code("'end'")}
    process("P", tasks, (1, "Sign"), (1, "Slow"), (2, "End"))
    instance = operations.start("P")
    engine = start_engine("--until-idle")
    eventually(effects.read_text, lambda: engine.log)
    manage("approve", "P", "Sign", "--comment", "while it runs")
    instance.refresh_from_db()
    assert instance.state == "RUNNING"
    assert "task Slow" not in engine.log, "the decision came too late to be beside anything"

    effects.with_name("END").touch()
    assert engine.ended() == 0
    instance.refresh_from_db()
    assert instance.state == "FINISHED"
    decision = {"approved": True, "user": None, "comment": "while it runs"}
    assert instance.results == {"Sign": decision, "Slow": "slow", "End": "end"}
    assert effects.read_text() == "begun\n"
    assert_calm(engine.log)


def test_a_rejection_beside_code_that_runs_ends_the_instance_when_the_code_has_ended(
    start_engine: Callable[..., EngineProcess], manage: Callable[..., object], effects: Path
) -> None:
    process("P", {"Sign": manual(), "Slow": code("note('begun')\nhold()\n'slow'")}, (1, "Sign"), (1, "Slow"))
    instance = operations.start("P")
    engine = start_engine("--until-idle")
    eventually(effects.read_text, lambda: engine.log)
    manage("approve", "P", "Sign", "--reject")
    assert engine.process.poll() is None, "its code runs on"
    effects.with_name("END").touch()
    assert engine.ended() == 0
    instance.refresh_from_db()
    assert instance.state == "REJECTED", engine.log
    states = dict(instance.task_runs.values_list("task_name", "state"))
    assert states == {"Sign": "REJECTED", "Slow": "CANCELLED"}


def freeze(engine: EngineProcess) -> None:
    """Stop the engine between two transactions: one that stands still within one keeps its locks, and all wait for it."""
    for _ in range(100):
        engine.signal(signal.SIGSTOP)
        if _nothing_is_locked():
            return
        engine.signal(signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError("The engine is always within a transaction.")


def _nothing_is_locked() -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout = 100")
        try:
            with transaction.atomic():
                RunningProcesses.objects.select_for_update(nowait=True).get()
        except OperationalError:
            return False
        finally:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA busy_timeout = 30000")
    return True


def test_an_engine_that_stood_still_beyond_its_lease_changes_nothing_any_more(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    text = "note('begun')\nbefore = engine_pid()\npause(1)\n[before, engine_pid()]"
    process("P", {"A": code(text), "B": code("results['A']")}, (1, "A"), (2, "B"))
    instance = operations.start("P")
    frozen = start_engine("--lease", "1")
    eventually(effects.read_text, lambda: frozen.log)
    freeze(frozen)

    other = start_engine("--until-idle", "--lease", "1")
    assert other.ended() == 0, other.log
    instance.refresh_from_db()
    found = (instance.state, instance.fence, instance.results["A"][1], instance.results["B"])
    assert found == ("FINISHED", 2, other.process.pid, instance.results["A"])

    frozen.signal(signal.SIGCONT)
    frozen.told(f"The lease of instance {instance.pk} was lost")
    frozen.signal(signal.SIGTERM)
    assert frozen.ended() == 0
    assert "is FINISHED" not in frozen.log
    fresh = RunningProcesses.objects.get()
    assert (fresh.state, fresh.fence, fresh.results) == (instance.state, instance.fence, instance.results)
    assert TaskRun.objects.count() == 2

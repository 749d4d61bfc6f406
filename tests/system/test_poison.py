"""Actions that end the engine's process whenever they are called: neither the engine nor other instances are held up for ever."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from tests.build import code, process
from tests.system.conftest import EngineProcess
from workflow import Operation, operate, operations
from workflow.code.execute import MOST_INTERRUPTED, SUSPECT
from workflow.models import ActionCall, InstanceState, RunningProcesses

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

GIVEN_UP = (
    "The engine died, or lost the instance or the database, 5 times while {}() was at work; it is not called again."
)


@pytest.fixture
def deaths(start_engine: Callable[..., EngineProcess]) -> Callable[..., int]:
    """Starts engines, one after another as they die, until one ends by itself; returns how many have died. What those held
    is free at once, as if their leases had run out.
    """

    def run(**variables: str) -> int:
        for died in range(20):
            engine = start_engine("--workers", "1", "--until-idle", **variables)
            if (exit_code := engine.ended()) == 0:
                return died
            assert exit_code == 9, engine.log
            RunningProcesses.objects.filter(state=InstanceState.RUNNING).update(due_at=timezone.now())
        raise AssertionError("the engines do not come to an end")

    return run


@pytest.mark.timeout(180)
def test_a_call_that_kills_the_engine_is_given_up_and_all_others_finish(
    deaths: Callable[..., int], effects: Path
) -> None:
    process("Poison", {"A": code(f"die({MOST_INTERRUPTED}, 'poison')")}, (1, "A"))
    process("Plain", {"A": code("note(f'plain {run.id}')")}, (1, "A"))
    process("Slow", {"A": code("pause(0.5)\nnote(f'slow {run.id}')")}, (1, "A"))
    poison = operations.start("Poison")
    operations.start_many(["Plain"], count=20)
    operations.start_many(["Slow"], count=4)

    assert deaths() == MOST_INTERRUPTED
    poison.refresh_from_db()
    assert poison.state == InstanceState.FAILED
    assert poison.error["type"] == "RuntimeError"
    assert poison.error["message"] == GIVEN_UP.format("die")
    assert ActionCall.objects.get(run__instance=poison).error["message"] == GIVEN_UP.format("die")
    others = RunningProcesses.objects.exclude(pk=poison.pk)
    assert set(others.values_list("state", flat=True)) == {InstanceState.FINISHED}, "slow ones were under way each time"

    operate(poison.pk, Operation.RETRY, reason="the library is mended")
    assert deaths() == 0
    poison.refresh_from_db()
    assert (poison.state, poison.results["A"]) == (InstanceState.FINISHED, "poison")


@pytest.mark.timeout(300)
def test_however_many_calls_kill_the_workers_all_others_finish_before(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    process("Poison", {"A": code("note('begun')\ndie(99, f'poison {run.id}')")}, (1, "A"))
    process("Slow", {"A": code("pause(0.2)\nnote(f'slow {run.id}')")}, (1, "A"))
    operations.start_many(["Poison"], count=3)
    operations.start_many(["Slow"], count=24)

    engine = start_engine("--workers", "2", "--until-idle")
    assert engine.process.wait(240) == 0, engine.log
    poison = RunningProcesses.objects.filter(process_name="Poison")
    assert {one.error["message"] for one in poison} == {GIVEN_UP.format("die")}
    others = RunningProcesses.objects.exclude(process_name="Poison")
    assert {one.state for one in others} == {InstanceState.FINISHED}
    assert max(one.ended_at for one in others) < min(one.ended_at for one in poison)


@pytest.mark.timeout(180)
def test_one_that_kills_it_less_often_is_made_again_and_an_atomic_one_is_given_up_likewise(
    deaths: Callable[..., int], effects: Path
) -> None:
    less_often = MOST_INTERRUPTED - 2
    process("Sturdy", {"A": code(f"die({less_often}, 'one')\ndie({less_often}, 'two')")}, (1, "A"))
    caught = "try:\n    book_and_die(99)\nexcept RuntimeError as error:\n    data['error'] = str(error)"
    process("Atomic", {"A": code(caught)}, (1, "A"))
    # One after the other: each death that the one dies counts for the other, too, if that is at work just then.
    sturdy = operations.start("Sturdy")
    assert deaths() == less_often * 2
    atomic = operations.start("Atomic")
    assert deaths() == MOST_INTERRUPTED
    sturdy.refresh_from_db()
    atomic.refresh_from_db()
    assert (sturdy.state, sturdy.results["A"]) == (InstanceState.FINISHED, "two")
    assert (atomic.state, atomic.data["error"]) == (InstanceState.FINISHED, GIVEN_UP.format("book_and_die"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("runner", ["sandbox", "trusted"])
def test_a_look_up_that_kills_the_engine_is_given_up_and_all_others_finish(
    runner: str, deaths: Callable[..., int], effects: Path
) -> None:
    """It is counted only once the instance is suspect: until then, nothing is written of it."""
    text = "found = [look_up('a'), look_up('b')]\nnote(f'before {run.id}')\nlook_up_and_die(99)"
    process("Poison", {"Before": code("1"), "A": code(text)}, (1, "Before"), (2, "A"))
    process("Plain", {"A": code("look_up('plain')\nnote(f'plain {run.id}')\npause(0.5)")}, (1, "A"))
    poison = operations.start("Poison")
    operations.start_many(["Plain"], count=5)

    assert deaths(WORKFLOW=f'{{"RUNNER": "{runner}"}}') == SUSPECT + MOST_INTERRUPTED
    poison.refresh_from_db()
    assert (poison.state, poison.error["message"]) == (InstanceState.FAILED, GIVEN_UP.format("look_up_and_die"))
    assert not ActionCall.objects.filter(name="look_up_and_die").exists(), "a look-up is in no ledger"
    others = RunningProcesses.objects.exclude(pk=poison.pk)
    assert set(others.values_list("state", flat=True)) == {InstanceState.FINISHED}
    assert effects.read_text().count(f"before {poison.pk}\n") <= SUSPECT + 1, (
        "once suspect, it is saved before the look-up"
    )


@pytest.mark.timeout(180)
def test_look_ups_that_kill_it_less_often_are_each_counted_by_themselves(
    deaths: Callable[..., int], effects: Path
) -> None:
    less_often = MOST_INTERRUPTED - 1
    text = f"[look_up_and_die({less_often + SUSPECT}, 'one'), look_up_and_die({less_often}, 'two')]"
    process("Sturdy", {"A": code(text)}, (1, "A"))
    sturdy = operations.start("Sturdy")
    assert deaths() == less_often * 2 + SUSPECT
    sturdy.refresh_from_db()
    assert (sturdy.state, sturdy.results["A"]) == (InstanceState.FINISHED, ["one", "two"])

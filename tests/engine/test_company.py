"""Instances that an engine drives together: each comes to what it would come to by itself, and none waits for another's slow code."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.build import code, engine, manual, process
from tests.engine.quick import TIME_LIMIT, quick_runner
from tests.engine.test_slow_beside import has_ended, kill_what_computes, working
from tests.system.conftest import eventually
from workflow import operations
from workflow.code.job import Job, Outcome
from workflow.code.runner import Runner, get_runner
from workflow.code.sandbox import SandboxRunner
from workflow.engine.company import Company, Way, way_of
from workflow.engine.loop import Mode
from workflow.models import RunningProcesses, TaskRun

COUNT = 'data["n"] = data.get("n", 0) + 1'
WARM_UP = 20


class Watched:
    """A runner that tells how many jobs have run together."""

    def __init__(self, real: Runner, told: list[int]) -> None:
        self._real = real
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @contextmanager
    def shared(self) -> Iterator["Watched"]:
        with self._real.shared() as opened:
            yield Watched(opened, self._told)

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        outcomes = self._real.run_together(jobs)
        self._told.append(sum(outcome is not None for outcome in outcomes))
        return outcomes


@pytest.fixture
def told() -> list[int]:
    return []


@pytest.fixture
def quick(settings: Any) -> Iterator[SandboxRunner]:
    """A runner that takes for short what a busy machine takes long for."""
    settings.WORKFLOW = {**settings.WORKFLOW, "TIME_LIMIT": TIME_LIMIT}
    with quick_runner() as runner:
        yield runner


@pytest.fixture
def run(told: list[int], quick: SandboxRunner) -> Callable[[], None]:
    return lambda: engine(runner=Watched(quick, told), batch=100).run(Mode.UNTIL_IDLE)


@pytest.mark.django_db(transaction=True)
def test_short_code_of_several_instances_runs_together(run: Callable[[], None], told: list[int]) -> None:
    process("P", {name: code(COUNT) for name in "ABC"}, (1, "A"), (2, "B"), (3, "C"))
    operations.start_many(["P"], count=WARM_UP)
    run()
    told.clear()
    operations.start_many(["P"], count=50)
    run()
    assert sum(told) > 75, "most; one that is left over runs by itself"
    assert max(told) > 10
    assert all(one.data == {"n": 3} for one in RunningProcesses.objects.all())
    assert Counter(TaskRun.objects.values_list("task_name", "state")) == {(name, "FINISHED"): 70 for name in "ABC"}


@pytest.mark.django_db(transaction=True)
def test_no_text_in_code_that_runs_together_is_changed(run: Callable[[], None], told: list[int]) -> None:
    odd = "A\u2028B\u2029C\x85D\x0bE\x1cF\x1dG\x1eH <b>"
    process("P", {"A": code(f"if run.id:  # {odd}\n  data['x'] = '{odd}'\ndata['x'] + f'{{1}}{odd}'")}, (1, "A"))
    operations.start_many(["P"], count=WARM_UP + 20)
    run()
    operations.start_many(["P"], count=20)
    run()
    assert sum(told) > 10
    assert {(one.data["x"], one.results["A"]) for one in RunningProcesses.objects.all()} == {(odd, f"{odd}1{odd}")}


@pytest.mark.django_db(transaction=True)
def test_conditions_of_several_instances_are_evaluated_together(
    run: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they say, and what is wrong with one of them, is each instance's own."""
    alone = []
    evaluate = SandboxRunner.evaluate
    monkeypatch.setattr(
        SandboxRunner, "evaluate", lambda *given, **named: alone.append(given) or evaluate(*given, **named)
    )
    fails = "12 / (data['id'] % 10)"
    process(
        "P",
        {"A": code("data['id'] = run.id"), "B": code("2"), "C": code("3")},
        (1, "A"),
        (2, "B", {"condition": "data['id'] % 2"}),
        (3, "C", {"condition": fails}),
    )
    operations.start_many(["P"], count=WARM_UP)
    run()
    alone.clear()
    operations.start_many(["P"], count=60)
    run()
    assert len(alone) < 60, "of 120 conditions"
    for one in RunningProcesses.objects.all():
        states = dict(TaskRun.objects.filter(instance=one).values_list("task_name", "state"))
        assert states["B"] == ("FINISHED" if one.pk % 2 else "SKIPPED")
        assert states["C"] == ("FINISHED" if one.pk % 10 else "FAILED")
        if not one.pk % 10:
            told = "The condition could not be evaluated: division by zero"
            assert (one.error["message"], one.error["line"], one.error["column"]) == (told, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_what_goes_its_own_way_comes_to_its_own_end(run: Callable[[], None], told: list[int]) -> None:
    """Conditions, calls, errors, people and loops, side by side, in the second round with code that is known to be short."""
    fails = "1 / (data['id'] % 3)"
    process(
        "P",
        {
            "A": code("data['id'] = run.id\n" + COUNT),
            "B": code("data['b'] = data['id'] % 2"),
            "C": code("data['key'] = key()"),
            "D": code(fails),
            "E": code(COUNT),
            "F": code("data['left'] = data['n'] < 4"),
            "G": manual(),
        },
        (1, "A"),
        (2, "B", {"condition": "data['id'] % 2"}),
        (3, "C", {"condition": "data['id'] % 5 == 0"}),
        (4, "D", {"on_error": 7}),
        (5, "E"),
        (6, "F", {"then": 5, "condition": "data['n'] < 4"}),
        (7, "G", {"condition": "data['id'] % 7 == 0"}),
    )
    for _ in range(2):
        operations.start_many(["P"], count=60)
        run()
    assert max(told) > 10
    for one in RunningProcesses.objects.all():
        assert one.state == ("WAITING" if one.pk % 7 == 0 else "FINISHED"), one.error
        assert one.data.get("b") == (1 if one.pk % 2 else None)
        assert ("key" in one.data) == (one.pk % 5 == 0)
        assert one.data["n"] == (4 if one.pk % 3 else 1)
        assert ("error" in one.data) == (one.pk % 3 == 0)
        taken = TaskRun.objects.filter(instance=one).order_by("visit", "row").values_list("visit", flat=True)
        assert sorted(set(taken)) == list(range(1, max(taken) + 1))


class Broken(Watched):
    """A runner that can't run anything together."""

    @contextmanager
    def shared(self) -> Iterator["Broken"]:
        with self._real.shared() as opened:
            yield Broken(opened, self._told)

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        self._told.append(len(jobs))
        raise OSError("no more processes")


@pytest.mark.django_db(transaction=True)
def test_what_can_not_run_together_runs_by_itself(
    told: list[int], quick: SandboxRunner, caplog: pytest.LogCaptureFixture
) -> None:
    process("P", {"A": code(COUNT), "B": code(COUNT)}, (1, "A"), (2, "B"))
    operations.start_many(["P"], count=WARM_UP)
    engine(runner=quick).run(Mode.UNTIL_IDLE)
    operations.start_many(["P"], count=30)
    engine(runner=Broken(quick, told), batch=100).run(Mode.UNTIL_IDLE)
    assert told
    assert "no more processes" in caplog.text
    assert all(one.data == {"n": 2} for one in RunningProcesses.objects.all())


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_short_code_that_takes_long_for_once_holds_back_nobody(told: list[int]) -> None:
    process("P", {"A": code("for _ in range(data['n']):\n    pass", time_limit=60), "B": code("1")}, (1, "A"), (2, "B"))
    runner = Watched(get_runner(), told)
    with working(engine(runner=runner, batch=100)):
        for _ in range(2):
            operations.start_many(["P"], {"n": 1}, count=WARM_UP)
            eventually(lambda: not RunningProcesses.objects.filter(ended_at=None).exists())
        assert max(told) > 1
        slow, *quick = operations.start_many("P", [{"n": 10**12}, *({"n": 1} for _ in range(40))])
        eventually(lambda: all(has_ended(one.pk) for one in quick), within=20)
        assert not has_ended(slow.pk)
        kill_what_computes()


def test_what_has_left_is_let_go_of_however_quick_another_thread_is() -> None:
    """Driven by two threads at once, an instance failed, and the engine ended."""
    gone: list[Way] = []
    driven: list[Way] = []

    def go_on(way: Way, outcome: Outcome | None, runner: Runner) -> bool:
        assert way not in gone, "another thread has it"
        driven.append(way)
        return len(driven) < 4

    def later(way: Way) -> None:
        gone.append(way)
        way.job = SimpleNamespace()  # by now it has come to short code there

    company = Company(go_on=go_on, later=later, are_others=lambda: False, is_slow=lambda _: False)
    runner: Any = SimpleNamespace(run_together=lambda jobs: [None] * len(jobs))
    nobody: Any = None
    ways = [way_of(nobody) for _ in range(3)]
    company.drive(ways, runner)
    assert driven == gone == ways

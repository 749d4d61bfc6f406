"""Steps a second: instances of five trivial code steps, by one engine, by one command of two workers, and by two engines."""

from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks import ours
from benchmarks.bench import Bench, repeated
from benchmarks.measures import RAW, Measure
from benchmarks.worker import Worker, engine

PROCESS = "Five steps"
ONE, WORKERS, TWO = "steps, 1 engine", "steps, 1 engine of 2 workers", "steps, 2 engines"
OTHERS = ("DBOS, steps", "Absurd, steps")


def measure(at: Bench) -> list[Measure]:
    """All of them, one after the other, in one database."""
    ours.define_counting(PROCESS, steps=5)
    return [
        _measured(at, ONE, _by_engines(at, 1), (RAW, *OTHERS)),
        _measured(at, WORKERS, _by_workers(at, 2), (RAW, *OTHERS, ONE)),
        _measured(at, TWO, _by_engines(at, 2), (RAW, ONE)),
    ]


def _by_engines(at: Bench, count: int) -> tuple[float, str]:
    with ExitStack() as stack:
        workers = [stack.enter_context(engine(url=at.url, folder=at.folder)) for _ in range(count)]
        ours.warm_up(at, workers, PROCESS)
        return _rate(at, workers)


def _by_workers(at: Bench, count: int) -> tuple[float, str]:
    with engine("--workers", str(count), url=at.url, folder=at.folder) as command:
        ours.warm_up_together(at, command, PROCESS, engines=count)
        return _rate(at, [command])


def _rate(at: Bench, workers: Sequence[Worker]) -> tuple[float, str]:
    return repeated(at, lambda: ours.rates(workers, [PROCESS], count=at.size.instances).steps)


def _measured(at: Bench, name: str, rate: tuple[float, str], against: tuple[str, ...]) -> Measure:
    steps, spread = rate
    note = f"{at.size.instances:,} instances of 5 code steps; {spread}"
    return Measure(benchmark="steps", name=name, value=steps, unit="steps/s", against=against, note=note)

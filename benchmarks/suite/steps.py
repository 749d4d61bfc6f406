"""Steps a second: instances of five trivial code steps, by one engine and by two."""

from contextlib import ExitStack

from benchmarks import ours
from benchmarks.bench import Bench
from benchmarks.measures import RAW, Measure
from benchmarks.worker import engine

PROCESS = "Five steps"
ONE, TWO = "steps, 1 engine", "steps, 2 engines"


def measure(at: Bench) -> list[Measure]:
    """Both, one after the other, in one database."""
    ours.define_counting(PROCESS, steps=5)
    against = (RAW, "DBOS, steps", "Absurd, steps")
    return [_measure(at, ONE, 1, against), _measure(at, TWO, 2, (RAW, ONE))]


def _measure(at: Bench, name: str, engines: int, against: tuple[str, ...]) -> Measure:
    with ExitStack() as stack:
        workers = [stack.enter_context(engine(url=at.url, folder=at.folder)) for _ in range(engines)]
        rates = ours.step_rates(at, workers, PROCESS)
    note = f"{at.size.instances:,} instances of 5 code steps"
    return Measure(benchmark="steps", name=name, value=rates.steps, unit="steps/s", against=against, note=note)

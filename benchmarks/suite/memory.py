"""What an engine holds in memory, and whether that grows with what it has done."""

from benchmarks import ours, usage
from benchmarks.bench import Bench
from benchmarks.measures import Measure
from benchmarks.worker import Worker, engine

PROCESS = "Five steps"


def measure(at: Bench) -> list[Measure]:
    """The peak of the engine and of its sandbox's workers over some rounds, and how much more the last holds than the first."""
    ours.define_counting(PROCESS, steps=5)
    with engine(url=at.url, folder=at.folder) as worker:
        ours.warm_up(at, [worker], PROCESS)
        first = _round(at, worker)
        last = [_round(at, worker) for _ in range(at.size.rounds - 1)][-1]
        peak, workers = _peaks(worker)
    steps = 5 * at.size.instances
    return [
        Measure(benchmark="memory", name="memory, engine", value=peak, unit="MiB", note="peak of the process"),
        Measure(benchmark="memory", name="memory, with workers", value=peak + workers, unit="MiB", note="sum of peaks"),
        Measure(
            benchmark="memory",
            name="memory, growth",
            value=last - first,
            unit="MiB",
            note=f"engine, from step {steps:,} to step {steps * at.size.rounds:,}",
        ),
    ]


def _round(at: Bench, worker: Worker) -> float:
    ours.rates([worker], [PROCESS], count=at.size.instances)
    return usage.memory(worker.pid)


def _peaks(worker: Worker) -> tuple[float, float]:
    """Of the engine, and of all that it has started."""
    return usage.peak_memory(worker.pid), sum(usage.peak_memory(child) for child in usage.children(worker.pid))

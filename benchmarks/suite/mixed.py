"""Control flow: the patterns of the BenchFlow micro-benchmark for workflow engines, alone and mixed.

Sequence, exclusive choice, parallel split with synchronization, and a loop, of code that does next to nothing. (Their fifth,
explicit termination, is a parallel step here that ends when the first of its tasks does.)
"""

from benchmarks import ours
from benchmarks.bench import Bench
from benchmarks.measures import RAW, Measure
from benchmarks.ours import COUNT
from benchmarks.worker import Worker, engine

PATTERNS = ("Sequence", "Choice", "Parallel", "Termination", "Loop")
ROUNDS = 10


def measure(at: Bench) -> list[Measure]:
    """Each pattern, then all of them in equal parts, by one engine."""
    _define()
    with engine(url=at.url, folder=at.folder) as worker:
        for pattern in PATTERNS:
            ours.warm_up(at, [worker], pattern)
        alone = [found for pattern in PATTERNS for found in _measure(worker, pattern, [pattern], at.size.mixed)]
        return alone + _measure(worker, "all mixed", PATTERNS, at.size.mixed * len(PATTERNS))


def _define() -> None:
    ours.define("Sequence", (1, "a", {}), (2, "b", {}), a=COUNT, b=COUNT)
    choose = 'data["left"] = run.id % 2 == 0'
    ways = {"left": {"condition": 'data["left"]', "then": 4}, "right": {"condition": 'not data["left"]'}}
    ours.define(
        "Choice",
        (1, "choose", {}),
        (2, "left", ways["left"]),
        (3, "right", ways["right"]),
        (4, "merge", {}),
        choose=choose,
        left=COUNT,
        right=COUNT,
        merge=COUNT,
    )
    ours.define("Parallel", (1, "a", {}), (1, "b", {}), (2, "join", {}), a="1 + 1", b="2 + 2", join=COUNT)
    ours.define("Termination", (1, "a", {"ends_step": True}), (1, "b", {}), a="1 + 1", b="2 + 2")
    again = {"condition": f'data["n"] < {ROUNDS}', "then": 1}
    ours.define("Loop", (1, "count", {}), (2, "again", again), count=COUNT, again='"once more"')


def _measure(worker: Worker, name: str, processes: tuple[str, ...] | list[str], count: int) -> list[Measure]:
    rates = ours.rates([worker], processes, count=count)
    title, note = f"mixed, {name.lower()}", f"{count:,} instances, 1 engine"
    return [
        Measure(benchmark="mixed", name=title, value=rates.steps, unit="steps/s", against=(RAW,), note=note),
        Measure(benchmark="mixed", name=f"{title}, instances", value=rates.instances, unit="instances/s"),
    ]

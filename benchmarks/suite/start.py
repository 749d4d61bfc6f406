"""How fast instances start, while no engine runs."""

import time

from benchmarks import ours
from benchmarks.bench import Bench
from benchmarks.measures import RAW, Measure
from workflow import operations

PROCESS = "Five steps"


def measure(at: Bench) -> list[Measure]:
    """One by one, each in a transaction of its own, and many at once."""
    ours.define_counting(PROCESS, steps=5)
    ours.start(PROCESS)  # the first one checks the draft and freezes it
    one_by_one = _one_by_one(at.size.started)
    return [
        Measure(
            benchmark="start",
            name="start, one by one",
            value=one_by_one,
            unit="instances/s",
            against=(RAW,),
            note="operations.start, a commit each",
        ),
        Measure(
            benchmark="start",
            name="start_many",
            value=_together(at.size.started_together),
            unit="instances/s",
            against=(RAW, "start, one by one"),
            note=f"{at.size.started_together:,} in one call",
        ),
    ]


def _one_by_one(count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        ours.start(PROCESS)
    return count / (time.perf_counter() - begin)


def _together(count: int) -> float:
    begin = time.perf_counter()
    operations.start_many([PROCESS], count=count)
    return count / (time.perf_counter() - begin)

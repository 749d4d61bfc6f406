"""What a benchmark is given, and the two ways to measure that all of them use."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sizes import Size
from benchmarks.worker import Worker

LONGEST_WAIT = 300.0  # seconds
POLL = 1.1  # seconds: a little more than any worker waits between two looks for work
LOOK = 0.01  # seconds between our own looks at whether all has ended


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The database, already migrated, a folder for logs, and how much to do."""

    url: str
    folder: Path
    size: Size
    postgres: bool


@dataclass(frozen=True, kw_only=True)
class Latency:
    """In milliseconds."""

    median: float
    p95: float


def wait_until(is_so: Callable[[], bool], workers: Sequence[Worker], *, every: float = LOOK) -> None:
    """Wait until it is so; a worker that ends before is an error."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not is_so():
        for worker in workers:
            worker.check()
        if time.monotonic() > deadline:
            raise SystemExit(f"It takes longer than {LONGEST_WAIT:.0f} s:\n{workers[0].log.read_text()[-4000:]}")
        time.sleep(every)


def seconds_for(workers: Sequence[Worker], *, put: Callable[[], object], ended: Callable[[], bool]) -> float:
    """How long running workers take for work that is there at once: from letting them go until all of it is seen ended.

    The workers stand still (SIGSTOP) while it is put there, for longer than they wait between two looks: they all look
    when they are let go, and what it takes to start a process, or until one looks, is not counted.
    """
    for worker in workers:
        worker.pause()
    put()
    time.sleep(POLL)
    begin = time.perf_counter()
    for worker in workers:
        worker.go_on()
    wait_until(ended, workers)
    return time.perf_counter() - begin


def repeated(at: Bench, rate: Callable[[], float]) -> tuple[float, str]:
    """The median of some rates, as each takes but a moment, and how far they lie apart, in words."""
    found = [rate() for _ in range(at.size.repeats)]
    return statistics.median(found), f"{min(found):,.0f} to {max(found):,.0f} in {len(found)} rounds"


def latency(
    worker: Worker,
    *,
    start: Callable[[], Any],
    ended: Callable[[Any], bool],
    count: int,
    longest_pause: float = 1.0,
    seed: int = 1,
) -> Latency:
    """How long single starts take on an idle worker: from the return of `start`, which commits, until seen ended.

    Seen from outside, by a look each millisecond. Between two starts is a pause of up to `longest_pause` seconds: with one second,
    they meet a worker that polls at any time of its wait.
    """
    chance = random.Random(seed)
    taken = []
    for _ in range(count):
        time.sleep(chance.random() * longest_pause)
        key = start()
        begin = time.perf_counter()
        wait_until(lambda key=key: ended(key), [worker], every=0.001)
        taken.append((time.perf_counter() - begin) * 1000)
    return Latency(median=statistics.median(taken), p95=statistics.quantiles(taken, n=20, method="inclusive")[18])

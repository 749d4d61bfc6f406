"""The same work on another engine: what its benchmark has to provide, and how it is measured as ours is."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import psycopg

from benchmarks.bench import Bench, latency, seconds_for, wait_until
from benchmarks.measures import RAW, Measure
from benchmarks.worker import Worker, working

STEPS = 5


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another engine. `start` begins one workflow of so many steps, committed, and returns its id."""

    name: str
    module: str
    """The benchmark's, which is also run as the worker."""
    start: Callable[[int], str]
    unfinished: str
    """SQL that counts the workflows that have not ended, or failed."""
    ended: str
    """SQL that tells whether the workflow of an id has ended."""
    options: str
    """How the worker is set, in words."""


def installed(*packages: str) -> bool:
    """Whether all of these can be imported."""
    return all(find_spec(package) for package in packages)


def why_not(at: Bench, *packages: str) -> str:
    """Why there is nothing to measure; empty if there is."""
    if not at.postgres:
        return "measured on PostgreSQL only"
    return "" if installed(*packages) else "not installed"


def measure(other: Other, at: Bench) -> list[Measure]:
    """Steps a second by one worker process, and the latency of one step on an idle one."""
    key = other.name.lower()
    with (
        closing(psycopg.connect(at.url, autocommit=True)) as connection,
        working("-m", other.module, at.url, url=at.url, folder=at.folder) as worker,
    ):
        rate = _rate(at, other, worker, connection)
        found = latency(
            worker,
            start=lambda: other.start(1),
            ended=lambda key: _ask(connection, other.ended, key),
            count=at.size.latencies,
        )
    note = f"{at.size.instances:,} workflows of {STEPS} steps; {other.options}"
    steps = Measure(benchmark=key, name=f"{other.name}, steps", value=rate, unit="steps/s", against=(RAW,), note=note)
    return [steps, *(_latency(other, part, value) for part, value in (("p50", found.median), ("p95", found.p95)))]


def _rate(at: Bench, other: Other, worker: Worker, connection: Any) -> float:
    def put(number: int) -> None:
        for _ in range(number):
            other.start(STEPS)

    def ended() -> bool:
        return _ask(connection, other.unfinished) == 0

    count = at.size.instances
    put(at.size.warm_up)
    wait_until(ended, [worker])
    return count * STEPS / seconds_for([worker], put=lambda: put(count), ended=ended)


def _latency(other: Other, part: str, value: float) -> Measure:
    return Measure(
        benchmark=other.name.lower(), name=f"{other.name}, latency, {part}", value=value, unit="ms", note=other.options
    )


def _ask(connection: Any, sql: str, *arguments: str) -> Any:
    row = connection.execute(sql, arguments).fetchone()
    return row and row[0]

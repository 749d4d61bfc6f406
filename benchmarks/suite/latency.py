"""How long one start takes on an idle engine: from its commit to the end of a process of one step."""

from benchmarks import ours, parked
from benchmarks.bench import Bench, latency
from benchmarks.measures import Measure
from benchmarks.worker import Worker, engine
from workflow import conf

PROCESS = "One step"
SHORT_PAUSE = 0.05
"""Seconds, in which a machine does not fall asleep: what it takes to wake it is left out."""


def measure(at: Bench) -> list[Measure]:
    """In an empty database, after long pauses and short ones, then in one with many parked instances, a tenth of which sleep, and
    half as many ended ones.
    """
    ours.define_counting(PROCESS, steps=1)
    parked.define()
    count = at.size.parked
    with engine(url=at.url, folder=at.folder) as worker:
        found = _measure(at, worker, "latency", others=("DBOS, latency", "Absurd, latency", "procrastinate, latency"))
        found += _measure(at, worker, "latency, short pauses", others=("latency",), longest_pause=SHORT_PAUSE)
        if count:
            parked.park(worker, at, parked.Parked(asleep=count // 10, waiting=count - count // 10, ended=count // 2))
    if not count:
        return found
    with engine(url=at.url, folder=at.folder) as worker:
        return found + _measure(at, worker, f"latency, {count:,} parked", others=("latency",))


def _measure(
    at: Bench, worker: Worker, name: str, *, others: tuple[str, ...], longest_pause: float = 1.0
) -> list[Measure]:
    ours.warm_up(at, [worker], PROCESS)
    found = latency(
        worker,
        start=lambda: ours.start(PROCESS),
        ended=ours.has_ended,
        count=at.size.latencies,
        longest_pause=longest_pause,
    )
    note = f"{at.size.latencies} starts, {longest_pause:g} s apart at most; poll interval {conf.get('POLL_INTERVAL')} s"
    return [
        Measure(
            benchmark="latency",
            name=f"{name}, {part}",
            value=value,
            unit="ms",
            against=tuple(f"{other}, {part}" for other in others),
            note=note,
        )
        for part, value in (("p50", found.median), ("p95", found.p95))
    ]

"""What a hundred thousand sleeping instances cost an engine that has nothing to do, and the next instance that starts."""

from benchmarks import activity, ours, parked
from benchmarks.bench import Bench, latency
from benchmarks.measures import Measure
from benchmarks.worker import engine

PROCESS = "One step"


def measure(at: Bench) -> list[Measure]:
    """Idle work, a look for work, and one new instance: in an empty database, and in one that is full of sleepers."""
    ours.define_counting(PROCESS, steps=1)
    parked.define()
    empty = _measure(at, "empty")
    with engine(url=at.url, folder=at.folder) as worker:
        parked.park(worker, at, parked.Parked(asleep=at.size.sleeping, waiting=0, ended=0))
    return empty + _measure(at, f"{at.size.sleeping:,} asleep", against="empty")


def _measure(at: Bench, name: str, against: str = "") -> list[Measure]:
    with engine(url=at.url, folder=at.folder) as worker:
        ours.warm_up(at, [worker], PROCESS)
        idling = activity.idling(worker, at)
        new = latency(
            worker, start=lambda: ours.start(PROCESS), ended=ours.has_ended, count=max(2, at.size.latencies // 4)
        )
    look = activity.look(at)
    found = {
        "idle CPU": (idling.cpu * 1000, "ms/s", f"over {at.size.idle_seconds:.0f} s"),
        "idle transactions": (idling.transactions, "1/s", ""),
        "idle rows read": (idling.rows, "rows/s", "of all tables, by scans and indexes"),
        "a look for work": (look.milliseconds, "ms", f"{look.queries} queries, {look.scans} of them scan a table"),
        "a new instance": (new.median, "ms", "p50 of its latency"),
    }
    return [
        Measure(
            benchmark="sleepers",
            name=f"{what}, {name}",
            value=value,
            unit=unit,
            against=(f"{what}, {against}",) if against else (),
            note=note,
        )
        for what, (value, unit, note) in found.items()
        if value is not None
    ]

"""How much each benchmark does."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Size:
    """Counts of instances, but where something else is said."""

    repeats: int
    """Of what takes but a moment, and comes out differently each time."""
    warm_up: int
    """For each worker: the first are slower."""
    raw_seconds: float
    instances: int
    mixed: int
    """Of each pattern, and of all together."""
    started: int
    """One by one."""
    started_together: int
    latencies: int
    parked: int
    sleeping: int
    idle_seconds: float
    rounds: int
    """Of `instances` each, over which memory is watched."""


SIZES = {
    "full": Size(
        repeats=5,
        warm_up=200,
        raw_seconds=3.0,
        instances=1_000,
        mixed=500,
        started=1_000,
        started_together=10_000,
        latencies=200,
        parked=1_000_000,
        sleeping=100_000,
        idle_seconds=20.0,
        rounds=10,
    ),
    "quick": Size(
        repeats=3,
        warm_up=200,
        raw_seconds=1.0,
        instances=300,
        mixed=100,
        started=200,
        started_together=2_000,
        latencies=40,
        parked=50_000,
        sleeping=10_000,
        idle_seconds=5.0,
        rounds=3,
    ),
    "tiny": Size(
        repeats=1,
        warm_up=5,
        raw_seconds=0.1,
        instances=10,
        mixed=5,
        started=5,
        started_together=20,
        latencies=3,
        parked=100,
        sleeping=50,
        idle_seconds=0.5,
        rounds=2,
    ),
}

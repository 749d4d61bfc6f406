"""How long the server takes for the pages that people look at, where very much waits and far more has ended."""

import statistics
import time
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from benchmarks import parked
from benchmarks.bench import Bench, Latency
from benchmarks.measures import Measure
from benchmarks.worker import engine
from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun

WARM_UP = 3
STEPS = 10_000
"""Of the one instance that has a long history."""
ENDED_PER_WAITING = 20


def measure(at: Bench) -> list[Measure]:
    """Each page, for a member of staff who is asked all that waits and has started everything: nobody has it worse."""
    settings.ALLOWED_HOSTS = ["testserver"]
    user = User.objects.create_user("olga", is_staff=True)
    parked.define()
    ended, waiting = at.size.parked, max(1, at.size.parked // ENDED_PER_WAITING)
    with engine(url=at.url, folder=at.folder) as worker:
        parked.park(worker, at, parked.Parked(asleep=0, waiting=waiting, ended=ended), user=user)
    long = _long()
    client = Client()
    client.force_login(user)
    count = max(10, at.size.latencies)
    note = f"{count} requests; {waiting:,} wait, {ended:,} have ended"
    return [
        Measure(benchmark="pages", name=f"page {name}, {part}", value=value, unit="ms", note=note)
        for name, address in _pages(long)
        for part, value in _parts(_taken(client, address, count))
    ]


def _parts(found: Latency) -> list[tuple[str, float]]:
    return [("p50", found.median), ("p95", found.p95)]


def _pages(long: int) -> Iterator[tuple[str, str]]:
    newest = (
        RunningProcesses.objects.filter(state=InstanceState.WAITING).order_by("-pk").values_list("pk", flat=True)[0]
    )
    last = RunningProcesses.objects.order_by("pk").values_list("pk", flat=True)[50]
    yield "inbox", "/"
    yield "instance", f"/instances/{newest}/"
    yield f"instance of {STEPS:,} steps", f"/instances/{long}/"
    yield "mine", "/mine/"
    yield "mine, under way", "/mine/?state=open"
    yield "mine, failed", "/mine/?state=FAILED"
    yield "mine, near its end", f"/mine/?before={last}"


def _long() -> int:
    """One of those that wait, with very many steps behind it."""
    instance = RunningProcesses.objects.filter(state=InstanceState.WAITING).order_by("pk")[1:2].get()
    now = timezone.now()
    instance.task_runs.update(visit=STEPS + 1)
    RunningProcesses.objects.filter(pk=instance.pk).update(visit=STEPS + 1)
    TaskRun.objects.bulk_create(
        TaskRun(
            instance=instance,
            visit=visit,
            row=0,
            task_name="decide",
            sequence=1,
            state=RunState.FINISHED,
            started_at=now,
            ended_at=now,
        )
        for visit in range(1, STEPS + 1)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return instance.pk


def _taken(client: Client, address: str, count: int) -> Latency:
    """Each request from its arrival to its answer, in this process, by one connection."""
    taken = []
    for number in range(WARM_UP + count):
        begin = time.perf_counter()
        response = client.get(address, secure=True)
        if number >= WARM_UP:
            taken.append((time.perf_counter() - begin) * 1000)
        if response.status_code != 200:
            raise SystemExit(f"{address} answers {response.status_code}.")
    return Latency(median=statistics.median(taken), p95=statistics.quantiles(taken, n=20, method="inclusive")[18])

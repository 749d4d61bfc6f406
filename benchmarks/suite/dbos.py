"""The same steps on DBOS Transact: `measure`, and as a program the worker."""

import sys
import time
from functools import cache
from typing import Any

from benchmarks import others
from benchmarks.bench import Bench
from benchmarks.measures import Measure, missing

QUEUE, WORKFLOW, VERSION = "benchmark", "count_up", "1"


def measure(at: Bench) -> list[Measure]:
    """One executor with default options, fed from outside through its queue."""
    if why := others.why_not(at, "dbos"):
        return missing("DBOS", why)
    other = others.Other(
        name="DBOS",
        module=__name__,
        start=lambda steps: _start(at.url, steps),
        unfinished="SELECT count(*) FROM dbos.workflow_status WHERE status <> 'SUCCESS'",
        ended="SELECT status = 'SUCCESS' FROM dbos.workflow_status WHERE workflow_uuid = %s",
        options="1 process, default options; its queue polls each 1.0 s",
    )
    _migrate(at.url)
    return others.measure(other, at)


def _migrate(url: str) -> None:
    from dbos import run_dbos_database_migrations

    run_dbos_database_migrations(system_database_url=url)


@cache
def _client(url: str) -> Any:
    from dbos import DBOSClient

    return DBOSClient(system_database_url=url)


def _start(url: str, steps: int) -> str:
    wanted = {"queue_name": QUEUE, "workflow_name": WORKFLOW, "app_version": VERSION}
    return _client(url).enqueue(wanted, steps).get_workflow_id()


def work(url: str) -> None:
    """The worker."""
    from dbos import DBOS

    DBOS(config={"name": "benchmark", "system_database_url": url, "application_version": VERSION})

    @DBOS.step()
    def count(n: int) -> int:
        return n + 1

    @DBOS.workflow(name=WORKFLOW)
    def count_up(steps: int) -> int:
        n = 0
        for _ in range(steps):
            n = count(n)
        return n

    DBOS.launch()
    DBOS.register_queue(QUEUE)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    work(sys.argv[1])

"""The same steps as jobs of procrastinate, each of which defers the next: `measure`, and as a program the worker."""

import sys
from functools import cache
from typing import Any

from benchmarks import others
from benchmarks.bench import Bench
from benchmarks.measures import Measure, missing

TASK = "count-up"


def measure(at: Bench) -> list[Measure]:
    """One worker with default options, which is told of new jobs by NOTIFY as our engine is."""
    if why := others.why_not(at, "procrastinate"):
        return missing("procrastinate", why)
    other = others.Other(
        name="procrastinate",
        module=__name__,
        start=lambda steps: _start(at.url, steps),
        unfinished="SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'",
        ended="SELECT status = 'succeeded' FROM procrastinate_jobs WHERE id = %s",
        options="1 process, default options; LISTEN and NOTIFY",
    )
    _client(at.url).schema_manager.apply_schema()
    return others.measure(other, at)


@cache
def _client(url: str) -> Any:
    from procrastinate import App, SyncPsycopgConnector

    app = App(connector=SyncPsycopgConnector(conninfo=url))
    app.open()
    return app


def _start(url: str, steps: int) -> str:
    return str(_client(url).configure_task(TASK).defer(steps=steps, n=0))


def work(url: str) -> None:
    """The worker."""
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name=TASK)
    async def count_up(steps: int, n: int) -> int:
        if steps > 1:
            await count_up.defer_async(steps=steps - 1, n=n + 1)
        return n + 1

    app.run_worker()


if __name__ == "__main__":
    work(sys.argv[1])

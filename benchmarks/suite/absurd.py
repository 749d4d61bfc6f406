"""The same steps on Absurd: `measure`, and as a program the worker."""

import sys
from contextlib import closing
from functools import cache
from typing import Any

import psycopg

from benchmarks import others
from benchmarks.bench import Bench
from benchmarks.measures import Measure, missing

TASK = "count-up"


def measure(at: Bench) -> list[Measure]:
    """One worker with default options."""
    if why := others.why_not(at, "absurd_sdk", "absurdctl"):
        return missing("Absurd", why)
    other = others.Other(
        name="Absurd",
        module=__name__,
        start=lambda steps: _start(at.url, steps),
        unfinished="SELECT count(*) FROM absurd.t_default WHERE state <> 'completed'",
        ended="SELECT state = 'completed' FROM absurd.t_default WHERE task_id = %s",
        options="1 process, default options; it polls each 0.25 s",
    )
    _install(at.url)
    return others.measure(other, at)


def _install(url: str) -> None:
    """The schema that the command-line tool carries, and a queue."""
    from absurdctl import BUNDLED_SCHEMA_SQL

    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(BUNDLED_SCHEMA_SQL)
    _client(url).create_queue()


@cache
def _client(url: str) -> Any:
    from absurd_sdk import Absurd

    return Absurd(url)


def _start(url: str, steps: int) -> str:
    return _client(url).spawn(TASK, steps, queue="default")["task_id"]


def work(url: str) -> None:
    """The worker."""
    app = _client(url)

    @app.register_task(name=TASK)
    def count_up(steps: int, context: Any) -> int:
        n = 0
        for number in range(steps):
            n = context.step(f"count{number}", lambda n=n: n + 1)
        return n

    app.start_worker()


if __name__ == "__main__":
    work(sys.argv[1])

"""The raw limit: one single-row UPDATE and COMMIT a step, by one connection of the driver that Django uses."""

import sqlite3
import time
from contextlib import closing
from itertools import count
from typing import Any

import psycopg

from benchmarks.bench import Bench, repeated
from benchmarks.measures import RAW, Measure
from config.database import PRAGMAS

ROWS = 1_000


def measure(at: Bench) -> list[Measure]:
    """Steps a second: the median of some loops."""
    with closing(_postgres(at.url) if at.postgres else _sqlite(at.url)) as connection:
        mark = "%s" if at.postgres else "?"
        _fill(connection, mark)
        rate, spread = repeated(at, lambda: _rate(connection, mark, at.size.raw_seconds))
    return [Measure(benchmark="raw", name=RAW, value=rate, unit="steps/s", note=spread)]


def _rate(connection: Any, mark: str, seconds: float) -> float:
    update = f"UPDATE raw SET n = n + 1, state = 'RUNNING' WHERE id = {mark}"
    begin = time.perf_counter()
    for done in count(1):
        connection.execute(update, (done % ROWS + 1,))
        connection.commit()
        if (taken := time.perf_counter() - begin) > seconds:
            return done / taken
    raise AssertionError


def _fill(connection: Any, mark: str) -> None:
    connection.execute("CREATE TABLE raw (id integer PRIMARY KEY, state varchar(10), n integer, data text)")
    insert = f"INSERT INTO raw VALUES ({mark}, 'READY', 0, '{{}}')"
    connection.cursor().executemany(insert, [(row,) for row in range(1, ROWS + 1)])
    connection.commit()


def _postgres(url: str) -> Any:
    return psycopg.connect(url)


def _sqlite(url: str) -> Any:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection

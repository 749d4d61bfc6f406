"""What an engine asks of its database while there is nothing to do."""

import time
from dataclasses import dataclass

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.bench import Bench
from benchmarks.worker import Worker
from workflow import transitions

LOOKS = 200
FLUSHED = 1.2  # seconds in which PostgreSQL's processes tell their counters at the latest, if they do anything


@dataclass(frozen=True, kw_only=True)
class Idling:
    """Per second. Rows and transactions are `None` where the database does not count them."""

    cpu: float
    transactions: float | None
    rows: float | None


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look for work that finds nothing."""

    milliseconds: float
    queries: int
    scans: int
    """Queries that read a whole table, by the database's own plan."""


def idling(worker: Worker, at: Bench) -> Idling:
    """What the engine takes while it idles."""
    seconds = at.size.idle_seconds
    time.sleep(FLUSHED)
    cpu, counted = worker.cpu_seconds(), _counters(at)
    time.sleep(seconds)
    cpu, then = worker.cpu_seconds() - cpu, _counters(at)
    gone = [(after - before) / seconds for before, after in zip(counted, then, strict=True)]
    transactions, rows = gone or (None, None)
    return Idling(cpu=cpu / seconds, transactions=transactions, rows=rows)


def look(at: Bench) -> Look:
    """An engine's look for work, here."""
    with CaptureQueriesContext(connection) as captured:
        _claim()
    begin = time.perf_counter()
    for _ in range(LOOKS):
        _claim()
    taken = (time.perf_counter() - begin) / LOOKS * 1000
    asked = [query["sql"] for query in captured.captured_queries if "SELECT" in query["sql"]]
    return Look(milliseconds=taken, queries=len(captured), scans=sum(_scans(sql, at) for sql in asked))


def _claim() -> None:
    now = timezone.now()
    if transitions.claim("benchmark", now=now, until=now, limit=100):
        raise SystemExit("Something is due in a database that should be idle.")


def _scans(sql: str, at: Bench) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}" if at.postgres else f"EXPLAIN QUERY PLAN {sql}")
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    return "Seq Scan" in plan if at.postgres else any(_is_scan(line) for line in plan.splitlines())


def _is_scan(line: str) -> bool:
    return line.startswith("SCAN") and "INDEX" not in line


def _counters(at: Bench) -> list[int]:
    """Transactions of the database, and rows read of our tables, by scans and by indexes, so far."""
    if not at.postgres:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
        transactions = cursor.fetchone()[0]
        cursor.execute("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables")
        return [int(transactions), int(cursor.fetchone()[0])]

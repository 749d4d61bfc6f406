"""A database that gives an engine fewer connections than it would take: that makes it slower, and never stands still."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection

from tests.build import code, manual, process
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.code.execute import MOST_INTERRUPTED
from workflow.models import RunningProcesses, WaitingForApproval

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="It counts no connections."),
]

LIMIT = 8
"""Connections: the engine's own five, and three for all instances."""

INSTANCES = 40
TIMES = 8


@pytest.fixture
def url(database_url: str) -> Iterator[str]:
    """The database, for a role that may have so few connections."""
    place = urlsplit(database_url)
    role = f"few_{place.path.strip('/')}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT {LIMIT} IN ROLE CURRENT_USER")
    yield urlunsplit(place._replace(netloc=f"{role}:few@{place.netloc.rpartition('@')[2]}"))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("tasks", "cuts"),
    [(("A",), 0), (("A", "B", "C"), 0), (("A",), MOST_INTERRUPTED - 1)],
    ids=["alone", "beside others", "and after cuts"],
)
@pytest.mark.timeout(180)
def test_all_goes_on(
    start_engine: Callable[..., EngineProcess], effects: Path, url: str, tasks: tuple[str, ...], cuts: int
) -> None:
    """Tasks of one step run in threads beside the one that waits for them, and may have to have its connection."""
    User.objects.create_user("book")
    what = "f'{run.id} {run.task} {n}'"
    text = f"for n in range({TIMES // len(tasks)}):\n    note({what})\n    book({what})"
    rows = [(1, task) for task in tasks]
    process(
        "P",
        {"First": code("book('first')"), **dict.fromkeys(tasks, code(text)), "Sign": manual("book")},
        (0, "First"),
        *rows,
        (2, "Sign"),
    )
    keys = [one.pk for one in operations.start_many(["P"], count=INSTANCES)]
    engine = start_engine("--until-idle", "--lease", "5", DATABASE_URL=url)
    for _ in range(cuts):
        eventually(LogEntry.objects.exists, lambda: engine.log)
        sleep(0.5)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename <> current_user"
            )
    assert engine.ended() == 0
    states = Counter(RunningProcesses.objects.values_list("state", "error"))
    assert states == {("WAITING", None): INSTANCES}, engine.log[-5000:]
    assert WaitingForApproval.objects.count() == INSTANCES
    calls = sorted(f"{key} {task} {n}" for key in keys for task in tasks for n in range(TIMES // len(tasks)))
    assert sorted(effects.read_text().splitlines()) == calls, "what no lease was lost for is not done again"
    booked = sorted(LogEntry.objects.values_list("object_repr", flat=True))
    assert booked == sorted([*calls, *["first"] * INSTANCES])
    assert engine.log.count("The database can't be used (") == engine.log.count("The database can be used again.") < 10
    assert cuts or "Leases can't be renewed" not in engine.log

"""A database that breaks its connections, or is locked by somebody else, under load: it is waited for, and nothing is lost."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.build import code, manual, process
from tests.system.conftest import EngineProcess, eventually
from workflow import operations
from workflow.code.execute import MOST_INTERRUPTED
from workflow.models import RunningProcesses, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

INSTANCES = 30
ROUNDS = 2
DISTURBANCES = MOST_INTERRUPTED - 1  # all may hit one call, which is not made any more after one more


def disturb() -> None:
    """Break all connections but this one, or keep everybody from writing for a while."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        return
    with transaction.atomic():
        RunningProcesses.objects.filter(pk=0).update(step=1)
        sleep(0.4)


def own_backend() -> int:
    """The server's process for this connection."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.timeout(180)
def test_nothing_is_lost_or_booked_twice(start_engine: Callable[..., EngineProcess], effects: Path) -> None:
    User.objects.create_user("book")
    tasks = {
        "Pure": code("data['n'] = run.id"),
        "Book": code("book(str(run.id))\nnote(f'{run.id} first')\nsleep(seconds=0.05)\nbook(f'{run.id} again')"),
        "Left": code("note(f'{run.id} left')"),
        "Right": code("note(f'{run.id} right')"),
    }
    process("P", tasks, (1, "Pure"), (2, "Book"), (3, "Left"), (3, "Right"))
    engine = start_engine("--lease", "60")  # on a busy machine, a shorter one may run out while the database is locked
    for _ in range(ROUNDS):
        instances = operations.start_many(["P"], count=INSTANCES)
        engine.told(f"instance={instances[0].pk} process=P")
        for _ in range(DISTURBANCES):
            disturb()
            sleep(0.15)
        eventually(lambda: not RunningProcesses.objects.filter(ended_at=None).exists(), lambda: engine.log[-5000:])
    states = Counter(RunningProcesses.objects.values_list("state", "error"))
    assert states == {("FINISHED", None): ROUNDS * INSTANCES}, engine.log[-5000:]
    booked = sorted(LogEntry.objects.values_list("object_repr", flat=True))
    keys = RunningProcesses.objects.values_list("pk", flat=True)
    assert booked == sorted(name for key in keys for name in (str(key), f"{key} again")), "exactly once each"
    noted = Counter(effects.read_text().splitlines())
    assert len(noted) == 3 * ROUNDS * INSTANCES
    twice = [name for name, times in noted.items() if times > 1]
    about = [line for line in engine.log.splitlines() if any(f"instance={name.split()[0]} " in line for name in twice)]
    assert twice == [], "what was done is done again while the engine lives:\n" + "\n".join(about)
    assert "Traceback" not in engine.log, engine.log
    assert threading.active_count() < 50


def test_what_ran_side_by_side_is_not_done_again_for_a_connection_that_is_cut(
    start_engine: Callable[..., EngineProcess], effects: Path
) -> None:
    User.objects.create_user("boss")
    tasks = {
        "Left": code("note(f'{run.id} left')"),
        "Right": code(f"note(f'{{run.id}} right')\nif data.get('cuts'):\n    cut_connections({own_backend()})"),
        "Sign": manual("boss"),
    }
    # Who may decide is looked up by the thread that drives, whose own connection is cut by now.
    process("P", tasks, (1, "Left"), (1, "Right"), (2, "Sign"))
    first, second = operations.start("P", {"cuts": True}), operations.start("P")  # two that cut would cut each other
    assert start_engine("--until-idle").ended() == 0
    states = list(RunningProcesses.objects.values_list("state", "step", "error"))
    assert WaitingForApproval.objects.count() == 2, states
    noted = sorted(effects.read_text().splitlines())
    assert noted == sorted(f"{one.pk} {side}" for one in (first, second) for side in ("left", "right"))

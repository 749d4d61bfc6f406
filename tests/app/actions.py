"""Actions for tests: effects that outlive the process that made them."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from workflow.code.actions import action
from workflow.code.current import current_run


@action
def note(text: str) -> int:
    """Append a line to the file that the environment variable EFFECTS names; returns the line's length."""
    with Path(os.environ["EFFECTS"]).open("a") as file:
        file.write(f"{text}\n")
    return len(text)


@action
def pause(seconds: float) -> None:
    """Take a while, as a slow service does."""
    time.sleep(seconds)


@action
def hold() -> None:
    """Take until the file END stands beside the file EFFECTS, as a service does that answers when it pleases."""
    while not Path(os.environ["EFFECTS"]).with_name("END").exists():
        time.sleep(0.02)


@action
def die_once(where: str) -> str:
    """Kill this very process, as a crash does; the second time, for the same place, return."""
    marker = Path(os.environ["EFFECTS"]).with_name(f"died-{where}")
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return where


def _booker() -> Any:
    users = get_user_model()
    return users.objects.get_or_create(**{users.USERNAME_FIELD: "book"})[0].pk


@action(atomic=True)
def book(text: str, die: str = "") -> int:
    """Write a row, exactly once; `die` kills this process once, after the row was written and before the commit."""
    entry = LogEntry.objects.create(user_id=_booker(), object_repr=text, action_flag=1)
    if die:
        die_once(die)
    return entry.pk


@action
def cut_connections(spared: int) -> None:
    """Break all connections to the database but this thread's and that of a backend, where there is a server."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)",
                [spared],
            )


@action(atomic=True)
def book_and_cut(text: str) -> None:
    """Write a row, and break this thread's connection to the database after the commit: it will notice when it uses it next."""
    LogEntry.objects.create(user_id=_booker(), object_repr=text, action_flag=1)
    transaction.on_commit(_cut_own_connection)


def _cut_own_connection() -> None:
    if connection.vendor == "postgresql":
        with closing(connection.copy()) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])


@action
def key() -> str:
    """The key of this very call."""
    return current_run().key


@action(checkpoint=False)
def look_up(text: str) -> str:
    """A pure look-up."""
    return text.upper()


@action(checkpoint=False)
def engine_pid() -> int:
    """The OS process that runs this."""
    return os.getpid()


@action(checkpoint=False)
def attempt() -> int:
    """Which attempt of its task this is. Code that goes on from a snapshot has the `run` of the attempt that made it."""
    return current_run().info.attempt


@action(atomic=True)
def book_and_fail() -> None:
    """Write a row, and raise."""
    LogEntry.objects.create(user_id=_booker(), object_repr="x", action_flag=1)
    raise ValueError("changed my mind")


@action
def fail_first(times: int) -> int:
    """Raise in the first attempts of the task."""
    attempt = current_run().info.attempt
    if attempt <= times:
        raise ConnectionError("not yet")
    return attempt


@action(checkpoint=False)
def subject_name() -> str | None:
    """What the object that the instance is about is called."""
    subject = current_run().subject
    return None if subject is None else str(subject)


@action
def say(text: str) -> str:
    """Append a line with the key of this very call to the file EFFECTS; returns the key."""
    note(f"{text} {current_run().key}")
    return current_run().key


@action
def big(size: int) -> str:
    """More than an instance may keep."""
    return "x" * size


@action
def die(times: int, where: str = "") -> str:
    """End this very process, as a crash of a library in it does, so many times for each place; then return."""
    _die(times, where)
    return where


@action(atomic=True)
def book_and_die(times: int) -> str:
    """The same inside a transaction."""
    book("x")
    _die(times, "transaction")
    return "booked"


@action(checkpoint=False)
def look_up_and_die(times: int, where: str = "") -> str:
    """The same as a look-up."""
    _die(times, where)
    return where


@action
def kill_engine() -> None:
    """Kill this very process whenever it is called."""
    os.kill(os.getpid(), signal.SIGKILL)


def _die(times: int, where: str) -> None:
    note(where := f"died {where}")
    if Path(os.environ["EFFECTS"]).read_text().splitlines().count(where) <= times:
        os._exit(9)

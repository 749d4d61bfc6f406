"""Kills the process at a given write, as a crash at the worst moment does.

`KILL_AT` is `before:N` or `after:N`: the N-th commit of this process, of a transaction or of a statement by itself,
is the last thing that it was about to do, or has done.
"""

import os
import signal
from itertools import count
from typing import Any

from django.db.backends.signals import connection_created

_commits = count(1)


def arm() -> None:
    """Have this process die where `KILL_AT` says; nothing without it."""
    if os.environ.get("KILL_AT"):
        connection_created.connect(_watch, weak=False)


def _watch(connection: Any, **_: Any) -> None:
    commit = connection._commit
    connection._commit = lambda: _around(commit)
    connection.execute_wrappers.append(_execute)


def _execute(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    is_alone = not context["connection"].in_atomic_block and sql.startswith(("UPDATE", "INSERT", "DELETE"))
    return _around(lambda: execute(sql, params, many, context)) if is_alone else execute(sql, params, many, context)


def _around(commit: Any) -> Any:
    when, _, number = os.environ["KILL_AT"].partition(":")
    this = next(_commits)
    if when == "before" and this == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    done = commit()
    if when == "after" and this == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return done

"""Kills the process at a given write, as a crash at the worst moment does.

`KILL_AT` is `before:N` or `after:N`: the N-th commit of this process, of a transaction or of a statement by itself,
is the last thing that it was about to do, or has done.
"""

import os
import signal
from threading import Lock
from typing import Any

from django.db.backends.signals import connection_created

_made = 0
_counting = Lock()  # an engine commits in several threads


def arm() -> None:
    """Have this process die where `KILL_AT` says; without it, commits are counted only."""
    connection_created.connect(_watch, weak=False)


def commits() -> int:
    """How many this process has made, or was about to make."""
    return _made


def _watch(connection: Any, **_: Any) -> None:
    commit = connection._commit
    connection._commit = lambda: _around(commit)
    connection.execute_wrappers.append(_execute)


def _execute(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    is_alone = not context["connection"].in_atomic_block and sql.startswith(("UPDATE", "INSERT", "DELETE"))
    return _around(lambda: execute(sql, params, many, context)) if is_alone else execute(sql, params, many, context)


def _around(commit: Any) -> Any:
    number = _next()
    _die_at(f"before:{number}")
    done = commit()
    _die_at(f"after:{number}")
    return done


def _next() -> int:
    global _made  # noqa: PLW0603
    with _counting:
        _made += 1
        return _made


def _die_at(place: str) -> None:
    if os.environ["KILL_AT"] == place:
        os.kill(os.getpid(), signal.SIGKILL)

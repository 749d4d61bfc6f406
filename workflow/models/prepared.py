"""Statements that PostgreSQL keeps planned: to plan a short one takes it longer than all else that it does for it.

They are prepared by SQL, not by the driver, which numbers them: behind a pooler, a connection is another client's in the next
transaction, and the number that of another statement. A name made of the text can't be. Whoever finds it there finds what it
means, and whoever does not prepares it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, connection

BY_INDEX = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL jit = off; "
    "SET LOCAL plan_cache_mode = force_generic_plan; "
)
"""Has a plan made that is right however the tables grow while it is kept: one that is made for small tables reads and sorts all that is
in them. (What is turned off is only made to look dear, and what looks dear would be compiled, which takes long.) And has it used: where
a large table has but few of the rows that are asked for, PostgreSQL takes a plan for the very parameters to be better, and plans anew each time.
"""


class _States:
    """What PostgreSQL says, before it does anything, where a connection does not know the statement as we think it does."""

    NOT_THERE = "26000"
    THERE_ALREADY = "42P05"
    OF_ANOTHER_SHAPE = "0A000"


_TRIES = 3

_known: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""The names of what was prepared, by the driver's connection."""


def can_keep() -> bool:
    """Whether a statement can be kept now. In a longer transaction, one that is not known would end that; and to where the
    server binds parameters, as a project may have it (`server_side_binding`), no more than one statement can be sent.
    """
    is_apart = connection.vendor == "postgresql" and not connection.in_atomic_block
    return is_apart and not getattr(connection.features, "uses_server_side_binding", False)


def run(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement of PostgreSQL gives, which returns rows, and is a transaction of its own: `%s` are its parameters."""
    connection.ensure_connection()
    known = _known.setdefault(connection.connection, set())
    name = f"workflow_{sha256(statement.encode()).hexdigest()[:24]}"
    executing = f"EXECUTE {name} ({', '.join(['%s'] * len(parameters))})"
    preparing = "" if name in known else _prepare(name, statement)
    for _ in range(_TRIES):
        try:
            rows = _rows(f"{BY_INDEX}{preparing}{executing}", parameters)
        except DatabaseError as error:
            match getattr(error.__cause__, "sqlstate", None):
                case _States.NOT_THERE:
                    preparing = _prepare(name, statement)
                case _States.THERE_ALREADY | _States.OF_ANOTHER_SHAPE:
                    preparing = f"DEALLOCATE {name}; {_prepare(name, statement)}"
                case _:
                    raise
        else:
            known.add(name)
            return rows
    return _rows(statement, parameters)  # others, who share the connection, are in our way


def _prepare(name: str, statement: str) -> str:
    first, *others = statement.split("%s")
    return f"PREPARE {name} AS {first}{''.join(f'${number}{text}' for number, text in enumerate(others, 1))}; "


def _rows(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        while cursor.nextset():  # what comes first says only that it is prepared
            pass
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

"""Transactions that hold up nobody for long, whatever becomes of who is in one, and whoever has locked what it needs.

A row may be locked for as long as somebody pleases: by an atomic action, by a project's own transaction around a decision, by an
engine or a web server that was stopped in its midst. All of this is PostgreSQL's: SQLite has one lock, and a time-out for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

PATIENCE = 0.02
"""Seconds to wait for a lock: many times as long as those who lock briefly take."""

LONGEST_REST = 5.0
"""Seconds between two statements after which the server ends the session, and so gives its locks away: who is in it stands still, or can't
be reached."""

LOCK_NOT_AVAILABLE = "55P03"


class HeldUp(OperationalError):
    """Somebody else has locked what this needs: nothing is written, and it is to be tried again."""


@contextmanager
def brief(*, patience: float = PATIENCE) -> Iterator[str]:
    """A transaction that waits for no lock longer than `patience`, in seconds, and for which no other waits for long. Raises `HeldUp`.

    It is so from its first statement on, which is to select what this gives. Within another transaction, it waits as that does.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        with transaction.atomic():
            yield "NULL"
        return
    try:
        with transaction.atomic():
            yield _setting(lock_timeout=patience, idle_in_transaction_session_timeout=LONGEST_REST)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE:
            raise HeldUp("Somebody else has locked what this needs.") from error
        raise


def _setting(**seconds: float) -> str:
    """An expression that sets these until the transaction ends, once for all rows of its query."""
    each = [f"set_config('{name}', '{value * 1000:.0f}', true)" for name, value in seconds.items()]
    return f"(SELECT {' || '.join(each)})"

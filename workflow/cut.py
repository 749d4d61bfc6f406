"""What a query makes of a database that is gone, or of a connection to it that was cut."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection

GONE = (OperationalError, InterfaceError)
"""What a database that is gone, or locked for too long, makes of a query: within `cut_is_gone`, all of it."""


@contextmanager
def cut_is_gone() -> Iterator[None]:
    """Raises `OperationalError` for whatever a driver makes of this thread's connection being cut: behind a pooler, or where the server
    has ended a transaction that stood still, it may be another error.
    """
    try:
        yield
    except GONE:
        raise
    except DatabaseError as error:
        if is_of_a_cut(error):
            raise OperationalError(str(error)) from error
        raise


def is_of_a_cut(error: Exception) -> bool:
    """Whether this error is of a connection that was cut, though its kind does not say so; known for a query that this thread has just made.
    Of another thread's, it is known there.
    """
    if not isinstance(error, DatabaseError):
        return False
    is_closed = getattr(connection.connection, "closed", False)
    return bool(is_closed) or (isinstance(error, InternalError) and getattr(error.__cause__, "sqlstate", "") in _ENDED)


_ENDED = {"25P03", "25P04", None}
"""The server has ended a transaction that stood still or took too long; and without a code, psycopg does not understand what it receives:
from PgBouncer, for one, where the server has ended the session.
"""

"""Errors that say in other words that a connection was cut."""

from types import SimpleNamespace

import pytest
from django.db import DatabaseError, IntegrityError, InternalError, OperationalError, connection

from workflow.cut import cut_is_gone

pytestmark = pytest.mark.django_db


class Cause(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("kind", "cause", "becomes"),
    [
        (
            InternalError,
            Cause(None),
            OperationalError,
        ),  # psycopg, of what PgBouncer sends when the server ends a session
        (InternalError, Cause("25P03"), OperationalError),
        (InternalError, Cause("25P02"), InternalError),  # a query in a transaction in which another has failed
        (InternalError, Exception("SQLite's"), InternalError),
        (IntegrityError, Cause("23505"), IntegrityError),
        (OperationalError, Cause("57P01"), OperationalError),
        (ValueError, Cause(None), ValueError),
    ],
)
def test_what_becomes_of_an_error(kind: type[Exception], cause: Exception, becomes: type[Exception]) -> None:
    connection.ensure_connection()
    with pytest.raises(kind if kind is becomes else becomes, match="told") as caught, cut_is_gone():
        raise kind("told") from cause
    assert caught.type is becomes


def test_any_error_of_a_closed_connection_is_of_a_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow.cut.connection", SimpleNamespace(connection=SimpleNamespace(closed=True)))
    with pytest.raises(OperationalError, match="told"), cut_is_gone():
        raise DatabaseError("told")


@pytest.mark.django_db(transaction=True)
def test_where_there_is_no_connection_it_is_another_threads() -> None:
    connection.close()
    with pytest.raises(IntegrityError, match="told"), cut_is_gone():
        raise IntegrityError("told")

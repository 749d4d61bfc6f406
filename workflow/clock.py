"""The time, as everything here tells it: one module, so that there is one place to say whose clock it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Expression, Value
from django.db.models.functions import Now
from django.utils import timezone

_stopped_at: datetime | None = None


def now() -> datetime:
    """The time, in UTC."""
    return timezone.now() if _stopped_at is None else _stopped_at


def database_now() -> Expression:
    """The time as the database tells it while it answers, for a query: engines on all machines go by it."""
    return Now() if _stopped_at is None else Value(_stopped_at, output_field=DateTimeField())


def ask_database() -> datetime:
    """The time as the database tells it now. SQLite has none but this machine's."""
    if _stopped_at is not None or connection.vendor != "postgresql":
        return now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone()
    return there  # type: ignore[no-any-return]


@contextmanager
def stopped(at: datetime | None = None) -> Iterator[None]:
    """A context, for tests, in which the clock of this OS process stands still, now or at that time, until it is moved."""
    global _stopped_at  # noqa: PLW0603 - there is one clock
    before, _stopped_at = _stopped_at, at or now()
    try:
        yield
    finally:
        _stopped_at = before


def move(*, to: datetime) -> None:
    """Have it be that time, for tests. Only in a `stopped` context, and never backwards."""
    global _stopped_at  # noqa: PLW0603 - there is one clock
    if _stopped_at is None:
        raise RuntimeError("The clock can be moved only in tests, by workflow.testing.")
    _stopped_at = max(_stopped_at, to)

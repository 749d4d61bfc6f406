"""Rows that somebody else has locked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet


@contextmanager
def locked(rows: QuerySet[Any], then: Callable[[], Any] = lambda: None) -> Iterator[Event]:
    """Somebody who has locked these rows, and does something `then`, before he lets go of them: at the event, or the end of the block."""
    is_locked, is_over = Event(), Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(rows.select_for_update())
                is_locked.set()
                is_over.wait(60)
                then()
        finally:
            connection.close()

    thread = Thread(target=hold)
    thread.start()
    assert is_locked.wait(10)
    try:
        yield is_over
    finally:
        is_over.set()
        thread.join()

"""Keeps the leases of an engine that works on: long code must not be taken for a dead engine."""

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread
from types import TracebackType

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)


class Heartbeat:
    """A context in which `beats` are done, one after the other, three times in each `lease` seconds."""

    def __init__(self, *, lease: float, beats: Sequence[Callable[[], None]]) -> None:
        self._pause = lease / 3
        self._beats = beats
        self._over = Event()
        self._thread = Thread(target=self._work, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(self._pause):
            try:
                for beat in self._beats:
                    beat()
            except DatabaseError as error:
                # The engine's own writes tell of it; the fence keeps what it does safe if its leases run out meanwhile.
                logger.warning("Leases could not be renewed: %s", str(error).strip())
                connection.close()
        connection.close()

"""Keeps the leases of an engine that works on: long code must not be taken for a dead engine."""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from threading import Event, Thread
from types import TracebackType

from django.db import DatabaseError, connection

from workflow import transitions
from workflow.transitions import Lease

logger = logging.getLogger(__name__)


class Heartbeat:
    """A context in which the leases that `held` gives are renewed three times in each `lease` seconds, and the clock is
    measured anew.
    """

    def __init__(
        self,
        *,
        held: Callable[[], Collection[Lease]],
        lease: float,
        clock: Callable[[], datetime],
        measure: Callable[[], None],
    ) -> None:
        self._measure = measure
        self._held = held
        self._lease = timedelta(seconds=lease)
        self._clock = clock
        self._over = Event()
        self._thread = Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._lease.total_seconds() / 3):
            try:
                self._measure()
                transitions.renew(self._held(), until=self._clock() + self._lease)
            except DatabaseError as error:
                # The engine's own writes tell of it; the fence keeps what it does safe if its leases run out meanwhile.
                logger.warning("Leases could not be renewed: %s", str(error).strip())
                connection.close()
        connection.close()

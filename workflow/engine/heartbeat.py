"""Keeps the leases of an engine that works on: long code must not be taken for a dead engine."""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Event, Thread
from time import sleep
from types import TracebackType

from django.db import DatabaseError, connection

from workflow import transitions
from workflow.logs import fields
from workflow.transitions import Lease

logger = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds until what has failed is tried again, if that is not to be done earlier anyway."""

TRIES = 5
PAUSE = 0.01
"""Seconds between two tries to renew a lease: longer than a write of its instance takes."""


def renew(leases: Collection[Lease], *, until: datetime) -> None:
    """Put off the deadlines of these leases of one owner, also of instances that are being written to at this moment. Who has one locked
    for longer keeps others from claiming it as well.
    """
    for _ in range(TRIES):
        renewed = transitions.renew(leases, until=until)
        leases = [lease for lease in leases if lease.instance not in renewed]
        if not leases:
            return
        sleep(PAUSE)


class Heartbeat:
    """A context in which `beats` are done, one after the other, three times in each `lease` seconds. Its connection is open from the beginning
    where it `begins_at_once`: later there may be none left.
    """

    def __init__(
        self, *, lease: float, beats: Sequence[Callable[[], None]], engine: str, begins_at_once: bool = False
    ) -> None:
        self._pause = lease / 3
        self._beats = beats
        self._about = fields(engine=engine)
        self._begins_at_once = begins_at_once
        self._fails = False
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
        if self._begins_at_once:
            with suppress(DatabaseError):  # it is tried again in time
                connection.ensure_connection()
        while not self._over.wait(min(self._pause, AGAIN) if self._fails else self._pause):
            self._beat()
        connection.close()

    def _beat(self) -> None:
        try:
            self._beat_once()
        except DatabaseError:
            connection.close()  # it may be only the old one that was cut
            try:
                self._beat_once()
            except DatabaseError as error:
                connection.close()
                self._note(error)
                return
        self._note(None)

    def _beat_once(self) -> None:
        for beat in self._beats:
            beat()

    def _note(self, error: Exception | None) -> None:
        # The fence keeps what the engine does safe if its leases run out meanwhile.
        if error and not self._fails:
            logger.warning("Leases can't be renewed (%s); trying again.", str(error).strip(), extra=self._about)
        elif self._fails and not error:
            logger.info("Leases can be renewed again.", extra=self._about)
        self._fails = error is not None

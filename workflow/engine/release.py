"""Releases what an engine has held that is known to be dead: others need not wait until its leases run out."""

import logging
from queue import SimpleQueue
from threading import Thread
from time import sleep
from types import TracebackType
from typing import Self

from django.db import connection

from workflow import clock, conf, transitions
from workflow.logs import fields
from workflow.models import Engine

logger = logging.getLogger(__name__)

TRIES, PAUSE = 20, 0.1
"""How often it looks again for what is locked, and seconds between: the server may not know yet that the engine is dead."""

LAST_ROUND = 5.0
"""Seconds that whoever ends leaves it for what is still to be released."""


class Releases:
    """A context in which engines can be named that have died. A thread tells the database, as that may be away: then it is said once, and
    the leases run out.
    """

    def __init__(self) -> None:
        self._dead: SimpleQueue[str | None] = SimpleQueue()
        self._is_told = False
        self._thread = Thread(target=self._work, name="releases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._dead.put(None)
        self._thread.join(LAST_ROUND)

    def __call__(self, engine: str) -> None:
        """Release what that engine has held, soon. It must be dead, and not only silent."""
        self._dead.put(engine)

    def _work(self) -> None:
        while (engine := self._dead.get()) is not None:
            try:
                release(engine)
                self._is_told = False
            except Exception as error:  # noqa: BLE001 - whatever it is, leases run out
                self._tell(engine, error)
            finally:
                connection.close()

    def _tell(self, engine: str, error: Exception) -> None:
        if not self._is_told:
            told = "What engine %s has held can't be released (%s): others take it over when its leases run out."
            logger.warning(told, engine, str(error).strip(), extra=fields(engine=engine))
        self._is_told = True


def release(engine: str) -> None:
    """Release all that a dead engine has held, and forget that it was there. Raises `DatabaseError`."""
    if conf.get("DISPATCH") != "tasks":  # else, workers come for what it has claimed
        for _ in range(TRIES):
            if transitions.release(engine, now=clock.ask_database()):
                break
            sleep(PAUSE)
    Engine.objects.filter(name=engine).delete()

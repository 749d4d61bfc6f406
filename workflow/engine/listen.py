"""Hearing that there may be work, so that it is found within milliseconds and without asking all the time.

PostgreSQL tells by LISTEN and NOTIFY. SQLite tells whether anybody else has written since the last look, which costs
next to nothing. Both may fail to tell: the engine also looks by itself, now and then.
"""

import logging
import selectors
import socket
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Any

from django.db import connection

from workflow.announce import CHANNEL
from workflow.logs import fields

logger = logging.getLogger(__name__)

SHORTEST, LONGEST = 0.004, 0.03  # seconds between looks at SQLite: after a change, and after a while without
AGAIN = 5.0  # seconds until a connection that can't listen is tried again


class Listener:
    """A context in which `ring` is called, from a thread, whenever there may be work."""

    def __init__(self, ring: Callable[[], None], *, engine: str) -> None:
        self._ring = ring
        self._about = fields(engine=engine)
        self._over = Event()
        self._end, self._ended = socket.socketpair()  # for who waits at a connection, and sees no event meanwhile
        listen = self._listen if connection.vendor == "postgresql" else self._watch
        self._thread = Thread(target=listen, name="listener", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._end.close()
        self._thread.join()
        self._ended.close()

    def _listen(self) -> None:
        was_told = False
        while not self._over.is_set():
            try:
                self._hear()
            except Exception as error:  # noqa: BLE001 - whatever a driver or a pooler makes of it, the engine still looks
                if not was_told and not self._over.is_set():
                    told = "Can't listen for work (%s); looking for it instead."
                    logger.info(told, str(error).strip(), extra=self._about)
                was_told = True
                self._over.wait(AGAIN)
        connection.close()

    def _hear(self) -> None:
        import psycopg

        # A connection of its own: one of Django's may not stand idle in the middle of waiting.
        with psycopg.connect(**_parameters(), autocommit=True) as own, selectors.DefaultSelector() as either:
            either.register(own, selectors.EVENT_READ)
            either.register(self._ended, selectors.EVENT_READ)
            own.execute(f"LISTEN {CHANNEL}")
            self._ring()  # what was announced before anybody listened
            while not self._over.is_set():
                either.select()
                if any(True for _ in own.notifies(timeout=0)):
                    self._ring()

    def _watch(self) -> None:
        pause, seen = SHORTEST, None
        while not self._over.wait(pause):
            try:
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA data_version")
                    (version,) = cursor.fetchone()
            except Exception:  # noqa: BLE001 - the engine's own queries tell of a database that is gone
                connection.close()
                version = None
            pause = SHORTEST if version != seen else min(LONGEST, pause * 1.2)
            if version != seen:
                seen = version
                self._ring()
        connection.close()


def _parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name not in {"cursor_factory", "context"}}

"""A database that is gone, or locked for too long, is waited for."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

GONE = (OperationalError, InterfaceError)
"""What a database that is gone, or locked for too long, makes of a query."""

LONGEST_PAUSE = 5.0  # seconds between tries

_Answer = TypeVar("_Answer")


@dataclass
class Patience:
    """Asks again until the database answers, or the engine is told to stop; one line of the log for all that ask."""

    stopping: Event
    _lock: Lock = field(default_factory=Lock)
    _is_gone: bool = False

    def __call__(self, ask: Callable[[], _Answer]) -> _Answer:
        """What `ask` returns. It is asked outside any transaction, and must bear to be asked again."""
        pause, is_new = 0.1, False
        while True:
            try:
                answer = ask()
            except GONE as error:
                connection.close()
                if self.stopping.is_set() and is_new:
                    raise
                is_new = True  # the connection of the next try: it may be only the old one that was cut
                self._note(gone=True, why=str(error).strip())
                self.stopping.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                self._note(gone=False)
                return answer

    def _note(self, *, gone: bool, why: str = "") -> None:
        if gone == self._is_gone:
            return
        with self._lock:
            changed, self._is_gone = gone != self._is_gone, gone
        if changed and gone:
            logger.error("The database can't be used (%s); waiting for it.", why)
        elif changed:
            logger.info("The database can be used again.")

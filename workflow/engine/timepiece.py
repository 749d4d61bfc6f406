"""The engine's clock: the database's, so that machines whose clocks are wrong do no harm."""

import logging
from datetime import datetime, timedelta

from django.db import connection

from workflow import clock

logger = logging.getLogger(__name__)

WORTH_TELLING = timedelta(seconds=2)
SAMPLES = 3
"""How often the database is asked. The quickest answer tells best: what takes long, somewhere on the way, is not half there and half back."""


class DatabaseClock:
    """Tells the database's time without asking for it each time. SQLite has none but this machine's."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        self._was_told = False

    def __call__(self) -> datetime:
        return clock.now() + self._ahead

    def measure(self) -> None:
        """Ask the database how late it is."""
        if connection.vendor != "postgresql":
            return
        _, self._ahead = min(_sample() for _ in range(SAMPLES))
        if abs(self._ahead) > WORTH_TELLING and not self._was_told:
            self._was_told = True
            logger.warning("This machine's clock differs from the database's by %s; that one counts.", -self._ahead)


def _sample() -> tuple[timedelta, timedelta]:
    """How long an answer took, and how far the database's clock is ahead of this machine's by it."""
    connection.ensure_connection()
    before = clock.now()
    there = clock.ask_database()
    took = clock.now() - before
    return took, there - (before + took / 2)

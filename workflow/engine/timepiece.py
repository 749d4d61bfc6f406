"""The engine's clock: the database's, so that machines whose clocks are wrong do no harm."""

import logging
from datetime import datetime, timedelta

from django.db import connection

from workflow import clock

logger = logging.getLogger(__name__)

WORTH_TELLING = timedelta(seconds=2)


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
        before = clock.now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            (there,) = cursor.fetchone()
        self._ahead = there - (before + (clock.now() - before) / 2)
        if abs(self._ahead) > WORTH_TELLING and not self._was_told:
            self._was_told = True
            logger.warning("This machine's clock differs from the database's by %s; that one counts.", -self._ahead)

"""A database that is gone, or locked for too long, or has no connection to give, is waited for."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Event, Lock, get_ident
from time import monotonic
from typing import TypeVar

from django.db import OperationalError, connection

from workflow.cut import GONE, cut_is_gone
from workflow.logs import fields

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0  # seconds between tries

CALM = 2.0
"""Seconds without trouble after which it is over: more than lie between two tries."""

LONG = 1.0
"""Seconds that nobody waits for a connection while there are enough of them."""

SCARCE = 60.0
"""Seconds for which they are then taken to be scarce."""

_Answer = TypeVar("_Answer")


class Waiting:
    """Who of an engine waits for the database. The log tells of the first that is in trouble, and when the last is answered."""

    def __init__(self, engine: str = "") -> None:
        self._about = fields(engine=engine) if engine else fields()
        self._lock = Lock()
        self._places: set[object] = set()
        self._troubled: set[object] = set()
        self._connecting: dict[int, float] = {}
        self._long_at = -SCARCE
        self._is_told = False
        self._told_at = 0.0
        self.refusal: Exception | None = None
        """Why the last that asked for a connection got none."""

    @property
    def is_long(self) -> bool:
        """Whether it takes long to connect, and not only to stand in line for it: then connections are scarce."""
        since = list(self._connecting.values())
        return bool(since) and monotonic() - min(since) > LONG

    @property
    def was_long(self) -> bool:
        """Whether it takes long, or did lately."""
        return self.is_long or monotonic() - self._long_at < SCARCE

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """The time that a thread takes to connect."""
        self._connecting[get_ident()] = monotonic()
        try:
            yield
        finally:
            took = monotonic() - self._connecting.pop(get_ident())
            if took > LONG:
                self._long_at = monotonic()

    @contextmanager
    def place(self) -> Iterator[object]:
        """The time that a thread waits, and what stands for it."""
        place = object()
        with self._lock:
            self._places.add(place)
        try:
            yield place
        finally:
            with self._lock:
                self._places.discard(place)
                self._troubled.discard(place)

    def tell(self, place: object, error: Exception) -> None:
        """Who waits there is in trouble."""
        with self._lock:
            self._troubled.add(place)
            is_news, self._is_told, self._told_at = not self._is_told, True, monotonic()
        if is_news:
            logger.error("The database can't be used (%s); waiting for it.", str(error).strip(), extra=self._about)

    def answered(self) -> None:
        """Somebody is answered. The trouble is over if nobody else waits, or none of those has had any for a while."""
        if self._is_told and self._is_over():
            logger.info("The database can be used again.", extra=self._about)

    def _is_over(self) -> bool:
        with self._lock:
            is_calm = not (self._troubled or self.is_long) and monotonic() - self._told_at > CALM
            was_told, self._is_told = self._is_told, self._is_told and bool(self._places) and not is_calm
            return was_told and not self._is_told


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Asks the database again until it answers, or the engine is told to stop. While a thread waits for that, it is `away`; those that
    need a new connection stand in `line` for it.

    A connection may be what others of this engine hold, at leisure, so that none but them could go on. So nobody waits for one while
    they hold what those need, and who has one shares it.
    """

    stopping: Event
    waiting: Waiting = field(default_factory=Waiting)
    away: Callable[[], AbstractContextManager[None]] = nullcontext
    line: AbstractContextManager[object] = field(default_factory=nullcontext)

    def __call__(self, ask: Callable[[], _Answer]) -> _Answer:
        """What `ask` returns. It is asked outside any transaction, and must bear to be asked again."""
        try:
            answer = self._ask(ask)
        except GONE as error:
            answer = self._ask_again(ask, error)
        self.waiting.answered()
        return answer

    def connect(self) -> None:
        """Have this thread's connection opened, if it has none."""
        if connection.connection is None:
            with self.away(), self.waiting.place() as place, self.line, self.waiting.connecting():
                self._open(place)
            self.waiting.answered()

    def share(self, *, for_long: bool = False) -> None:
        """Close this thread's connection, which it does not need for now, if others wait for one; and if others may come to do so, where
        it is not needed `for_long`.
        """
        if self.waiting.was_long if for_long else self.waiting.is_long:
            connection.close()

    def _ask(self, ask: Callable[[], _Answer]) -> _Answer:
        self.connect()
        with cut_is_gone():
            return ask()

    def _ask_again(self, ask: Callable[[], _Answer], trouble: Exception) -> _Answer:
        # A server may only have cut the connection, and be there.
        pause = FIRST_PAUSE if connection.vendor == "sqlite" else 0.0
        with self.waiting.place() as place:
            while True:
                connection.close()
                if pause:
                    self.waiting.tell(place, trouble)
                    with self.away():
                        self.stopping.wait(pause)
                try:
                    return self._ask(ask)
                except GONE as error:
                    if self.stopping.is_set():
                        raise
                    pause, trouble = _next(pause), error

    def _open(self, place: object) -> None:
        pause = FIRST_PAUSE
        while not (self.stopping.is_set() and self.waiting.refusal):  # then those before us have tried in vain
            try:
                with cut_is_gone():
                    _connect()
            except GONE as error:
                connection.close()
                self.waiting.refusal = error
                self.waiting.tell(place, error)
                self.stopping.wait(pause)
                pause = _next(pause)
            else:
                self.waiting.refusal = None
                return
        raise OperationalError(str(self.waiting.refusal))


def _next(pause: float) -> float:
    return min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))


def _connect() -> None:
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")  # a pooler may let in whom it has no server for

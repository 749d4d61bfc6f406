"""Group commit: what many instances have come to is written together, as soon as the last group is written."""

import math
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from django.db import connection

from workflow import transitions
from workflow.engine.patience import Patience
from workflow.transitions import Applied, Lease, Turn

LARGEST = 200
"""Turns a transaction. More would make those at its start wait, and save next to nothing."""

LONGEST_WAIT = 0.005
"""Seconds that a turn whose writer waits for it does so for others to be written with, while those are on their way."""

LONGEST_REST = 0.025
"""The same for a turn that nobody waits for."""


class Writer(Protocol):
    """Writes turns of instances that this engine holds."""

    def write(self, lease: Lease, turn: Turn) -> Applied:
        """What became of the turn, once that is committed."""
        ...


class Committer(Writer, Protocol):
    """A writer that need not be waited for."""

    def ask(self, lease: Lease, turn: Turn) -> Future[Applied]:
        """Have a turn written, and be told in time what became of it."""
        ...


class Direct:
    """Writes each turn by itself, in the thread that asks."""

    def write(self, lease: Lease, turn: Turn) -> Applied:
        return transitions.apply(lease, turn)

    def ask(self, lease: Lease, turn: Turn) -> Future[Applied]:
        written: Future[Applied] = Future()
        try:
            written.set_result(self.write(lease, turn))
        except Exception as error:  # noqa: BLE001 - who asks for the result gets it
            written.set_exception(error)
        return written


class _Wanted(NamedTuple):
    lease: Lease
    turn: Turn
    applied: Future[Applied]
    is_urgent: bool


class _Word(Enum):
    """What the thread that commits is told between the turns."""

    END = "end"
    LOOK = "look"  # whether any more are to be expected


class GroupCommit:
    """Writes the turns that threads ask for at about the same time, in one transaction and one thread.

    `are_more_coming` tells whether any thread computes, whose turn is then worth waiting for; `look` is to be called when
    none does any more.
    """

    def __init__(self, patience: Patience, are_more_coming: Callable[[], bool]) -> None:
        self._patience = patience
        self._are_more_coming = are_more_coming
        self._asked: SimpleQueue[_Wanted | _Word] = SimpleQueue()
        self._thread = Thread(target=self._work, name="commit")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._asked.put(_Word.END)
        self._thread.join()

    def write(self, lease: Lease, turn: Turn) -> Applied:
        return self._ask(lease, turn, is_urgent=True).result()

    def ask(self, lease: Lease, turn: Turn) -> Future[Applied]:
        """Have a turn written, without waiting for it."""
        return self._ask(lease, turn, is_urgent=False)

    def look(self) -> None:
        """No more turns are to be expected for now."""
        self._asked.put(_Word.LOOK)

    def _ask(self, lease: Lease, turn: Turn, *, is_urgent: bool) -> Future[Applied]:
        wanted = _Wanted(lease, turn, Future(), is_urgent)
        self._asked.put(wanted)
        return wanted.applied

    def _work(self) -> None:
        is_over = False
        while not is_over:
            group, is_over = self._next()
            if group:
                self._commit(group)
        connection.close()

    def _next(self) -> tuple[list[_Wanted], bool]:
        """All that is asked for by now; and whether that was the last."""
        group: list[_Wanted] = []
        until = math.inf
        while (one := self._another(until)) is not _Word.END:
            if isinstance(one, _Wanted):
                group.append(one)
                until = min(until, monotonic() + (LONGEST_WAIT if one.is_urgent else LONGEST_REST))
            is_enough = one is None or len(group) == LARGEST
            if group and is_enough:
                return group, False
        return group, True

    def _another(self, until: float) -> _Wanted | _Word | None:
        """What is asked for or said next; nothing where a group is begun, and no more is to be expected by then."""
        if until == math.inf:
            return self._asked.get()
        try:
            if self._are_more_coming() and (left := until - monotonic()) > 0:
                return self._asked.get(timeout=left)
            return self._asked.get_nowait()
        except Empty:
            return None

    def _commit(self, group: list[_Wanted]) -> None:
        try:
            written = self._patience(lambda: transitions.apply_all([(one.lease, one.turn) for one in group]))
        except Exception:  # noqa: BLE001 - whichever it is, it is told to those whose turn raises it by itself
            for one in group:
                self._commit_alone(one)
        else:
            for one, applied in zip(group, written, strict=True):
                one.applied.set_result(applied)

    def _commit_alone(self, one: _Wanted) -> None:
        """What one turn can't be written for must not keep the others from being written."""
        try:
            applied = self._patience(lambda: transitions.apply(one.lease, one.turn))
        except Exception as error:  # noqa: BLE001 - it goes to the thread that asked
            one.applied.set_exception(error)
        else:
            one.applied.set_result(applied)

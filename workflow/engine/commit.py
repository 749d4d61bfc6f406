"""Group commit: what many instances have come to is written together, as soon as the last group is written."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from math import inf
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from django.db import connection

from workflow import transitions
from workflow.cut import GONE
from workflow.engine.crew import another_may_come
from workflow.engine.patience import LONG, Patience
from workflow.logs import together
from workflow.transitions import Applied, Lease, Turn

LARGEST = 200
"""Turns a transaction. More would make those at its start wait, and save next to nothing."""

LONGEST_WAIT = 0.005
"""Seconds that an urgent turn waits for others to be written with, while those are on their way."""

LONGEST_REST = 0.025
"""The same for one that is not urgent."""


class Writer(Protocol):
    """Writes turns of instances that this engine holds."""

    def write(self, lease: Lease, turn: Turn, *, patience: float = inf) -> Applied:
        """What became of the turn, once that is committed. May raise `HeldUp` where somebody else has its instance locked for longer
        than `patience`, in seconds.
        """
        ...


class Committer(Writer, Protocol):
    """A writer that need not be waited for."""

    def ask(self, lease: Lease, turn: Turn, *, is_urgent: bool = False) -> Future[Applied]:
        """Have a turn written, and be told in time what became of it."""
        ...


class Direct:
    """Writes each turn by itself, in the thread that asks."""

    def write(self, lease: Lease, turn: Turn, *, patience: float = inf) -> Applied:  # noqa: ARG002 - it has one of its own
        return transitions.apply(lease, turn)

    def ask(self, lease: Lease, turn: Turn, *, is_urgent: bool = False) -> Future[Applied]:  # noqa: ARG002 - at once
        written: Future[Applied] = Future()
        try:
            written.set_result(self.write(lease, turn))
        except Exception as error:  # noqa: BLE001 - who asks for the result gets it
            written.set_exception(error)
        return written


FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1
"""Seconds until what is held up is tried again: those who lock an instance do so briefly, as a rule."""

LONGEST_STOP = 2.0
"""Seconds for which that goes on when the engine is to stop."""


class _Write(Future[Applied]):
    """What becomes of a turn, sooner or later."""

    is_held_up = False
    given_up_at = inf
    """When it is not tried again any more, if it is held up."""


class _Wanted(NamedTuple):
    lease: Lease
    turn: Turn
    applied: _Write
    until: float
    """When it is to be written, whatever else is on its way."""


class GroupCommit:
    """Writes the turns that threads ask for at about the same time, in one transaction and one thread.

    `are_more_coming` tells whether any thread computes, whose turn is then worth waiting for; `look` is to be called when
    none does any more. The thread that commits is not woken by each turn: all threads share one interpreter, and passing
    that on costs about as much as what a small turn takes to compute.
    """

    def __init__(self, patience: Patience, are_more_coming: Callable[[], bool]) -> None:
        self._patience = patience
        self._are_more_coming = are_more_coming
        self._changed = Condition()
        self._asked: deque[_Wanted] = deque()
        self._held_up: list[_Wanted] = []
        self._pause = FIRST_PAUSE
        self._again_at = 0.0  # when these are tried again
        self._is_over = False
        self._thread = Thread(target=self._work, name="commit")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()

    def write(self, lease: Lease, turn: Turn, *, patience: float = inf) -> Applied:
        written = self.ask(lease, turn, is_urgent=True)
        written.given_up_at = monotonic() + patience
        while not written.done():
            self._patience.share()  # the thread that commits may be who needs it
            with suppress(TimeoutError), another_may_come() if written.is_held_up else nullcontext():
                written.result(timeout=LONG)
        return written.result()

    def ask(self, lease: Lease, turn: Turn, *, is_urgent: bool = False) -> _Write:
        """Have a turn written, without waiting for it."""
        until = monotonic() + (LONGEST_WAIT if is_urgent else LONGEST_REST)
        wanted = _Wanted(lease, turn, _Write(), until)
        with self._changed:
            self._asked.append(wanted)
            if is_urgent or len(self._asked) in {1, LARGEST}:
                self._changed.notify()
        return wanted.applied

    def look(self) -> None:
        """No more turns are to be expected for now."""
        with self._changed:
            if self._asked:
                self._changed.notify()

    def _work(self) -> None:
        with suppress(*GONE):  # whatever there is to write is told so, too
            self._patience.connect()  # before others take all connections that there are
        while group := self._next():
            self._commit(group)
        connection.close()

    def _next(self) -> list[_Wanted]:
        """All that is asked for by the time that it is worth a transaction; nothing once there will be no more."""
        with self._changed:
            while not self._is_due():
                self._changed.wait(self._left())
            if self._held_up and monotonic() >= self._again_at:
                self._asked.extendleft(reversed(self._held_up))
                self._held_up.clear()
            return [self._asked.popleft() for _ in range(min(len(self._asked), LARGEST))]

    def _is_due(self) -> bool:
        if self._held_up and monotonic() >= self._again_at:
            return True
        if not self._asked:
            return self._is_over and not self._held_up
        return len(self._asked) >= LARGEST or not self._are_more_coming() or min(self._times()) <= monotonic()

    def _left(self) -> float | None:
        """Seconds until what is asked for is to be written at the latest; `None` where nothing is."""
        at = min(self._times(), default=None)
        return None if at is None else max(0.0, at - monotonic())

    def _times(self) -> Iterator[float]:
        yield from (one.until for one in self._asked)
        if self._held_up:
            yield self._again_at

    def _commit(self, group: list[_Wanted]) -> None:
        try:
            written = self._patience(lambda: transitions.apply_all([(one.lease, one.turn) for one in group]))
        except Exception:  # noqa: BLE001 - whichever it is, it is told to those whose turn raises it by itself
            for one in group:
                self._commit_alone(one)
        else:
            with together():
                for one, applied in zip(group, written, strict=True):
                    self._answer(one, applied)
        if not self._held_up:
            self._pause = FIRST_PAUSE

    def _commit_alone(self, one: _Wanted) -> None:
        """What one turn can't be written for must not keep the others from being written."""
        try:
            (applied,) = self._patience(lambda: transitions.apply_all([(one.lease, one.turn)]))
        except Exception as error:  # noqa: BLE001 - it goes to the thread that asked
            one.applied.set_exception(error)
        else:
            self._answer(one, applied)

    def _answer(self, one: _Wanted, applied: Applied) -> None:
        if applied is Applied.HELD_UP:
            self._put_back(one)
        else:
            one.applied.set_result(applied)

    def _put_back(self, one: _Wanted) -> None:
        """Whoever has locked an instance holds up its own turn, and no others."""
        until = one.until + LONGEST_STOP if self._patience.stopping.is_set() else one.applied.given_up_at
        if monotonic() > until:
            one.applied.set_exception(transitions.HeldUp("Somebody else has locked it."))
            return
        one.applied.is_held_up = True
        if not self._held_up:
            self._again_at = monotonic() + self._pause
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
        self._held_up.append(one)

"""Which threads may compute at the same time. Those that wait, for an action or a commit, don't count."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from threading import Condition, Event, Thread, get_ident
from time import monotonic, sleep
from types import TracebackType
from typing import NamedTuple, Self

from workflow.engine.commit import Writer
from workflow.transitions import Applied, Lease, Turn

PATIENCE = 0.005
"""Seconds that a thread may compute in one go before another one is let in beside it."""


class _Waiting(NamedTuple):
    thread: int
    let_in: Event


class Slots:
    """One thread computes at a time, and another one beside each that takes long, up to `count`.

    Threads share one interpreter, and two that alternate at each call into the sandbox cost twice as much as one. But code that
    computes for long, which it does in a process of its own, must not hold back the rest. With a `patience` of 0 seconds, all
    `count` compute at once. `on_room` is told when a thread more may compute, and none waits for that.
    """

    def __init__(self, count: int, *, patience: float = PATIENCE, on_room: Callable[[], object] = lambda: None) -> None:
        self._count = count
        self._patience = patience
        self._on_room = on_room
        self._changed = Condition()
        self._since: dict[int, float] = {}
        self._line: deque[_Waiting] = deque()
        self._is_over = False
        self._watch = Thread(target=self._let_in_beside, name="slots", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._watch.join()

    @property
    def is_any_engaged(self) -> bool:
        """Whether any thread computes, or is about to."""
        return bool(self._since or self._line)

    @property
    def has_room(self) -> bool:
        """Whether a thread that comes now may compute."""
        with self._changed:
            return self._has_room()

    @contextmanager
    def working(self) -> Iterator[None]:
        """This thread computes, once it may."""
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def away(self) -> Iterator[None]:
        """This thread waits for something else meanwhile, and does not compute, if it did."""
        if get_ident() not in self._since:
            yield
            return
        self._give()
        try:
            yield
        finally:
            self._take()

    def try_take(self) -> bool:
        """Whether this thread may compute at once; then it is to `leave` afterwards."""
        with self._changed:
            if not self._has_room():
                return False
            self._begin(get_ident())
            return True

    def leave(self) -> None:
        """This thread computes no more, and looks for itself what is to be done next."""
        with self._changed:
            del self._since[get_ident()]
            self._let_in()

    def moved(self) -> None:
        """This thread gets on: what it computes next is counted by itself."""
        self._since[get_ident()] = monotonic()

    def _take(self) -> None:
        with self._changed:
            if self._has_room():
                self._begin(get_ident())
                return
            waiting = _Waiting(get_ident(), Event())
            self._line.append(waiting)
        waiting.let_in.wait()

    def _give(self) -> None:
        self.leave()
        if self.has_room:
            self._on_room()

    def _begin(self, thread: int) -> None:
        if not self._since:
            self._changed.notify()
        self._since[thread] = monotonic()

    def _has_room(self) -> bool:
        return not self._line and self._may_begin()

    def _may_begin(self) -> bool:
        latest = monotonic() - self._patience
        quick = sum(since > latest for since in list(self._since.values()))
        return not quick and len(self._since) < self._count

    def _let_in(self) -> None:
        while self._line and self._may_begin():
            first = self._line.popleft()
            self._begin(first.thread)
            first.let_in.set()

    def _let_in_beside(self) -> None:
        """The watch: nobody else notices that a thread takes long."""
        while not self._is_over:
            with self._changed:
                while not self._since and not self._is_over:
                    self._changed.wait()
            sleep(self._patience)
            with self._changed:
                self._let_in()
                has_room = bool(self._since) and self._has_room()
            if has_room:
                self._on_room()


class NoSlots(Slots):
    """For a thread that does everything by itself, one thing after the other."""

    def __init__(self) -> None:
        super().__init__(1)

    @contextmanager
    def working(self) -> Iterator[None]:
        yield

    @contextmanager
    def away(self) -> Iterator[None]:
        yield

    def moved(self) -> None:
        """Nobody else waits for it."""


class Away:
    """A writer for threads that compute: they give their slot away while they wait for the commit."""

    def __init__(self, writer: Writer, slots: Slots) -> None:
        self._writer = writer
        self._slots = slots

    def write(self, lease: Lease, turn: Turn, *, patience: float = inf) -> Applied:
        with self._slots.away():
            return self._writer.write(lease, turn, patience=patience)

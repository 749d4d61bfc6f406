"""Which threads may compute at the same time. Those that wait, for an action or a commit, don't count."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from threading import Condition, Event, Thread, get_ident
from time import monotonic, sleep
from types import TracebackType
from typing import NamedTuple, Self

from workflow.engine.commit import Writer
from workflow.engine.slow import LONG, Queue, SlowCode
from workflow.transitions import Applied, Lease, Turn

PATIENCE = 0.005
"""Seconds that a thread may compute in one go before another one is let in beside it."""

KEPT = 0.05
"""Seconds for which the last place is kept after what is not slow has left it: most of that is soon back, from a commit."""

TURN = 1.0
"""Seconds for which a single place goes to what is not slow, if such waits, before it is the turn of slow code again."""


class _Waiting(NamedTuple):
    thread: int
    code: str
    let_in: Event


@dataclass
class _Computing:
    """What a thread computes: `code`, if it runs any, for how long, and whether it had a place as slow code at first."""

    code: str
    came_slow: bool
    since: float = field(default_factory=monotonic)


class Slots:
    """One thread computes at a time, and another one beside each that takes long, up to `count`.

    Threads share one interpreter, and two that alternate at each call into the sandbox cost twice as much as one. But code that
    computes for long, which it does in a process of its own, must not hold back the rest. With a `patience` of 0 seconds, all
    `count` compute at once. `on_room` is told when a thread more may compute.

    Code that is `slow` may take all places while nothing else wants one. While something does, as `are_others` tells of what comes
    new, the last place is not for slow code; a single one goes to each kind in turn. So neither waits for all of the other, and no more
    compute than `count` in any case. Without `slow`, no code is.
    """

    def __init__(
        self,
        count: int,
        *,
        patience: float = PATIENCE,
        on_room: Callable[[], object] = lambda: None,
        slow: SlowCode | None = None,
        are_others: Callable[[], bool] = lambda: False,
    ) -> None:
        self._count = count
        self._patience = patience
        self._on_room = on_room
        self._slow = SlowCode() if slow is None else slow
        self._learns = slow is not None
        self._are_others = are_others
        self._changed = Condition()
        self._computing: dict[int, _Computing] = {}
        self._line: Queue[_Waiting] = Queue(self._slow, lambda waiting: waiting.code)
        self._others_at = -inf
        self._slow_at = -inf
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
        return bool(self._computing or self._line)

    @property
    def has_room(self) -> bool:
        """Whether a thread that comes now may compute what is not slow."""
        with self._changed:
            return self._has_room(is_slow=False)

    @property
    def has_room_for_slow(self) -> bool:
        """Whether a thread that comes now may compute what is slow."""
        with self._changed:
            return self._has_room(is_slow=True)

    @contextmanager
    def working(self, code: str = "") -> Iterator[None]:
        """This thread computes that code, once it may."""
        self._take(code)
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def away(self) -> Iterator[None]:
        """This thread waits for something else meanwhile, and does not compute, if it did."""
        computing = self._computing.get(get_ident())
        if computing is None:
            yield
            return
        self._give()
        try:
            yield
        finally:
            self._take(computing.code)

    def try_take(self, *, is_slow: bool = False) -> bool:
        """Whether this thread may compute at once; then it is to `leave` afterwards."""
        with self._changed:
            self._let_in()
            if not self._has_room(is_slow=is_slow):
                return False
            self._begin(get_ident(), "", is_slow=is_slow)
            return True

    def leave(self) -> None:
        """This thread computes no more, and looks for itself what is to be done next."""
        with self._changed:
            left = self._computing.pop(get_ident())
            if left.came_slow or self._is_slow(left.code):
                self._slow_at = monotonic()
            else:
                self._others_at = monotonic()
            self._let_in()

    def moved(self, code: str = "") -> None:
        """This thread gets on: what it computes next, that code if any, is counted by itself."""
        computing, now = self._computing[get_ident()], monotonic()
        if self._slow.is_any and computing.code in self._slow:
            self._slow_at = now
        computing.code, computing.since = code, now

    def _take(self, code: str) -> None:
        with self._changed:
            is_slow = self._is_slow(code)
            if self._has_room(is_slow=is_slow):
                self._begin(get_ident(), code, is_slow=is_slow)
                return
            waiting = _Waiting(get_ident(), code, Event())
            self._line.append(waiting)
            self._changed.notify()
        waiting.let_in.wait()

    def _give(self) -> None:
        self.leave()
        with self._changed:
            may_begin = self._may_begin()
        if may_begin:
            self._on_room()

    def _begin(self, thread: int, code: str, *, is_slow: bool) -> None:
        if not self._computing:
            self._changed.notify()
        self._computing[thread] = _Computing(code, is_slow)

    def _has_room(self, *, is_slow: bool) -> bool:
        if is_slow:
            return not self._line and self._may_slow_begin()
        return self._may_begin() and not self._line.has_others()

    def _may_begin(self) -> bool:
        latest = monotonic() - self._patience
        computing = list(self._computing.values())
        return len(computing) < self._count and not any(one.since > latest for one in computing)

    def _may_slow_begin(self) -> bool:
        if not self._may_begin():
            return False
        if sum(one.came_slow or self._is_slow(one.code) for one in self._computing.values()) < self._count - 1:
            return True
        if self._line.has_others() or self._are_others():
            return self._count == 1 and monotonic() - self._slow_at > TURN
        return self._count == 1 or monotonic() - self._others_at > KEPT

    def _is_slow(self, code: str) -> bool:
        return self._slow.is_any and code in self._slow

    def _let_in(self) -> None:
        while self._line and (first := self._next_in_line()):
            self._begin(first.thread, first.code, is_slow=self._is_slow(first.code))
            first.let_in.set()

    def _next_in_line(self) -> _Waiting | None:
        """Who may begin now. What is slow comes first where it may, as the last place is not for it."""
        if not self._may_begin():
            return None
        found = self._line.take_slow() if self._line.has_slow() and self._may_slow_begin() else self._line.take()
        return found[0] if found else None

    def _note_slow(self) -> None:
        if self._learns:
            latest = monotonic() - LONG
            for one in list(self._computing.values()):
                if one.code and one.since < latest:
                    self._slow.note(one.code)

    def _let_in_beside(self) -> None:
        """The watch: nobody else notices that a thread takes long."""
        while not self._is_over:
            with self._changed:
                while not self.is_any_engaged and not self._is_over:
                    self._changed.wait()
            sleep(self._patience)
            with self._changed:
                self._note_slow()
                self._let_in()
                may_begin = bool(self._computing or self._line) and self._may_begin()
            if may_begin:
                self._on_room()


class NoSlots(Slots):
    """For a thread that does everything by itself, one thing after the other."""

    def __init__(self) -> None:
        super().__init__(1)

    @contextmanager
    def working(self, code: str = "") -> Iterator[None]:  # noqa: ARG002 - nobody else waits for it
        yield

    @contextmanager
    def away(self) -> Iterator[None]:
        yield

    def moved(self, code: str = "") -> None:
        """Nobody else waits for it."""


class Away:
    """A writer for threads that compute: they give their slot away while they wait for the commit."""

    def __init__(self, writer: Writer, slots: Slots) -> None:
        self._writer = writer
        self._slots = slots

    def write(self, lease: Lease, turn: Turn, *, patience: float = inf) -> Applied:
        with self._slots.away():
            return self._writer.write(lease, turn, patience=patience)

"""Code that is known to compute for long, and queues in which it stands behind the rest."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

LONG = 0.25
"""Seconds of computing in one go after which code is slow."""

REMEMBERED = 60.0
"""Seconds for which code stays slow since it last computed for long: a machine that stood still may have been to blame."""

T = TypeVar("T")


class SlowCode:
    """The code that is slow, by its text, in one engine: so that many instances of one process with an endless loop are told
    from others as soon as the first of them has computed for a moment.
    """

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self.is_any = False
        """Whether any code was slow so far. As a rule none ever is, and nobody has to look further."""

    def __contains__(self, code: str) -> bool:
        seen = self._seen.get(code)
        return seen is not None and monotonic() - seen < REMEMBERED

    def note(self, code: str) -> None:
        """It has computed for long just now. Called by one thread only."""
        if code not in self._seen:
            self._seen = {known: seen for known, seen in self._seen.items() if known in self}
        self._seen[code] = monotonic()
        self.is_any = True


class Queue(Generic[T]):
    """First come, first served, where items whose code is slow stand in a queue of their own. `code_of` gives an item's code.

    What stands first is looked at each time, as code may have been found slow meanwhile. Each changes queues once at most.
    """

    def __init__(self, slow_code: SlowCode, code_of: Callable[[T], str]) -> None:
        self._slow_code = slow_code
        self._code_of = code_of
        self._others: deque[T] = deque()
        self._slow: deque[T] = deque()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._others) + len(self._slow)

    def __iter__(self) -> Iterator[T]:
        """All that wait at this moment."""
        return chain(self._others.copy(), self._slow.copy())

    def append(self, item: T) -> None:
        """Let it wait behind what has come before."""
        self._others.append(item)

    def extend(self, items: Iterable[T]) -> None:
        """Let all of these wait, which then come in one go."""
        self._others.extend(items)

    def has_others(self) -> bool:
        """Whether anything waits that is not slow."""
        if not self._slow_code.is_any:
            return bool(self._others)
        with self._lock:
            self._set_slow_apart()
            return bool(self._others)

    def has_slow(self) -> bool:
        """Whether anything waits that is slow."""
        if not self._slow_code.is_any:
            return False
        with self._lock:
            self._set_slow_apart()
            return bool(self._slow)

    def take(self, *, most: int = 1, fits: Callable[[T, T], bool] = lambda _, __: True) -> list[T]:
        """The first that is not slow, and up to `most` with those right after it that fit it."""
        found: list[T] = []
        with self._lock:
            self._set_slow_apart()
            while self._others and len(found) < most and (not found or fits(found[0], self._others[0])):
                found.append(self._others.popleft())
                self._set_slow_apart()
        return found

    def take_slow(self) -> list[T]:
        """The first that is slow, if any is."""
        with self._lock:
            self._set_slow_apart()
            return [self._slow.popleft()] if self._slow else []

    def _set_slow_apart(self) -> None:
        if not self._slow_code.is_any:
            return
        while self._others and self._code_of(self._others[0]) in self._slow_code:
            self._slow.append(self._others.popleft())

"""Threads that work for the engine, each with database connections of its own."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event, Lock, Thread, current_thread, local
from types import TracebackType
from typing import Any, Self

from django.db import connections

LONGEST_REST = 5.0
"""Seconds after which a thread that has nothing to do ends, and with it its connections: others may need them."""

_Work = Callable[[], None]


class _Own(local):
    """The crew of this thread."""

    crew: "Crew | None" = None


_own = _Own()


@contextmanager
def another_may_come() -> Iterator[None]:
    """This thread waits for somebody, who knows how long: meanwhile its crew may have one more in its stead."""
    crew = _own.crew
    if crew is None:
        yield
        return
    crew.resize(by=1)
    try:
        yield
    finally:
        crew.resize(by=-1)


class Crew(Executor):
    """Up to `size` threads, started when they are needed. The last that came to rest is the first to be woken, so that there
    are as few as will do.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._lock = Lock()
        self._asked: deque[_Work] = deque()
        self._resting: list[Event] = []
        self._threads: set[Thread] = set()
        self._count = 0
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_over = True
            while self._resting:
                self._resting.pop().set()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._is_over:
                raise RuntimeError(f"The crew {self._name!r} has ended.")
            self._asked.append(partial(_fulfil, future, partial(fn, *args, **kwargs)))
            self._call_one()
        return future

    @property
    def has_room(self) -> bool:
        """Whether a thread is free for one thing more."""
        with self._lock:
            return len(self._asked) < len(self._resting) + self._size - self._count

    def resize(self, *, by: int) -> None:
        """Have so many threads more, if they are needed. Of too many, those end that have nothing to do."""
        with self._lock:
            self._size += by
            if self._asked and not self._is_over:
                self._call_one()

    def _call_one(self) -> None:
        """Have one more at work. It may find that another was quicker."""
        if self._resting:
            self._resting.pop().set()
        elif self._count < self._size:
            self._count += 1
            thread = Thread(target=self._work, name=self._name)
            self._threads.add(thread)
            thread.start()

    def _work(self) -> None:
        woken = Event()
        _own.crew = self
        while work := self._next(woken):
            work()
            del work  # what it has held must not be held on to at rest
        connections.close_all()
        with self._lock:
            self._threads.discard(current_thread())

    def _next(self, woken: Event) -> _Work | None:
        """What to do next; `None` when there is nothing more, or was nothing for long."""
        while True:
            with self._lock:
                if self._asked:
                    return self._asked.popleft()
                if self._is_over:
                    return None
                woken.clear()
                self._resting.append(woken)
            if not woken.wait(LONGEST_REST) and self._leaves(woken):
                return None

    def _leaves(self, woken: Event) -> bool:
        """Whether it has not been woken at that very moment."""
        with self._lock:
            if woken not in self._resting:
                return False
            self._resting.remove(woken)
            self._count -= 1
            return True


def _fulfil(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - who asks for the result gets it
        future.set_exception(error)


class LateCrew(Executor):
    """A crew that comes together for its first work."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._lock = Lock()
        self._crew: Crew | None = None
        self._stack = ExitStack()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self._lock:
            if self._crew is None:
                self._crew = self._stack.enter_context(Crew(self._size, self._name))
        return self._crew.submit(fn, *args, **kwargs)


class Here(Executor):
    """Does at once, in the thread that asks, what it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - who asks for the result gets it
            future.set_exception(error)
        return future

"""Threads that work for the engine, each with a database connection of its own."""

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier, Lock
from types import TracebackType
from typing import Any, Self

from django.db import connections


class Crew(ThreadPoolExecutor):
    """A thread pool that closes its threads' database connections when it ends."""

    def __init__(self, size: int, name: str) -> None:
        super().__init__(size, thread_name_prefix=name)
        self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A thread that waits at the barrier takes no second one of these: each thread gets its own.
        barrier = Barrier(self._size)
        for _ in range(self._size):
            self.submit(_close_connections, barrier)
        self.shutdown()


def _close_connections(barrier: Barrier) -> None:
    connections.close_all()
    barrier.wait()


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

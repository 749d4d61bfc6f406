"""Threads that work for the engine, each with a database connection of its own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import TracebackType
from typing import Self

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

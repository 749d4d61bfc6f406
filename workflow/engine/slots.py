"""How many threads may compute at the same time. Those that wait, for an action or a commit, don't count."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore

from workflow.engine.commit import Writer
from workflow.transitions import Applied, Lease, Turn


class Slots:
    """`count` slots, which threads give away while they wait."""

    def __init__(self, count: int) -> None:
        self._free = Semaphore(count)
        self._lock = Lock()
        self._engaged = 0

    @property
    def is_any_engaged(self) -> bool:
        """Whether any thread computes, or is about to."""
        return self._engaged > 0

    @contextmanager
    def working(self) -> Iterator[None]:
        """This thread computes."""
        self._engage(1)
        try:
            with self._free:
                yield
        finally:
            self._engage(-1)

    @contextmanager
    def away(self) -> Iterator[None]:
        """This thread, which computes, waits for something else meanwhile."""
        self._free.release()
        self._engage(-1)
        try:
            yield
        finally:
            self._engage(1)
            self._free.acquire()

    def _engage(self, by: int) -> None:
        with self._lock:
            self._engaged += by


class Away:
    """A writer for threads that compute: they give their slot away while they wait for the commit."""

    def __init__(self, writer: Writer, slots: Slots) -> None:
        self._writer = writer
        self._slots = slots

    def write(self, lease: Lease, turn: Turn) -> Applied:
        with self._slots.away():
            return self._writer.write(lease, turn)

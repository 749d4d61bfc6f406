"""A task queue that drives what an engine has claimed: Django's Tasks framework, with any of its backends.

The engine claims as ever, and sends a task for each instance. The worker that runs the task takes the claim over, with its
lease (`worker`). Nothing depends on the queue for being right: a task that was lost is made up for when the lease is
over, and one that comes twice, or too late, finds that the claim is no longer the engine's.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection

from workflow import transitions
from workflow.engine.give_up import hand_back
from workflow.engine.patience import Patience
from workflow.engine.threads import Claimed
from workflow.logs import fields
from workflow.models import RunningProcesses
from workflow.transitions import Lease

logger = logging.getLogger(__name__)

SHORTEST, LONGEST = 0.02, 0.5  # seconds between looks at what waits in the queue: while it moves, and while it does not
LEASES_IN_TIME = 3  # so long as these take, none may run out in the queue before one that does is news again
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between tries to reach a queue that is down


class TaskQueue:
    """Sends instances to the queue, and tells the engine of each that waits there no longer.

    Their leases are not renewed while they wait: what the queue has lost is to be claimed again. `lease` is in seconds.
    """

    def __init__(
        self,
        *,
        owner: str,
        lease: float,
        clock: Callable[[], datetime],
        patience: Patience,
        ended: Callable[[RunningProcesses], None],
    ) -> None:
        self._owner = owner
        self._lease = lease
        self._clock = clock
        self._patience = patience
        self._ended = ended
        self.left: Sequence[RunningProcesses] = ()
        self._waiting: dict[tuple[int, int], RunningProcesses] = {}
        self._lock = Lock()
        self._is_any = Event()
        self._is_over = Event()
        self._pause = 0.0  # since the queue is down
        self._slow_at: datetime | None = None  # when a lease has run out in the queue last
        self._watcher = Thread(target=self._watch, name="task queue", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._is_any.set()
        self._watcher.join()

    @property
    def queued(self) -> Sequence[tuple[int, int]]:
        """None: until a worker takes an instance over, it waits in the queue, as its owner tells."""
        return ()

    def begin(self, claimed: Sequence[Claimed]) -> None:
        """Send these. Where the queue can't be reached, they are handed back, and it is waited for."""
        instances = [instance for instance, _ in claimed]
        for number, instance in enumerate(instances):
            try:
                self._send(instance)
            except Exception as error:  # noqa: BLE001 - each backend has errors of its own
                self._wait_for_the_queue(instances[number:], error)
                return
            self._await(instance)
            self._note_that_it_is_back()

    def renew(self, leases: Collection[Lease], *, until: datetime) -> None:
        """Nothing: whoever drives an instance renews its lease."""

    def _send(self, instance: RunningProcesses) -> None:
        # Here, because only an engine that has a queue can import it.
        from workflow.engine.tasks import drive

        drive.enqueue(instance=instance.pk, owner=instance.owner, fence=instance.fence, lease=self._lease)

    def _await(self, instance: RunningProcesses) -> None:
        with self._lock:
            self._waiting[instance.pk, instance.fence] = instance
            self._is_any.set()

    def _wait_for_the_queue(self, unsent: Sequence[RunningProcesses], error: Exception) -> None:
        if not self._pause:
            told = "The task queue can't be used (%s: %s); instances are handed back, and tried again."
            logger.warning(told, type(error).__name__, error, extra=fields(engine=self._owner))
        try:
            for number, instance in enumerate(unsent):
                self.left = unsent[number:]
                self._patience(partial(hand_back, instance))
            self.left = ()
        finally:
            for instance in unsent:
                self._ended(instance)
        self._pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, self._pause * 2))
        self._patience.stopping.wait(self._pause)

    def _note_that_it_is_back(self) -> None:
        if self._pause:
            self._pause = 0.0
            logger.info("The task queue can be used again.", extra=fields(engine=self._owner))

    def _watch(self) -> None:
        pause = SHORTEST
        while self._is_any.wait() and not self._is_over.is_set():
            pause = SHORTEST if self._let_go() else min(LONGEST, pause * 1.5)
            self._is_over.wait(pause)
        connection.close()

    def _let_go(self) -> int:
        """Tell the engine of those that no longer wait in the queue; returns how many these are."""
        with self._lock:
            waiting = dict(self._waiting)
        still = self._still(waiting)
        gone = [instance for claim, instance in waiting.items() if claim not in still]
        self._note_whether_it_is_slow(gone)
        with self._lock:
            for instance in gone:
                del self._waiting[instance.pk, instance.fence]
            if not self._waiting:
                self._is_any.clear()
        for instance in gone:
            self._ended(instance)
        return len(gone)

    def _still(self, waiting: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
        """Of these claims, those that are still this engine's."""
        if self._patience.stopping.is_set():
            return set()  # workers come for them, or other engines when the leases are over
        try:
            return transitions.still_held(self._owner, waiting, now=self._clock())
        except DatabaseError:  # the engine's own queries tell of it
            connection.close()
            return set(waiting)

    def _note_whether_it_is_slow(self, gone: Collection[RunningProcesses]) -> None:
        """Say once if nobody comes for tasks in time, until that has been over for a while: where workers are too few, some
        tasks are come for in between.
        """
        now = self._clock()
        late = [instance for instance in gone if instance.due_at and instance.due_at <= now]
        if not late:
            return
        if self._slow_at is None or now - self._slow_at > timedelta(seconds=self._lease * LEASES_IN_TIME):
            told = "No worker has come for %s of the tasks within the lease of %g s; their instances are claimed again."
            logger.warning(told, len(late), self._lease, extra=fields(engine=self._owner))
        self._slow_at = now

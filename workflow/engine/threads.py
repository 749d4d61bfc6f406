"""An engine's own threads, which drive what it has claimed, and write what becomes of it in groups."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import islice
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from workflow.code.runner import Runner
from workflow.engine.commit import GroupCommit
from workflow.engine.company import LARGEST, Company, Way, way_of
from workflow.engine.crew import Crew
from workflow.engine.driver import Driver
from workflow.engine.heartbeat import renew
from workflow.engine.lacking import Lacking
from workflow.engine.patience import Patience
from workflow.engine.slots import Slots
from workflow.engine.slow import Queue, SlowCode
from workflow.errors import CannotDrive
from workflow.models import RunningProcesses, TaskRun
from workflow.transitions import Lease

MOST_QUEUED = 200
"""Claims of which an engine reports that they wait for a thread: by default, it holds no more than half of that."""

LONG_QUEUED = 1.0
"""Seconds for which a claim has waited for a thread before the engine reports it."""

THREADS = 32
"""Instances whose actions may work at the same time. Threads are only started when they are needed."""

Claimed = tuple[RunningProcesses, list[TaskRun]]
"""An instance that an engine has claimed, with the task runs of its step."""


class Drivers(Protocol):
    """Who drives what an engine has claimed: a context, so that it can start and stop what it needs."""

    @property
    def left(self) -> Sequence[RunningProcesses]:
        """Those that a stop has left leased, as they could not be handed back."""
        ...

    @property
    def queued(self) -> Sequence[tuple[int, int]]:
        """Claims that have waited for a thread for a while, each as an instance and its fence."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def begin(self, claimed: Sequence[Claimed]) -> None:
        """Have these driven. The engine is told of each that it has no more to do with."""
        ...

    def renew(self, leases: Collection[Lease], *, until: datetime) -> None:
        """Put off the deadlines of those that are driven here."""
        ...


class Threads:
    """Drives in threads of this OS process; `concurrency` counts code that runs at the same time, `lease` is in seconds."""

    def __init__(
        self,
        *,
        runner: Runner,
        concurrency: int,
        lease: float,
        clock: Callable[[], datetime],
        patience: Patience,
        ended: Callable[[RunningProcesses], None],
        lacking: Lacking,
    ) -> None:
        self._runner = runner
        self._lacking = lacking
        self._size = max(THREADS, concurrency)
        self._slow = SlowCode()
        self._slots = Slots(
            concurrency, on_room=self._call_driver, slow=self._slow, are_others=self._can_others_be_driven
        )
        self._to_drive = Queue(self._slow, _comes_to)
        self._resting: deque[Runner] = deque()
        self._is_called = False
        self._lease = lease
        self._clock = clock
        self._patience = patience
        self._ended = ended

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._kept = stack.enter_context(ExitStack())
            self._commit = stack.enter_context(GroupCommit(self._patience, self._are_more_coming))
            self._main = stack.enter_context(Crew(self._size, "drive"))
            side = stack.enter_context(Crew(self._size, "code"))
            stack.enter_context(self._slots)
            self._driver = Driver(
                runner=self._runner,
                lease=self._lease,
                clock=self._clock,
                commit=self._commit,
                later=self._drive_later,
                main=self._main,
                side=side,
                slots=self._slots,
                patience=self._patience,
                ended=self._ended,
                lacking=self._lacking,
            )
            self._company = Company(
                go_on=self._driver.go_on,
                later=self._drive_later,
                are_others=self._to_drive.has_others,
                is_slow=self._is_slow,
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def left(self) -> Sequence[RunningProcesses]:
        return self._driver.left

    @property
    def queued(self) -> Sequence[tuple[int, int]]:
        latest = monotonic() - LONG_QUEUED
        waiting = islice((way.instance for way in self._to_drive if way.queued_at < latest), MOST_QUEUED)
        return [(instance.pk, instance.fence) for instance in waiting]

    def begin(self, claimed: Sequence[Claimed]) -> None:
        # Here, where there is a connection: threads that wait for one let others in beside them, each with a sandbox.
        with suppress(Exception):  # whoever drives it meets the same, and tells of it
            for instance, _ in claimed:
                with suppress(CannotDrive):
                    self._driver.definition(instance.version_id)
        self._to_drive.extend([way_of(instance, runs) for instance, runs in claimed])
        self._call_driver()

    def renew(self, leases: Collection[Lease], *, until: datetime) -> None:
        renew(leases, until=until)

    def _drive_later(self, way: Way) -> None:
        way.queued_at = monotonic()
        self._to_drive.append(way)
        self._call_driver()

    def _call_driver(self) -> None:
        """Have a thread drive what is claimed, if one more may compute; and have what is done written, if none does."""
        if self._may_any_be_driven():
            if not self._is_called:
                self._is_called = True
                self._main.submit(self._drive_in_turn)
        elif not self._are_more_coming():
            self._commit.look()

    def _drive_in_turn(self) -> None:
        """Drive what is claimed as long as this thread may compute."""
        self._is_called = False
        while take := self._begun():
            try:
                with self._own_runner() as runner:
                    self._company.drive(take(), runner)
            finally:
                self._slots.leave()
            self._patience.share()
        self._call_driver()

    def _may_any_be_driven(self) -> bool:
        if not self._to_drive:
            return False
        if self._to_drive.has_slow() and self._slots.has_room_for_slow:
            return True
        return self._to_drive.has_others() and self._slots.has_room

    def _begun(self) -> Callable[[], list[Way]] | None:
        """What takes from the queue what this thread is to drive, if it may compute. It finds nothing where another thread has
        taken the last one.
        """
        if self._to_drive.has_slow() and self._slots.try_take(is_slow=True):
            return self._to_drive.take_slow
        if self._to_drive.has_others() and self._slots.try_take():
            return partial(self._to_drive.take, most=LARGEST, fits=_may_go_together)
        return None

    def _can_others_be_driven(self) -> bool:
        """Whether anything waits that is not slow, and a thread is free for it."""
        return self._to_drive.has_others() and self._main.has_room

    def _is_slow(self, way: Way) -> bool:
        """Whether the code that it runs next is slow."""
        return self._slow.is_any and _comes_to(way) in self._slow

    @contextmanager
    def _own_runner(self) -> Iterator[Runner]:
        """A runner for code that runs one after the other: one that rests, as it is quicker the second time."""
        try:
            runner = self._resting.pop()
        except IndexError:
            runner = self._kept.enter_context(self._runner.shared())
        try:
            yield runner
        finally:
            self._resting.append(runner)

    def _are_more_coming(self) -> bool:
        return self._slots.is_any_engaged or bool(self._to_drive)


def _may_go_together(first: Way, other: Way) -> bool:
    return not (first.is_alone or other.is_alone)


def _comes_to(way: Way) -> str:
    """The code that it runs next; empty if it has not begun."""
    return way.drive.comes_to if way.drive else ""

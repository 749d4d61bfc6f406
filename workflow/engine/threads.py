"""An engine's own threads, which drive what it has claimed, and write what becomes of it in groups."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from workflow import transitions
from workflow.code.runner import Runner
from workflow.engine.commit import GroupCommit
from workflow.engine.crew import Crew
from workflow.engine.driver import Driver, Work
from workflow.engine.patience import Patience
from workflow.engine.slots import Slots
from workflow.models import RunningProcesses, TaskRun
from workflow.transitions import Lease

THREADS = 32
"""Instances whose actions may work at the same time. Threads are only started when they are needed."""

Claimed = tuple[RunningProcesses, list[TaskRun]]
"""An instance that an engine has claimed, with the task runs of its step."""


class Drivers(Protocol):
    """Who drives what an engine has claimed: a context, so that it can start and stop what it needs."""

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
    """Drives in threads of this OS process; `concurrency` counts code that runs at the same time."""

    def __init__(
        self,
        *,
        runner: Runner,
        concurrency: int,
        clock: Callable[[], datetime],
        patience: Patience,
        ended: Callable[[RunningProcesses], None],
    ) -> None:
        self._runner = runner
        self._size = max(THREADS, concurrency)
        self._slots = Slots(concurrency, on_room=self._call_driver)
        self._to_drive: deque[Work] = deque()
        self._resting: deque[Runner] = deque()
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
                clock=self._clock,
                commit=self._commit,
                later=self._drive_later,
                main=self._main,
                side=side,
                slots=self._slots,
                patience=self._patience,
                ended=self._ended,
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def begin(self, claimed: Sequence[Claimed]) -> None:
        for instance, runs in claimed:
            self._to_drive.append(partial(self._driver.drive, instance, runs))
        self._call_driver()

    def renew(self, leases: Collection[Lease], *, until: datetime) -> None:
        transitions.renew(leases, until=until)

    def _drive_later(self, work: Work) -> None:
        self._to_drive.append(work)
        self._call_driver()

    def _call_driver(self) -> None:
        """Have a thread drive what is claimed, if one more may compute; and have what is done written, if none does."""
        if self._to_drive and self._slots.has_room:
            self._main.submit(self._drive_in_turn)
        elif not self._are_more_coming():
            self._commit.look()

    def _drive_in_turn(self) -> None:
        """Drive what is claimed, one after the other, as long as this thread may compute."""
        runner = self._own_runner()
        while self._to_drive and self._slots.try_take():
            try:
                with suppress(IndexError):  # another thread may have taken the last one
                    self._to_drive.popleft()(runner)
            finally:
                self._slots.leave()
        self._resting.append(runner)
        self._call_driver()

    def _own_runner(self) -> Runner:
        """A runner for code that runs one after the other: one that rests, as it is quicker the second time."""
        try:
            return self._resting.pop()
        except IndexError:
            return self._kept.enter_context(self._runner.shared())

    def _are_more_coming(self) -> bool:
        return self._slots.is_any_engaged or bool(self._to_drive)

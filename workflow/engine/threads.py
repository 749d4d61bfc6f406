"""An engine's own threads, which drive what it has claimed, and write what becomes of it in groups."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from workflow import transitions
from workflow.code.runner import Runner
from workflow.engine.commit import GroupCommit
from workflow.engine.crew import Crew
from workflow.engine.driver import Driver
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
        self._slots = Slots(concurrency)
        self._clock = clock
        self._patience = patience
        self._ended = ended

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            commit = stack.enter_context(GroupCommit(self._patience, lambda: self._slots.is_any_engaged))
            self._main = stack.enter_context(Crew(self._size, "drive"))
            side = stack.enter_context(Crew(self._size, "code"))
            self._driver = Driver(
                runner=self._runner,
                clock=self._clock,
                commit=commit,
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
            self._main.submit(self._driver.drive, instance, runs)

    def renew(self, leases: Collection[Lease], *, until: datetime) -> None:
        transitions.renew(leases, until=until)

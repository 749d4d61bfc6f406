"""What runs code: the protocol that the sandbox and the trusted runner share, and the one of this OS process."""

import atexit
import os
import threading
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from django.conf import settings

from workflow import conf
from workflow.clock import now
from workflow.code.actions import actions
from workflow.code.job import Answer, Call, Completed, Errored, Job, Outcome, Problem
from workflow.code.waits import WAITS

# More than any process has threads that run code. Workers are only started when needed; were there too few, actions that
# start processes, whose code is checked in a worker, could wait for the workers of their own callers.
MAX_WORKERS = 1_000


class Runner(Protocol):
    """Runs and checks code. Safe to use from several threads at once."""

    def run(
        self, job: Job, *, snapshot: bytes = b"", clock: Callable[[], datetime] = now
    ) -> Generator[Call, Answer, Outcome]:
        """Yields the calls that the code makes, is sent their answers, and returns the outcome.

        With a `snapshot` it goes on from there, and first yields the call at which that was taken. `clock` is the
        time that the code is told. Never raises for a fault of the code; raises `SnapshotRefused` at its first step,
        and `WorkerStopped` at any.
        Closing the generator abandons the job and frees its worker.
        """
        ...

    def evaluate(
        self,
        expression: str,
        *,
        data: dict[str, Any],
        results: dict[str, Any],
        time_limit: float,
        memory_limit: int,
    ) -> Completed | Errored:
        """The value of one expression that makes no calls: a condition, an approver."""
        ...

    def may_join(self, job: Job) -> bool:
        """Whether its code is known to be short, and to call and print nothing, so that it may run with others'."""
        ...

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        """What becomes of these jobs, all of which may join, in their order; `None` for one that is to be run by itself
        after all.
        """
        ...

    def are_short(self, expressions: Collection[str]) -> bool:
        """Whether all of these are known to be evaluated in a moment."""
        ...

    def check(self, code: str, *, expression: bool, stubs: str) -> list[Problem]:
        """What is wrong with code that can be known without running it; `stubs` declares the names in its scope."""
        ...

    def shared(self) -> AbstractContextManager["Runner"]:
        """A runner for code that runs one after the other, as that of an instance's steps, and is quicker for it. What
        one leaves behind, another can't see.
        """
        ...

    def close(self) -> None:
        """Stops the workers. The runner can't be used afterwards."""
        ...


def get_runner() -> Runner:
    """The runner of this OS process, by the setting `RUNNER`; made at the first call.

    Raises `RuntimeError` in a process that was forked from one whose sandbox was in use: see `_Runners`.
    """
    return _runners.get(conf.get("RUNNER"))


def _callable_names() -> list[str]:
    return [*actions(), *WAITS]


class _Runners:
    """One runner of each kind, of one OS process.

    Monty's threads don't survive a fork: in a child of a process that has used it, it would wait for ever. So
    the child is told, and the parent's pool is left alone there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runners: dict[str, Runner] = {}
        self._inherited: list[Runner] = []

    def get(self, kind: str) -> Runner:
        with self._lock:
            if kind not in self._runners:
                self._runners[kind] = self._make(kind)
            return self._runners[kind]

    def close(self) -> None:
        with self._lock:
            while self._runners:
                self._runners.popitem()[1].close()

    def start_anew(self) -> None:
        """In a forked child: nothing is ours, and the lock may be held by a thread that is not here."""
        self._lock = threading.Lock()
        self._inherited = [*self._inherited, *self._runners.values()]
        self._runners = {}

    def _make(self, kind: str) -> Runner:
        # Imported here so that a process which never runs code doesn't load what runs it.
        from workflow.code.sandbox import SandboxRunner
        from workflow.code.trusted import TrustedRunner

        log_limit = conf.get("MAX_LOG_CHARACTERS")
        if kind == "trusted":
            return TrustedRunner(names=_callable_names, log_limit=log_limit)
        if any(isinstance(runner, SandboxRunner) for runner in self._inherited):
            raise RuntimeError(
                f"Process {os.getpid()} was forked from one that had already run code, and the sandbox can't follow. "
                "Fork before the first code runs, or start processes with the 'spawn' method."
            )
        return SandboxRunner(
            workers=MAX_WORKERS,
            names=_callable_names,
            log_limit=log_limit,
            timezone=settings.TIME_ZONE or "UTC",
        )


_runners = _Runners()
os.register_at_fork(after_in_child=_runners.start_anew)
atexit.register(_runners.close)

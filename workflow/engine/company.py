"""Instances that a thread drives together, as long as each comes to short code, which then runs by one feed of the sandbox.

None waits there for more than others' short code: where it comes to what may take a while, to a call or code that is not known
yet, it leaves the company, and is driven by itself when a thread has the time. It may come back after that; and from a commit, once that is done.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from time import monotonic

from workflow.code.job import Job, Outcome
from workflow.code.runner import Runner
from workflow.engine.drive import Drive, Steps
from workflow.engine.held import Place, Report
from workflow.models import RunningProcesses, TaskRun
from workflow.transitions import Applied

logger = logging.getLogger(__name__)

LARGEST = 25
"""Instances that are driven together. More would make the first wait, and save next to nothing."""


@dataclass(kw_only=True, eq=False)
class Way:
    """An instance on its way. `job` is the code that it has come to, if that may run with others'; `written` the write that it
    has come to, which is done before it goes on; `is_alone` while it is to be driven by itself; `queued_at` when it began to wait
    for a thread, by the monotonic clock.
    """

    instance: RunningProcesses
    start: Callable[[Drive], Steps]
    running: dict[Future[Report | None], Place] = field(default_factory=dict)
    drive: Drive | None = None
    steps: Steps | None = None
    job: Job | None = None
    written: Future[Applied] | None = None
    is_alone: bool = False
    queued_at: float = field(default_factory=monotonic)


def way_of(instance: RunningProcesses, runs: list[TaskRun] | None = None) -> Way:
    """The way of a claimed instance. `runs` are the task runs of its step, if they are known already."""
    return Way(instance=instance, start=lambda drive: drive.run(instance, runs))


@dataclass(frozen=True, kw_only=True)
class Company:
    """Drives instances together. `go_on` has one go to where it stops next, given the outcome of its job, if that has run:
    returns whether it goes on from there. `later` has one driven when a thread may compute, as those are of which there
    `are_others`. One that has come to code that `is_slow` waits for a place that such code may have.
    """

    go_on: Callable[[Way, Outcome | None, Runner], bool]
    later: Callable[[Way], None]
    are_others: Callable[[], bool]
    is_slow: Callable[[Way], bool]

    def drive(self, ways: Sequence[Way], runner: Runner) -> None:
        """Drive these in this thread as far as they go together, and the last one as far as it goes."""
        together = list(ways)
        if len(together) > 1:
            together = [way for way in together if way.job or self._stays(way, None, runner)]
        while len(together) > 1:
            outcomes = _run_together([way.job for way in together if way.job], runner)
            together = [way for way, one in zip(together, outcomes, strict=True) if self._went_on(way, one, runner)]
        for way in together:
            self._drive_alone(way, runner)

    def _went_on(self, way: Way, outcome: Outcome | None, runner: Runner) -> bool:
        if outcome is None:  # its code did not fit in after all
            self._leave(way)
            return False
        return self._stays(way, outcome, runner)

    def _stays(self, way: Way, outcome: Outcome | None, runner: Runner) -> bool:
        """Whether it comes to short code again."""
        if not self.go_on(way, outcome, runner):
            return False
        if way.job is None:
            self._leave(way)
            return False
        return True

    def _leave(self, way: Way) -> None:
        """Let go of it: from now on another thread may have it, and have brought it further already."""
        way.is_alone = True
        self.later(way)

    def _drive_alone(self, way: Way, runner: Runner) -> None:
        """Drive it as far as it goes, or until it may come back."""
        while self.go_on(way, None, runner):
            if self.is_slow(way):
                self._leave(way)
                return
            if way.job and self.are_others():
                way.is_alone = False
                self.later(way)
                return


def _run_together(jobs: Sequence[Job], runner: Runner) -> list[Outcome | None]:
    """What becomes of these jobs: whatever is wrong with one of them, or with the sandbox, must not be the end of the others."""
    try:
        return runner.run_together(jobs)
    except Exception:
        logger.exception("Code of %d instances can't run together; each runs by itself.", len(jobs))
        return [None] * len(jobs)

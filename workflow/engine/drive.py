"""Drive an instance from step to step until it waits, ends, or must be handed back.

Code between two calls is pure: running it again does no harm. So steps that are no more than that are not written one
by one, but together with what comes after them: before an action is called, when the instance waits or ends, and after
a while, so that people see it move.
"""

import logging
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from threading import Event
from time import monotonic

from django.db import connection

from workflow import transitions
from workflow.code.execute import execute
from workflow.code.failure import failure
from workflow.code.job import Errored, Job, Suspended, WorkerStopped
from workflow.code.job import Outcome as CodeOutcome
from workflow.code.runner import Runner
from workflow.code.signing import SnapshotTampered, UnknownSigningKey
from workflow.cut import GONE, cut_is_gone
from workflow.definition import Definition
from workflow.engine.commit import Writer
from workflow.engine.give_up import handed_back
from workflow.engine.held import Declined, Held, Place, Report
from workflow.engine.lacking import Lacking
from workflow.engine.ledger import DatabaseLedger
from workflow.engine.patience import LONG, Patience
from workflow.engine.plan import PeopleAreLate, Planner
from workflow.engine.report import tell_kept, tell_lost
from workflow.engine.slots import Slots
from workflow.engine.subprocess import run_subprocess
from workflow.errors import CannotDrive
from workflow.logs import fields
from workflow.models import InstanceState, RunningProcesses, TaskRun
from workflow.people.deadlines import keep_deadlines
from workflow.transitions import Applied, HeldUp, Lease, LeaseLost, RunClosed, Turn

logger = logging.getLogger(__name__)

LONGEST_UNWRITTEN = 0.1  # seconds
LONGEST_HELD_UP = 5.0  # seconds until it lets go of an instance that somebody else has locked
AFTER_A_CUT = 0.05  # seconds until it goes on with a new connection: what cut one may cut the next


class _Outdated(Exception):
    """Something came from outside before a turn could be written: the instance is to be looked at anew."""


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A turn that is to be in the database before a drive goes on: as soon as may be if it `is_urgent`."""

    lease: Lease
    turn: Turn
    is_urgent: bool


Wanted = Job | Writing | None
Answer = CodeOutcome | Applied | None

Steps = Generator[Wanted, Answer, Held | None]
"""A drive on its way. It stops before whatever may take a while: at a job or a write, which may be done elsewhere, and it is then sent
what came of that, or at something else, `None`. Sent nothing, it does it itself.
"""

_Part = Generator[Wanted, Answer, None]


def go_all_the_way(steps: Steps) -> Held | None:
    """Go on in this thread to the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            held: Held | None = end.value
            return held


@dataclass(kw_only=True)
class Drive:
    """One instance's way through its steps, in threads that have a slot. `runner` is the present thread's; `side` runs the code of
    rows that start together, unless all of it is short, by the runner `aside` that threads share. A `lease` lasts that many seconds.
    """

    definition: Definition
    runner: Runner
    aside: Runner
    lease: float
    planner: Planner
    writer: Writer
    side: Executor
    slots: Slots
    patience: Patience
    stopping: Event
    lacking: Lacking = field(default_factory=Lacking)
    takes_turns: bool = False
    running: dict[Future[Report | None], Place] = field(default_factory=dict)
    comes_to: str = ""
    """The code that it runs next, where it has stopped before that."""
    for_others: dict[Place, Exception] = field(default_factory=dict)
    """The task runs that can't be run here, with what is missing."""

    def by(self, runner: Runner) -> None:
        """Go on by the runner of another thread."""
        self.runner = self.planner.runner = runner

    def run(self, instance: RunningProcesses, runs: list[TaskRun] | None = None) -> Steps:
        """Go on until the claimed instance waits or ends, or the engine stops: the caller is to write what is pending
        then. `None` where the lease is lost. `runs` are the task runs of its step, if they are known already.

        Raises only what is no fault of the definition, such as a database that is gone.
        """
        lease = transitions.lease_of(instance)
        if runs is None:
            held = self.patience(lambda: Held.load(lease, instance, self.definition))
        else:
            by_row = {run.row: run for run in runs}
            held = Held(lease=lease, instance=instance, definition=self.definition, runs=by_row)
        return (yield from self._run(held))

    def run_again(self, held: Held) -> Steps:
        """Go on as `run` does, after something came from outside before the last turn could be written."""
        try:
            anew = self._reloaded(held)
        except LeaseLost:
            tell_lost(held.instance)
            return None
        return (yield from self._run(anew))

    def _run(self, held: Held) -> Steps:
        held.refuse_unreadable()
        try:
            while held.instance.state == InstanceState.RUNNING:
                try:
                    with cut_is_gone():
                        yield from self._go_on(held)
                except PeopleAreLate as late:
                    held = self._reloaded_after_deadlines(held, late.now)
                except _Outdated:
                    held = self._reloaded(held)
                except HeldUp:
                    raise
                except GONE:
                    # What code has come to is kept: what it called must not be called again for a connection that was cut.
                    connection.close()
                    with self.slots.away():
                        self.stopping.wait(AFTER_A_CUT)
                    held = self._reloaded(held)
        except LeaseLost:
            tell_lost(held.instance)
            return None
        return held

    def _go_on(self, held: Held) -> _Part:
        if not self._is_quickly_planned():
            yield None
            if self.definition.asks_people:
                self.patience.connect()
        self.slots.moved()
        turn = None if held.is_planned else (yield from self.planner.turn(held))
        if turn is not None:
            held.advance(turn)
            if held.instance.state == InstanceState.RUNNING:
                is_late = monotonic() - held.written_at > LONGEST_UNWRITTEN
                if is_late or not turn.is_pure:
                    yield from self._have_written(held, is_urgent=not turn.is_pure)
        elif not (self.stopping.is_set() or self._is_for_others(held)):
            yield from self._work(held)
            held.is_planned = False
        elif self.running:
            yield None
            self._await(held)
            held.is_planned = False
        else:
            held.advance(handed_back(held.instance, at=self._back_at(held)))

    def _is_for_others(self, held: Held) -> bool:
        """Whether it takes another engine to go on: once what runs beside it has ended, and is written."""
        return bool(self.for_others) and any(run.place in self.for_others for run in held.running())

    def _back_at(self, held: Held) -> datetime | None:
        """When to take what is handed back: at once, after all that is due now, or when others have had the time to."""
        if self._is_for_others(held) and not self.stopping.is_set():
            pause = self.lacking.leave(held.instance)
            return self.planner.clock() + pause if pause else None
        return self.planner.clock() if self.takes_turns else None

    def _is_quickly_planned(self) -> bool:
        """Whether nothing is slow that a plan needs: to evaluate expressions, and to look up whom manual tasks ask."""
        can_look_up = not self.definition.asks_people or connection.connection is not None
        return can_look_up and self.runner.are_short(self.definition.expressions)

    def _have_written(self, held: Held, *, is_urgent: bool) -> _Part:
        """Have what is pending committed, in a group if need be, for which no thread waits. Raises as `_write` does."""
        pending = held.pending
        if pending is None:
            return
        applied = yield Writing(lease=held.lease, turn=pending, is_urgent=is_urgent)
        if applied is None:
            applied = self.writer.write(held.lease, pending)
        _note_written(held, applied)

    def _write(self, held: Held) -> None:
        """Commit what is pending, if anything is. Raises `LeaseLost` or `_Outdated`; then nothing was written."""
        pending = held.pending
        if pending is not None:
            _note_written(held, _Alone(self.writer).write(held.lease, pending))

    def _reloaded_after_deadlines(self, held: Held, now: datetime) -> Held:
        """In a transaction of their own, as people decide in one: what they decide by default comes from outside, too."""
        with self.slots.away():  # it waits for whoever has the instance locked
            all_kept = self.patience(lambda: keep_deadlines(held.lease, now))
        for kept in all_kept:
            tell_kept(held.instance, kept)
        return self._reloaded(held)

    def _reloaded(self, held: Held) -> Held:
        found = self.patience(lambda: transitions.refresh(held.lease))
        if found is None:
            raise LeaseLost(f"The lease of instance {held.lease.instance} was lost.")
        return self.patience(lambda: held.reloaded(*found))

    def _work(self, held: Held) -> _Part:
        """Run code until at least one task run has reported, or one that waits is due."""
        begun = set(self.running.values())
        waiting = [run for run in held.running() if run.place not in begun]
        is_all = not self.running and held.next_due() is None
        if is_all and (len(waiting) == 1 or all(self._is_short(held, run) for run in waiting)):
            # The common cases need no other thread: what is short may as well come one after the other.
            yield from self._work_alone(held, waiting[0])
            return
        yield from self._have_written(held, is_urgent=True)
        yield None
        for run in waiting:
            self.running[self.side.submit(self._execute_aside, held, run)] = run.place
        self._await(held)

    def _is_short(self, held: Held, run: TaskRun) -> bool:
        return self._may_join(run) and self.runner.may_join(held.job(run))

    def _code(self, run: TaskRun) -> str:
        return self.definition.task_of(run.row).code

    def _may_join(self, run: TaskRun) -> bool:
        return not (run.call_number or self.definition.task_of(run.row).subprocess)

    def _work_alone(self, held: Held, run: TaskRun) -> _Part:
        code = self.comes_to = self._code(run)
        outcome = yield held.job(run) if self._may_join(run) else None
        self.comes_to = ""
        self.slots.moved(code)
        if outcome is None:
            self._take(held, run.place, self._execute(held, run, self.runner, _Alone(self.writer)))
        elif not isinstance(outcome, Applied):
            held.reports[run.place] = Report(outcome=outcome, log=run.log, snapshot=b"", call_number=0)

    def _await(self, held: Held) -> None:
        due = held.next_due()
        until = inf if due is None else monotonic() + (due - self.planner.clock()).total_seconds()
        with self.slots.away():
            done = self._done(until)
        for future in done:
            self._take(held, self.running.pop(future), future.result())

    def _done(self, until: float) -> set[Future[Report | None]]:
        """What has reported, at that time at the latest. Those that are waited for may need the very connection that this thread has."""
        while True:
            self.patience.share()
            left = until - monotonic()
            done, _ = wait(self.running, timeout=max(0.0, min(LONG, left)), return_when=FIRST_COMPLETED)
            if done or left <= LONG:
                return done

    def _take(self, held: Held, place: Place, report: Report | None) -> None:
        if report is None:
            raise _Outdated
        held.reports[place] = report

    def _execute_aside(self, held: Held, run: TaskRun) -> Report | None:
        with self.slots.working(self._code(run)):
            report = self._execute(held, run, self.aside, self.writer)
        self.patience.share()
        return report

    def _execute(self, held: Held, run: TaskRun, runner: Runner, writer: Writer) -> Report | None:
        """Run the code of a task run as far as it goes: in whatever thread, with a database connection of its own.

        `None` where its step has ended without it meanwhile, or where it can't be run here.
        """
        ledger = DatabaseLedger(
            held.lease,
            run,
            instance=held.instance,
            clock=self.planner.clock,
            lasts=timedelta(seconds=self.lease),
            writer=writer,
            flush=lambda: self._write(held),
            patience=self.patience,
        )
        task = self.definition.task_of(run.row)
        outcome: CodeOutcome | Declined | Suspended
        job = held.job(run)
        try:
            if task.subprocess:
                outcome = run_subprocess(task, job, runner, ledger)
            else:
                outcome = self._outcome(job, runner, ledger)
        except RunClosed:
            return None
        except (CannotDrive, UnknownSigningKey) as error:
            self.for_others[run.place] = error
            told = "Instance %s, task %r is left to other engines: %s"
            about = (run.instance_id, run.task_name, error)
            logger.warning(told, *about, extra=fields(**job.run.about(), engine=ledger.engine))
            return None
        except SnapshotTampered as error:
            outcome = Errored(error=failure("SnapshotTampered", str(error)))
        return Report(
            outcome=outcome,
            log=ledger.log(outcome.log),
            snapshot=ledger.signed_snapshot,
            call_number=ledger.number,
            calls=ledger.unwritten,
        )

    @contextmanager
    def _away(self) -> Iterator[None]:
        """While an action works."""
        self.patience.share(for_long=True)
        with self.slots.away():
            yield

    def _outcome(self, job: Job, runner: Runner, ledger: DatabaseLedger) -> CodeOutcome | Suspended:
        while True:
            try:
                outcome = execute(job, runner, ledger, away=self._away)
            except WorkerStopped as stopped:
                # Ctrl-C and service managers signal the sandbox's processes too, and what earlier code has left in a
                # session may be what it was too small for; what they ran still has to end.
                logger.info(
                    "Instance %s, task %r goes on in a new session: %s",
                    job.run.id,
                    job.run.task,
                    stopped,
                    extra=fields(**job.run.about(), engine=ledger.engine),
                )
                ledger.again()
            else:
                return outcome


@dataclass(frozen=True)
class _Alone:
    """A writer for code that runs alone: whoever has locked its instance for long does not keep its thread, if nothing is lost by
    running the code again.
    """

    writer: Writer

    def write(self, lease: Lease, turn: Turn, *, patience: float = inf) -> Applied:
        most = LONGEST_HELD_UP if turn.is_pure else inf
        return self.writer.write(lease, turn, patience=min(patience, most))


def _note_written(held: Held, applied: Answer) -> None:
    """What became of the write of what is pending."""
    match applied:
        case Applied.DONE:
            for line in held.written():
                line.tell()
        case Applied.OUTDATED:
            raise _Outdated
        case Applied.LOST:
            raise LeaseLost(f"The lease of instance {held.lease.instance} was lost.")

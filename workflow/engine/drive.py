"""Drive an instance from step to step until it waits, ends, or must be handed back."""

import logging
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from threading import Event

from workflow import transitions
from workflow.code.execute import execute
from workflow.code.failure import failure
from workflow.code.job import Errored, Job, Suspended, WorkerStopped
from workflow.code.job import Outcome as CodeOutcome
from workflow.code.runner import Runner
from workflow.definition import Definition
from workflow.engine.held import Held, Report
from workflow.engine.ledger import DatabaseLedger, SnapshotTampered
from workflow.engine.plan import Planner
from workflow.engine.report import report
from workflow.models import InstanceState, RunningProcesses, TaskRun
from workflow.transitions import Applied, LeaseLost, Turn

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Drive:
    """One instance's way through its steps. `side` runs the code of rows that start together."""

    definition: Definition
    runner: Runner
    planner: Planner
    side: Executor
    stopping: Event
    running: dict[Future[Report], int] = field(default_factory=dict)

    def run(self, instance: RunningProcesses) -> None:
        """Go on until the claimed instance waits or ends, its lease is lost, or the engine stops.

        Raises only what is no fault of the definition, such as a database that is gone.
        """
        try:
            self._run(Held.load(transitions.lease_of(instance), instance, self.definition))
        except LeaseLost as lost:
            logger.warning("%s Another engine goes on with it.", lost)

    def _run(self, held: Held | None) -> None:
        while held and held.instance.state == InstanceState.RUNNING:
            turn = self.planner.turn(held)
            if turn is not None:
                held = self._write(held, turn)
            elif not self.stopping.is_set():
                self._work(held)
            elif self.running:
                self._await(held)
            else:
                held = self._write(held, Turn(state=InstanceState.READY, due_at=self.planner.clock()))

    def _write(self, held: Held, turn: Turn) -> Held | None:
        match transitions.apply(held.lease, turn):
            case Applied.DONE:
                report(held, turn)
                held.written(turn)
                return held
            case Applied.OUTDATED:
                found = transitions.refresh(held.lease)
                return held.reloaded(*found) if found else None
            case Applied.LOST:
                logger.warning("The lease of instance %s was lost; another engine goes on with it.", held.instance.pk)
                return None

    def _work(self, held: Held) -> None:
        """Run code until at least one task run has reported, or one that waits is due."""
        begun = set(self.running.values())
        waiting = [run for run in held.running() if run.pk not in begun]
        if len(waiting) == 1 and not self.running and held.next_due() is None:
            # The common case needs no other thread.
            held.reports[waiting[0].pk] = self._execute(held, waiting[0])
            return
        for run in waiting:
            self.running[self.side.submit(self._execute, held, run)] = run.pk
        self._await(held)

    def _await(self, held: Held) -> None:
        due = held.next_due()
        timeout = None if due is None else max(0.0, (due - self.planner.clock()).total_seconds())
        done, _ = wait(self.running, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in done:
            held.reports[self.running.pop(future)] = future.result()

    def _execute(self, held: Held, run: TaskRun) -> Report:
        """Run the code of a task run as far as it goes: in whatever thread, with a database connection of its own."""
        ledger = DatabaseLedger(held.lease, run, depth=held.instance.depth, clock=self.planner.clock)
        try:
            outcome = self._outcome(held.job(run), ledger)
        except SnapshotTampered as error:
            outcome = Errored(error=failure("SnapshotTampered", str(error)))
        return Report(
            outcome=outcome,
            log=ledger.log(outcome.log),
            snapshot=ledger.signed_snapshot,
            call_number=ledger.number,
            calls=ledger.unwritten,
        )

    def _outcome(self, job: Job, ledger: DatabaseLedger) -> CodeOutcome | Suspended:
        while True:
            try:
                outcome = execute(job, self.runner, ledger)
            except WorkerStopped as stopped:
                # Ctrl-C and service managers signal the sandbox's processes too; what they ran still has to end.
                logger.info("Instance %s, task %r goes on in a new process: %s", job.run.id, job.run.task, stopped)
                ledger.again()
            else:
                return outcome

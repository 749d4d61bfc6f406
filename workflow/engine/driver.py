"""Drives what an engine has claimed, and sees to it that whatever becomes of an instance is written, or told."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db import connection

from workflow import transitions
from workflow.code.runner import Runner
from workflow.definition import Definition
from workflow.engine.commit import Committer
from workflow.engine.drive import Drive
from workflow.engine.give_up import give_up, hand_back
from workflow.engine.held import Held, Place, Report
from workflow.engine.patience import GONE, Patience
from workflow.engine.plan import Planner
from workflow.engine.report import about, tell_lost
from workflow.engine.slots import Away, Slots
from workflow.logs import fields
from workflow.models import ProcessVersion, RunningProcesses, TaskRun
from workflow.transitions import Applied

logger = logging.getLogger(__name__)


Work = Callable[[Runner], None]
"""Driving, by the runner of the thread that does it."""


@dataclass(kw_only=True)
class Driver:
    """Drives instances, each as far as it goes, in threads that have a slot.

    `later` has something driven when a thread may compute, and `main` are threads for what needs no slot. `side` runs the
    code of rows that start together, by `runner`, which threads share. `ended` hears of each instance once it is let go,
    whatever the reason.
    """

    runner: Runner
    clock: Callable[[], datetime]
    commit: Committer
    later: Callable[[Work], None]
    main: Executor
    side: Executor
    slots: Slots
    patience: Patience
    ended: Callable[[RunningProcesses], None]
    definitions: dict[int, Definition] = field(default_factory=dict)

    def drive(self, instance: RunningProcesses, runs: list[TaskRun] | None, runner: Runner) -> None:
        """Drive a claimed instance in this thread. `runs` are the task runs of its step, if they are known already."""
        self._guarded(instance, lambda drive: drive.run(instance, runs), runner)

    def _drive_again(self, held: Held, runner: Runner) -> None:
        self._guarded(held.instance, lambda drive: drive.run_again(held), runner)

    def _guarded(self, instance: RunningProcesses, run: Callable[[Drive], Held | None], runner: Runner) -> None:
        """Drive, and see to it that whatever becomes of it is told."""
        running: dict[Future[Report | None], Place] = {}
        try:
            held = run(self._new_drive(instance, running, runner))
        except GONE as error:
            connection.close()
            with self.slots.away():
                wait(running)
                found = self._after_the_database_was_gone(instance, error)
            if found is not None:
                self.drive(found, None, runner)
        except BaseException as error:
            logger.exception("Instance %s can't be driven.", instance.pk, extra=fields(**about(instance)))
            with self.slots.away():
                wait(running)
                self._hear(partial(self._let_go, instance, error), instance)
        else:
            pending = held.pending if held else None
            if held is None or pending is None:
                self.ended(instance)
            else:
                written = self.commit.ask(held.lease, pending)
                written.add_done_callback(partial(self._written, held))

    def _written(self, held: Held, write: Future[Applied]) -> None:
        """The last turn of a drive is written, or not. Called by the committer."""
        if error := write.exception():
            of = fields(**about(held.instance))
            logger.error("Instance %s can't be written.", held.instance.pk, exc_info=error, extra=of)
            self.main.submit(self._hear, partial(self._let_go, held.instance, error), held.instance)
        elif write.result() is Applied.OUTDATED:
            self.later(partial(self._drive_again, held))
        else:
            if write.result() is Applied.DONE:
                for line in held.written():
                    line.tell()
            else:
                tell_lost(held.instance)
            self.ended(held.instance)

    def _after_the_database_was_gone(self, instance: RunningProcesses, error: Exception) -> RunningProcesses | None:
        """What to go on with from what was written last, once the database answers; `None` where the lease is lost."""
        if self.patience.stopping.is_set():
            # Nothing is lost: its lease runs out, and an engine goes on from what was written last.
            _tell_left(instance, error)
            self.ended(instance)
            return None
        found = self.patience(lambda: transitions.refresh(transitions.lease_of(instance)))
        if found is None:
            self.ended(instance)
            return None
        return found[1]

    def _hear(self, ask: Callable[[], None], instance: RunningProcesses) -> None:
        """Do the last that there is to do for an instance."""
        try:
            self.patience(ask)
        except Exception as error:  # noqa: BLE001 - its lease runs out, and an engine goes on from what was written last
            _tell_left(instance, error)
        self.ended(instance)

    def _let_go(self, instance: RunningProcesses, error: BaseException) -> None:
        if self.patience.stopping.is_set():
            # What stops the engine may have stopped what it relies on first: the next one shows who is to blame.
            hand_back(instance, now=self.clock())
        else:
            # Our own mistake, or an action's: it must not stop the others, and must be seen where people look.
            give_up(instance, error, now=self.clock())

    def _new_drive(
        self, instance: RunningProcesses, running: dict[Future[Report | None], Place], runner: Runner
    ) -> Drive:
        return Drive(
            running=running,
            definition=self._definition(instance.version_id),
            runner=runner,
            aside=self.runner,
            planner=Planner(runner=runner, clock=self.clock),
            writer=Away(self.commit, self.slots),
            side=self.side,
            slots=self.slots,
            patience=self.patience,
            stopping=self.patience.stopping,
        )

    def _definition(self, version: int) -> Definition:
        # Versions never change, so each is read once.
        if version not in self.definitions:
            self.definitions[version] = self.patience(lambda: ProcessVersion.objects.get(pk=version).frozen)
        return self.definitions[version]


def _tell_left(instance: RunningProcesses, error: Exception) -> None:
    of = fields(**about(instance))
    logger.error("Instance %s was left to its lease: %s", instance.pk, str(error).strip(), extra=of)

"""Drives what an engine has claimed, and sees to it that whatever becomes of an instance is written, or told."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Semaphore
from typing import Any

from django.db import connection

from workflow import transitions
from workflow.code.job import Outcome
from workflow.code.runner import Runner
from workflow.cut import GONE, cut_is_gone
from workflow.definition import Definition
from workflow.engine.commit import Committer
from workflow.engine.company import Way, way_of
from workflow.engine.drive import Drive, Steps, Wanted, Writing
from workflow.engine.give_up import give_up, hand_back, handed_back
from workflow.engine.held import Held
from workflow.engine.lacking import Lacking
from workflow.engine.patience import Patience
from workflow.engine.plan import Planner
from workflow.engine.report import about, tell_lost
from workflow.engine.slots import Away, Slots
from workflow.errors import CannotDrive
from workflow.logs import fields, fingerprint
from workflow.models import RunningProcesses
from workflow.transitions import Applied, HeldUp

logger = logging.getLogger(__name__)

LINES = 4
"""Threads that connect to the database at the same time. More would only disturb a server that is gone, or has no more connections."""


@dataclass(kw_only=True)
class Driver:
    """Drives instances, each as far as it goes, in threads that have a slot.

    `later` has one driven when a thread may compute, and `main` are threads for what needs no slot. `side` runs the code of
    rows that start together, by `runner`, which threads share. A `lease` lasts that many seconds. `ended` hears of each instance once it is let go, whatever
    the reason.
    """

    runner: Runner
    lease: float
    clock: Callable[[], datetime]
    commit: Committer
    later: Callable[[Way], None]
    main: Executor
    side: Executor
    slots: Slots
    patience: Patience
    ended: Callable[[RunningProcesses], None]
    lacking: Lacking = field(default_factory=Lacking)
    takes_turns: bool = False
    """Whether it stops because others are to have their turn, so that what it hands back comes after them."""
    definitions: dict[int, Definition] = field(default_factory=dict)
    left: list[RunningProcesses] = field(default_factory=list)
    """Those that could neither be written nor handed back when the engine was to stop."""

    def __post_init__(self) -> None:
        self.patience = replace(self.patience, away=self.slots.away, line=Semaphore(LINES))

    def drive(self, way: Way, runner: Runner) -> None:
        """Drive an instance by itself, as far as it goes."""
        while self.go_on(way, None, runner):
            pass

    def go_on(self, way: Way, outcome: Outcome | None, runner: Runner) -> bool:
        """Go on to where the instance stops next, given the outcome of its job, if that has run. If it does not go on from
        there now, it does later, or whatever has become of it is told.
        """
        way.job = None
        try:
            with cut_is_gone():
                wanted = self._next(way, outcome, runner)
            if isinstance(wanted, Writing):
                return self._is_written_at_once(way, wanted)
            way.job = wanted if wanted and runner.may_join(wanted) else None
        except StopIteration as end:
            self._end(way, end.value)
        except HeldUp as error:
            self._let_be(way, error)
        except CannotDrive:
            self._leave_to_others(way.instance)
        except GONE as error:
            connection.close()
            self._go_on_anew(way, error)
        except BaseException as error:
            logger.exception("Instance %s can't be driven.", way.instance.pk, extra=_of_failure(way.instance, error))
            with self.slots.away():
                wait(way.running)
                self._hear(partial(self._let_go, way.instance, error), way.instance)
        else:
            return True
        return False

    def _next(self, way: Way, outcome: Outcome | None, runner: Runner) -> Wanted:
        steps = self._steps(way, runner)
        written, way.written = way.written, None
        if written is None:
            return steps.send(outcome)
        if error := written.exception():
            return steps.throw(error)
        return steps.send(written.result())

    def _is_written_at_once(self, way: Way, writing: Writing) -> bool:
        """Whether it can go on. If not, it does so when it is written: no thread waits for that, as it would need a sandbox of its own."""
        way.written = written = self.commit.ask(writing.lease, writing.turn, is_urgent=writing.is_urgent)
        if written.done():
            return True
        written.add_done_callback(lambda _: self.later(way))
        return False

    def _steps(self, way: Way, runner: Runner) -> Steps:
        if way.drive is None or way.steps is None:
            way.drive = self._new_drive(way, runner)
            way.steps = way.start(way.drive)
        way.drive.by(runner)
        return way.steps

    def _end(self, way: Way, held: Held | None) -> None:
        """It has come to where it waits, or to its end; or another engine has it."""
        pending = held.pending if held else None
        if way.drive and not way.drive.for_others:
            self.lacking.went_on(way.instance)
        if held is None or pending is None:
            self.ended(way.instance)
        else:
            self.commit.ask(held.lease, pending).add_done_callback(partial(self._written, held))

    def _leave_to_others(self, instance: RunningProcesses) -> None:
        """Hand back what this engine lacks something for. Nothing of it has begun here."""
        pause = self.lacking.leave(instance)
        at = self.clock() + pause if pause else None
        with self.slots.away():
            self._hear(partial(hand_back, instance, at=at), instance)

    def _let_be(self, way: Way, error: HeldUp) -> None:
        """Somebody else has its instance locked: it is handed back once that is over, and has no place here meanwhile."""
        with self.slots.away():
            wait(way.running)
        if self.patience.stopping.is_set():
            self._leave(way.instance, error)
        else:
            told = "Instance %s is let go of for now: somebody else has had it locked for long."
            logger.info(told, way.instance.pk, extra=fields(**about(way.instance)))
            self._hand_back_in_time(way.instance)
        self.ended(way.instance)

    def _hand_back_in_time(self, instance: RunningProcesses) -> None:
        """Hand it back as soon as that can be written: no thread waits for it. Where it can't be after all, its lease runs out."""
        write = self.commit.ask(transitions.lease_of(instance), handed_back(instance))
        write.add_done_callback(partial(self._handed_back, instance))

    def _handed_back(self, instance: RunningProcesses, write: Future[Applied]) -> None:
        """Whoever had it locked may have decided something. Called by the committer, which must not wait for a query."""
        if write.exception() is None and write.result() is Applied.OUTDATED:
            with suppress(RuntimeError):  # the engine's threads have ended: the lease runs out
                self.main.submit(self._hand_back_as_it_is_now, instance)

    def _hand_back_as_it_is_now(self, instance: RunningProcesses) -> None:
        found = self.patience(lambda: transitions.refresh(transitions.lease_of(instance)))
        if found is not None:
            self._hand_back_in_time(found[1])

    def _go_on_anew(self, way: Way, error: Exception) -> None:
        with self.slots.away():
            wait(way.running)
            found = self._after_the_database_was_gone(way.instance, error)
        if found is not None:
            self.later(way_of(found))

    def _written(self, held: Held, write: Future[Applied]) -> None:
        """The last turn of a drive is written, or not. Called by the committer."""
        error = write.exception()
        if isinstance(error, GONE) and self.patience.stopping.is_set():
            self._leave(held.instance, error)
            self.ended(held.instance)
        elif error:
            of = _of_failure(held.instance, error)
            logger.error("Instance %s can't be written.", held.instance.pk, exc_info=error, extra=of)
            self.main.submit(self._hear, partial(self._let_go, held.instance, error), held.instance)
        elif write.result() is Applied.OUTDATED:
            self.later(Way(instance=held.instance, start=lambda drive: drive.run_again(held)))
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
            self._leave(instance, error)
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
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being handed back
            self._leave(instance, error)
        self.ended(instance)

    def _leave(self, instance: RunningProcesses, error: Exception) -> None:
        """Nothing is lost: its lease runs out, and an engine goes on from what was written last."""
        level = logging.ERROR
        if self.patience.stopping.is_set():  # then the engine tells in the end of how many it was
            level = logging.INFO
            self.left.append(instance)
        of = fields(**about(instance))
        logger.log(level, "Instance %s was left to its lease: %s", instance.pk, str(error).strip(), extra=of)

    def _let_go(self, instance: RunningProcesses, error: BaseException) -> None:
        if self.patience.stopping.is_set():
            # What stops the engine may have stopped what it relies on first: the next one shows who is to blame.
            hand_back(instance)
        else:
            # Our own mistake, or an action's: it must not stop the others, and must be seen where people look.
            give_up(instance, error, now=self.clock())

    def _new_drive(self, way: Way, runner: Runner) -> Drive:
        return Drive(
            running=way.running,
            definition=self.definition(way.instance.version_id),
            runner=runner,
            aside=self.runner,
            lease=self.lease,
            planner=Planner(runner=runner, clock=self.clock),
            lacking=self.lacking,
            writer=Away(self.commit, self.slots),
            side=self.side,
            slots=self.slots,
            patience=self.patience,
            stopping=self.patience.stopping,
            takes_turns=self.takes_turns,
        )

    def definition(self, version: int) -> Definition:
        """That version's; it never changes, so each is read once. Raises `CannotDrive`."""
        if version not in self.definitions:
            self.definitions[version] = self.patience(lambda: self.lacking.definition(version))
        return self.definitions[version]


def _of_failure(instance: RunningProcesses, error: BaseException) -> dict[str, Any]:
    """The `extra` of an event that tells of the engine's own failure to drive an instance."""
    return fields(**about(instance)) | fingerprint(instance.process_name, "", type(error).__name__)

"""The engine's loop: claim what is due, have it driven, and wait for news."""

import logging
import os
import secrets
import socket
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event
from typing import NamedTuple

from django.db import connection

from workflow import transitions
from workflow.code.runner import Runner
from workflow.definition import Definition
from workflow.engine.commit import GroupCommit
from workflow.engine.crew import Crew
from workflow.engine.drive import Drive
from workflow.engine.give_up import give_up, hand_back
from workflow.engine.heartbeat import Heartbeat
from workflow.engine.held import Held, Place, Report
from workflow.engine.listen import Listener
from workflow.engine.patience import GONE, Patience
from workflow.engine.plan import Planner
from workflow.engine.presence import Presence
from workflow.engine.report import about, report_claim, tell_lost
from workflow.engine.slots import Away, Slots
from workflow.engine.timepiece import DatabaseClock
from workflow.logs import fields
from workflow.models import ProcessVersion, RunningProcesses, TaskRun
from workflow.models.states import DUE
from workflow.transitions import Applied

logger = logging.getLogger(__name__)

THREADS = 32
"""Instances whose actions may work at the same time. Threads are only started when they are needed."""

SHORTEST_WAIT = 0.002  # seconds


class Mode(Enum):
    """When an engine ends by itself."""

    FOREVER = "forever"
    UNTIL_IDLE = "until idle"  # nothing is ready, running or due
    ONCE = "once"  # one claim, driven as far as it goes


class Ended(NamedTuple):
    """News: this engine has let go of an instance."""

    instance: RunningProcesses


@dataclass(kw_only=True)
class Engine:
    """One engine process. `lease` and `poll_interval` are in seconds; `concurrency` counts code that runs at the same
    time, `batch` instances that are held. It takes instances of all processes, or of those named.
    """

    runner: Runner
    poll_interval: float
    concurrency: int
    batch: int
    lease: float
    processes: Collection[str] = ()
    clock: Callable[[], datetime] = field(default_factory=DatabaseClock)
    stopping: Event = field(default_factory=Event)
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}")
    driving: dict[tuple[int, int], RunningProcesses] = field(default_factory=dict)
    definitions: dict[int, Definition] = field(default_factory=dict)
    news: SimpleQueue[Ended | None] = field(default_factory=SimpleQueue)
    to_drive: deque[Callable[[Runner], None]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.patience = Patience(self.stopping)
        self.slots = Slots(self.concurrency, on_room=self._call_driver)
        self.presence = Presence(
            name=self.name, lease=self.lease, concurrency=self.concurrency, processes=self.processes
        )
        self.is_behind = False

    def run(self, mode: Mode = Mode.FOREVER) -> None:
        """Work until `stop`, or until the mode says that all is done."""
        with ExitStack() as stack:
            self.commit = stack.enter_context(GroupCommit(self.patience, self._are_more_coming))
            self.main = stack.enter_context(Crew(max(THREADS, self.concurrency), "drive"))
            self.side = stack.enter_context(Crew(max(THREADS, self.concurrency), "code"))
            stack.enter_context(self.slots)
            stack.enter_context(Heartbeat(lease=self.lease, beats=(self._measure, self._renew, self.presence.go_on)))
            stack.enter_context(Listener(self._ring))
            logger.info("Engine %s started.", self.name, extra=fields(engine=self.name))
            try:
                self.patience(self._measure)
                self.patience(self.presence.begin)
                self._loop(mode)
            except GONE:
                if not self.stopping.is_set():  # then nobody waits for the database any more
                    raise
            while self.driving:
                self._take(self.news.get())
        self._leave()
        logger.info("Engine %s stopped; it holds nothing.", self.name, extra=fields(engine=self.name))

    def stop(self) -> None:
        """Claim no more; finish the code that runs, hand back the rest, and end."""
        self.stopping.set()
        self._ring()

    def _loop(self, mode: Mode) -> None:
        is_time = True
        while not self.stopping.is_set():
            claimed = self._claim() if is_time else 0
            if mode is Mode.ONCE:
                return
            if mode is Mode.UNTIL_IDLE and not self.driving and not claimed and self.patience(self._all_is_idle):
                return
            is_time = self._wait(claimed)

    def _claim(self) -> int:
        """Take what is due, as far as there is room, and have it driven."""
        room = self.batch - len(self.driving)
        if room <= 0:
            return 0
        claimed = self.patience(lambda: self._claimed(room))
        self.is_behind = len(claimed) == room
        for instance, runs in claimed:
            report_claim(instance)
            self.driving[_claim_of(instance)] = instance
            self.to_drive.append(partial(self._drive, instance, runs))
        self._call_driver()
        return len(claimed)

    def _claimed(self, room: int) -> list[tuple[RunningProcesses, list[TaskRun]]]:
        now = self.clock()
        until = now + timedelta(seconds=self.lease)
        claimed = transitions.claim(self.name, now=now, until=until, limit=room, processes=self.processes)
        runs = transitions.with_runs(claimed) if claimed else {}
        return [(instance, runs[instance.pk]) for instance in claimed]

    def _wait(self, claimed: int) -> bool:
        """Wait for news; returns whether it is time to look for work."""
        heard = self._news(self._patient_for(claimed))
        for news in heard:
            self._take(news)
        is_time = not heard or None in heard
        # With much to do, instances are claimed by the dozen.
        has_room = self.batch - len(self.driving) >= self.batch / 2
        return not self.driving or (has_room if self.is_behind else is_time)

    def _news(self, timeout: float) -> list["Ended | None"]:
        """What was heard: at least one thing, or nothing after `timeout` seconds."""
        heard: list[Ended | None] = []
        try:
            heard.append(self.news.get(timeout=timeout))
            while True:
                heard.append(self.news.get_nowait())
        except Empty:
            return heard

    def _patient_for(self, claimed: int) -> float:
        """Seconds until the next look, if nothing is heard before."""
        if self.is_behind or claimed:
            return self.poll_interval
        due = self.patience(lambda: transitions.next_due(self.clock(), self.processes))
        if due is None:
            return self.poll_interval
        return min(self.poll_interval, max(SHORTEST_WAIT, (due - self.clock()).total_seconds()))

    def _ring(self) -> None:
        self.news.put(None)

    def _take(self, news: Ended | None) -> None:
        if news is not None:
            del self.driving[_claim_of(news.instance)]

    def _call_driver(self) -> None:
        """Have a thread drive what is claimed, if one more may compute."""
        if self.to_drive and self.slots.has_room:
            self.main.submit(self._drive_in_turn)

    def _drive_in_turn(self) -> None:
        """Drive what is claimed, one after the other, as long as this thread may compute."""
        with self.runner.shared() as runner:
            while self.to_drive and self.slots.try_take():
                try:
                    with suppress(IndexError):  # another thread may have taken the last one
                        self.to_drive.popleft()(runner)
                finally:
                    self.slots.leave()

    def _are_more_coming(self) -> bool:
        return self.slots.is_any_engaged or bool(self.to_drive)

    def _drive(self, instance: RunningProcesses, runs: list[TaskRun] | None, runner: Runner) -> None:
        self._guarded(instance, lambda drive: drive.run(instance, runs), runner)

    def _drive_again(self, held: Held, runner: Runner) -> None:
        self._guarded(held.instance, lambda drive: drive.run_again(held), runner)

    def _guarded(self, instance: RunningProcesses, run: Callable[[Drive], Held | None], runner: Runner) -> None:
        """Drive, and see to it that whatever becomes of it is told to the loop."""
        running: dict[Future[Report | None], Place] = {}
        try:
            held = run(self._new_drive(instance, running, runner))
        except GONE as error:
            connection.close()
            with self.slots.away():
                wait(running)
                found = self._after_the_database_was_gone(instance, error)
            if found is not None:
                self._drive(found, None, runner)
        except BaseException as error:
            logger.exception("Instance %s can't be driven.", instance.pk, extra=fields(**about(instance)))
            with self.slots.away():
                wait(running)
                self._hear(partial(self._let_go, instance, error), instance)
        else:
            pending = held.pending if held else None
            if held is None or pending is None:
                self.news.put(Ended(instance))
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
            self.to_drive.append(partial(self._drive_again, held))
            self._call_driver()
        else:
            if write.result() is Applied.DONE:
                for line in held.written():
                    line.tell()
            else:
                tell_lost(held.instance)
            self.news.put(Ended(held.instance))

    def _after_the_database_was_gone(self, instance: RunningProcesses, error: Exception) -> RunningProcesses | None:
        """What to go on with from what was written last, once the database answers; `None` where the lease is lost."""
        if self.stopping.is_set():
            # Nothing is lost: its lease runs out, and an engine goes on from what was written last.
            _tell_left(instance, error)
            self.news.put(Ended(instance))
            return None
        found = self.patience(lambda: transitions.refresh(transitions.lease_of(instance)))
        if found is None:
            self.news.put(Ended(instance))
            return None
        return found[1]

    def _hear(self, ask: Callable[[], None], instance: RunningProcesses) -> None:
        """Do the last that there is to do for an instance."""
        try:
            self.patience(ask)
        except Exception as error:  # noqa: BLE001 - its lease runs out, and an engine goes on from what was written last
            _tell_left(instance, error)
        self.news.put(Ended(instance))

    def _let_go(self, instance: RunningProcesses, error: BaseException) -> None:
        if self.stopping.is_set():
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
            stopping=self.stopping,
        )

    def _definition(self, version: int) -> Definition:
        # Versions never change, so each is read once.
        if version not in self.definitions:
            self.definitions[version] = self.patience(lambda: ProcessVersion.objects.get(pk=version).frozen)
        return self.definitions[version]

    def _measure(self) -> None:
        if isinstance(self.clock, DatabaseClock):
            self.clock.measure()

    def _renew(self) -> None:
        leases = [transitions.lease_of(instance) for instance in list(self.driving.values())]
        transitions.renew(leases, until=self.clock() + timedelta(seconds=self.lease))

    def _leave(self) -> None:
        try:
            self.presence.end()
        except GONE:  # its row is taken for a dead engine's then, and forgotten in a day
            connection.close()

    def _all_is_idle(self) -> bool:
        every = RunningProcesses.objects.all()
        ours = every.filter(process_name__in=self.processes) if self.processes else every
        return not (ours.filter(state__in=DUE).exists() or ours.due(self.clock()).exists())


def _claim_of(instance: RunningProcesses) -> tuple[int, int]:
    """What tells one claim of an instance from another, also before the news of the first is heard."""
    return instance.pk, instance.fence


def _tell_left(instance: RunningProcesses, error: Exception) -> None:
    of = fields(**about(instance))
    logger.error("Instance %s was left to its lease: %s", instance.pk, str(error).strip(), extra=of)

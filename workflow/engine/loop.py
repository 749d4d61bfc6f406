"""The engine's loop: claim what is due, have it driven, and wait for news."""

import logging
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Event
from typing import Literal, NamedTuple

from django.db import connection

from workflow import transitions
from workflow.code.runner import Runner
from workflow.cut import GONE, cut_is_gone
from workflow.engine.apart import Apart
from workflow.engine.dispatch import TaskQueue
from workflow.engine.heartbeat import Heartbeat
from workflow.engine.lacking import Lacking
from workflow.engine.listen import Listener
from workflow.engine.patience import Patience, Waiting
from workflow.engine.post import Post
from workflow.engine.presence import Presence, own_name
from workflow.engine.report import claim_line
from workflow.engine.threads import Claimed, Drivers, Threads
from workflow.engine.timepiece import DatabaseClock
from workflow.logs import fields, together
from workflow.models import RunningProcesses
from workflow.models.states import DUE
from workflow.transitions import Take

logger = logging.getLogger(__name__)

SHORTEST_WAIT = 0.002  # seconds

SOON = 0.02
"""Seconds in which most of what was claimed ends. To ask the database for more meanwhile would only slow it."""


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
    time, `batch` instances that are held. It takes instances of all processes, or of those named. `dispatch` says who drives
    them: threads of its own, or workers of a task queue. `warn` is told, once, that it takes what may well kill it.
    """

    runner: Runner
    poll_interval: float
    concurrency: int
    batch: int
    lease: float
    processes: Collection[str] = ()
    dispatch: Literal["engine", "tasks"] = "engine"
    clock: Callable[[], datetime] = field(default_factory=DatabaseClock)
    stopping: Event = field(default_factory=Event)
    name: str = field(default_factory=own_name)
    warn: Callable[[], object] = lambda: None
    driving: dict[tuple[int, int], RunningProcesses] = field(default_factory=dict)
    news: SimpleQueue[Ended | None] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        self.patience = Patience(stopping=self.stopping, waiting=Waiting(self.name))
        self.lacking = Lacking(engine=self.name)
        self.presence = Presence(
            name=self.name,
            lease=self.lease,
            concurrency=self.concurrency,
            processes=self.processes,
            dispatch=self.dispatch,
            queued=lambda: self.drivers.queued,
            abilities=lambda: self.lacking.abilities,
        )
        self.apart = Apart(are_due=self._are_suspects_due, warn=self.warn)
        self.is_behind = False
        self.are_limited = True
        self.looked_at = self.clock()

    def run(self, mode: Mode = Mode.FOREVER) -> None:
        """Work until `stop`, or until the mode says that all is done."""
        with ExitStack() as stack:
            self.drivers = stack.enter_context(self._new_drivers())
            beats = (self._measure, self._renew, self.presence.go_on)
            stack.enter_context(Heartbeat(lease=self.lease, beats=beats, engine=self.name, begins_at_once=True))
            stack.enter_context(Listener(self._ring, engine=self.name))
            stack.enter_context(Post(clock=self.clock, stopping=self.stopping))
            logger.info("Engine %s started.", self.name, extra=fields(engine=self.name))
            try:
                self.patience(self._measure)
                self.patience(self.presence.begin)
                if self.dispatch == "engine":  # a queue's workers know for themselves what they have
                    self.patience(self.lacking.look)
                self._loop(mode)
            except GONE:
                if not self.stopping.is_set():  # then nobody waits for the database any more
                    raise
            if self.driving:
                told = "Engine %s stops as soon as what it holds can be let go of; instances: %d."
                logger.info(told, self.name, len(self.driving), extra=fields(engine=self.name))
            while self.driving:
                self._take(self.news.get())
        self._leave()
        self._tell_stopped()

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
        take = self.apart.take(holds_any=bool(self.driving))
        if take is None:
            self.is_behind, self.looked_at = False, self.clock()
            return 0
        found = self.patience(lambda: self._claimed(room, take))
        self.apart.took([instance for instance, _ in found])
        self.is_behind = len(found) == room
        # What is driven by this very claim goes on: a crash of the database had taken the claim back.
        claimed = [one for one in found if _claim_of(one[0]) not in self.driving]
        lines = [claim_line(instance) for instance, _ in claimed]
        self.driving.update({_claim_of(instance): instance for instance, _ in claimed})
        self.drivers.begin(claimed)
        with together():  # while they are under way already: what comes of them is told only once it is committed
            for line in lines:
                line.tell()
        return len(claimed)

    def _claimed(self, room: int, take: Take = Take.ORDINARY_FIRST) -> list[Claimed]:
        self.looked_at = now = self.clock()
        until = now + timedelta(seconds=self.lease)
        claimed = transitions.claim(
            self.name,
            now=now,
            until=until,
            limit=room,
            processes=self.processes,
            passing_over=self.lacking.passed_over,
            take=take,
        )
        runs = transitions.with_runs(claimed) if claimed else {}
        return [(instance, runs[instance.pk]) for instance in claimed]

    def _are_suspects_due(self) -> bool:
        passing_over = self.lacking.passed_over
        return self.patience(
            lambda: transitions.are_suspects_due(self.clock(), self.processes, passing_over=passing_over)
        )

    def _wait(self, claimed: int) -> bool:
        """Wait for news; returns whether it is time to look for work."""
        heard = self._heard(claimed)
        for news in heard:
            self._take(news)
        if not heard or not self.driving:
            return True
        if self.is_behind:  # with much to do, instances are claimed by the dozen
            return self.batch - len(self.driving) >= self.batch / 2
        # Where a process may run only so many, the end of one lets another begin.
        return None in heard or self.are_limited

    def _heard(self, claimed: int) -> list["Ended | None"]:
        """What was heard until it is time to look anyway: nothing then."""
        if self.is_behind:
            return self._news(SOON if len(self.driving) < self.batch else self.poll_interval)
        heard = self._news(SOON) if claimed else []
        return heard or self._news(self._patient_for())

    def _news(self, timeout: float) -> list["Ended | None"]:
        """What was heard: at least one thing, or nothing after `timeout` seconds."""
        heard: list[Ended | None] = []
        try:
            heard.append(self.news.get(timeout=timeout))
            while True:
                heard.append(self.news.get_nowait())
        except Empty:
            return heard

    def _patient_for(self) -> float:
        """Seconds until the next look, if nothing is heard before."""
        # What has come due since the last one was not found, and must not wait for the next poll.
        due, self.are_limited = self.patience(
            lambda: transitions.outlook(self.looked_at, self.processes, passing_over=self.lacking.passed_over)
        )
        if due is None:
            return self.poll_interval
        return min(self.poll_interval, max(SHORTEST_WAIT, (due - self.clock()).total_seconds()))

    def _new_drivers(self) -> Drivers:
        if self.dispatch == "tasks":
            return TaskQueue(
                owner=self.name, lease=self.lease, clock=self.clock, patience=self.patience, ended=self._tell_ended
            )
        return Threads(
            runner=self.runner,
            concurrency=self.concurrency,
            lease=self.lease,
            clock=self.clock,
            patience=self.patience,
            ended=self._tell_ended,
            lacking=self.lacking,
        )

    def _tell_ended(self, instance: RunningProcesses) -> None:
        self.news.put(Ended(instance))

    def _ring(self) -> None:
        self.news.put(None)

    def _take(self, news: Ended | None) -> None:
        if news is not None:
            del self.driving[_claim_of(news.instance)]

    def _measure(self) -> None:
        if isinstance(self.clock, DatabaseClock):
            self.clock.measure()

    def _renew(self) -> None:
        leases = [transitions.lease_of(instance) for instance in list(self.driving.values())]
        self.drivers.renew(leases, until=self.clock() + timedelta(seconds=self.lease))

    def _leave(self) -> None:
        try:
            with cut_is_gone():
                self.presence.end()
        except GONE:  # its row is taken for a dead engine's then, and forgotten in a day
            connection.close()

    def _tell_stopped(self) -> None:
        of = fields(engine=self.name)
        if left := len(self.drivers.left):
            logger.warning("Engine %s stopped; instances left to their leases: %d.", self.name, left, extra=of)
        else:
            logger.info("Engine %s stopped; it holds nothing.", self.name, extra=of)

    def _all_is_idle(self) -> bool:
        every = RunningProcesses.objects.all()
        ours = every.filter(process_name__in=self.processes) if self.processes else every
        if self.lacking.versions:  # what takes another engine is not waited for
            ours = ours.exclude(version__in=self.lacking.passed_over.versions)
        if self.lacking.handed_back:
            ours = ours.exclude(pk__in=list(self.lacking.handed_back))
        return not (ours.filter(state__in=DUE).exists() or ours.due(self.clock()).exists())


def _claim_of(instance: RunningProcesses) -> tuple[int, int]:
    """What tells one claim of an instance from another, also before the news of the first is heard."""
    return instance.pk, instance.fence

"""The engine's loop: claim, drive, keep the leases, and wait; and go on when the database was away."""

import logging
import os
import secrets
import socket
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from threading import Event

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q
from django.utils import timezone

from workflow import transitions
from workflow.code.runner import Runner
from workflow.definition import Definition
from workflow.engine.crew import Crew
from workflow.engine.drive import Drive
from workflow.engine.give_up import give_up, hand_back
from workflow.engine.heartbeat import Heartbeat
from workflow.engine.plan import Planner
from workflow.engine.report import report_claim
from workflow.models import ProcessVersion, RunningProcesses
from workflow.models.states import DUE
from workflow.transitions import Lease

logger = logging.getLogger(__name__)

GONE = (OperationalError, InterfaceError)
"""What a database that is gone, or locked for too long, makes of a query."""

LONGEST_PAUSE = 30.0  # seconds between tries to reach a database that is gone


class Mode(Enum):
    """When an engine ends by itself."""

    FOREVER = "forever"
    UNTIL_IDLE = "until idle"  # nothing is ready, running or due
    ONCE = "once"  # one claim, driven as far as it goes


@dataclass(kw_only=True)
class Engine:
    """One engine process. `lease` and `poll_interval` are in seconds; `concurrency` and `batch` count instances."""

    runner: Runner
    poll_interval: float
    concurrency: int
    batch: int
    lease: float
    clock: Callable[[], datetime] = timezone.now
    stopping: Event = field(default_factory=Event)
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}")
    driving: dict[Future[None], RunningProcesses] = field(default_factory=dict)
    definitions: dict[int, Definition] = field(default_factory=dict)

    def run(self, mode: Mode = Mode.FOREVER) -> None:
        """Work until `stop`, or until the mode says that all is done."""
        with (
            Crew(self.concurrency, "drive") as self.main,
            Crew(self.concurrency, "code") as self.side,
            Heartbeat(held=self._leases, lease=self.lease, clock=self.clock),
        ):
            logger.info("Engine %s started.", self.name)
            self._supervise(mode)
        logger.info("Engine %s stopped; it holds nothing.", self.name)

    def stop(self) -> None:
        """Claim no more; finish the code that runs, hand back the rest, and end."""
        self.stopping.set()

    def _supervise(self, mode: Mode) -> None:
        """The loop, again and again while the database comes and goes."""
        pause = 0.0
        while not self.stopping.is_set():
            try:
                self._loop(mode)
            except GONE as error:
                if not pause:
                    logger.error("The database can't be used (%s); waiting for it.", str(error).strip())
                pause = min(LONGEST_PAUSE, pause * 2 or 0.5)
                connection.close()
                self.stopping.wait(pause)
            else:
                break
        while self.driving:
            self._collect(timeout=None)

    def _loop(self, mode: Mode) -> None:
        while not self.stopping.is_set():
            claimed = self._claim()
            if mode is Mode.ONCE:
                return
            if self.driving:
                self._collect(timeout=self.poll_interval)
            elif not claimed:
                if mode is Mode.UNTIL_IDLE and self._all_is_idle():
                    return
                self.stopping.wait(self.poll_interval)

    def _claim(self) -> int:
        """Take what is due, as far as there is room, and have it driven."""
        now, room = self.clock(), self.batch - len(self.driving)
        if room <= 0:
            return 0
        claimed = transitions.claim(self.name, now=now, until=now + timedelta(seconds=self.lease), limit=room)
        for instance in claimed:
            report_claim(instance)
            self.driving[self.main.submit(self._drive, instance)] = instance
        return len(claimed)

    def _collect(self, *, timeout: float | None) -> None:
        """Let go of the instances whose drive is over; wait for the first one, up to `timeout` seconds."""
        done, _ = wait(self.driving, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in done:
            instance = self.driving.pop(future)
            if error := future.exception():
                # Nothing is lost: its lease runs out, and an engine goes on from what was written last.
                logger.error("Instance %s was left to its lease: %s", instance.pk, str(error).strip())

    def _drive(self, instance: RunningProcesses) -> None:
        planner = Planner(runner=self.runner, clock=self.clock)
        definition = self._definition(instance.version_id)
        drive = Drive(
            definition=definition, runner=self.runner, planner=planner, side=self.side, stopping=self.stopping
        )
        try:
            drive.run(instance)
        except GONE:
            connection.close()
            raise
        except Exception as error:
            logger.exception("Instance %s can't be driven.", instance.pk)
            if self.stopping.is_set():
                # What stops the engine may have stopped what it relies on first: the next one shows who is to blame.
                hand_back(instance, now=self.clock())
            else:
                # Our own mistake, or an action's: it must not stop the others, and must be seen where people look.
                give_up(instance, error, now=self.clock())

    def _definition(self, version: int) -> Definition:
        # Versions never change, so each is read once.
        if version not in self.definitions:
            self.definitions[version] = ProcessVersion.objects.get(pk=version).frozen
        return self.definitions[version]

    def _leases(self) -> list[Lease]:
        return [transitions.lease_of(instance) for instance in list(self.driving.values())]

    def _all_is_idle(self) -> bool:
        busy = Q(state__in=DUE) | Q(due_at__lte=self.clock())
        return not RunningProcesses.objects.filter(busy).exists()

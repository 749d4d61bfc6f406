"""What a worker of a task queue does with an instance that an engine has handed over: it drives it, as an engine would."""

import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import cache, partial
from threading import Event

from django.db import close_old_connections

from workflow import conf, health, transitions
from workflow.code.runner import Runner, get_runner
from workflow.definition import Definition
from workflow.engine.commit import Direct
from workflow.engine.company import way_of
from workflow.engine.crew import Here, LateCrew
from workflow.engine.driver import Driver
from workflow.engine.heartbeat import Heartbeat, renew
from workflow.engine.lacking import Lacking
from workflow.engine.patience import Patience, Waiting
from workflow.engine.presence import own_name
from workflow.engine.slots import Slots
from workflow.engine.threads import THREADS
from workflow.engine.timepiece import DatabaseClock
from workflow.logs import fields
from workflow.models import RunningProcesses
from workflow.transitions import Lease

logger = logging.getLogger(__name__)

LONGEST_STINT = 30.0
"""Seconds after which an instance goes back to the engines: queues end a task that takes them too long."""

_definitions: dict[int, Definition] = {}


@cache
def _lacking() -> Lacking:
    """What this OS process has found that it can't run. It can't keep engines from claiming that."""
    return Lacking(engine=f"{socket.gethostname()}:{os.getpid()}", claims=False)


def drive_handed_over(*, instance: int, owner: str, fence: int, lease: float) -> None:
    """Take over what the engine `owner` has claimed, and drive it as far as it goes; nothing where it is that engine's
    no longer. `lease` is in seconds.

    Raises `RuntimeError` where this process can't run code (see `get_runner`), or where the database lacks migrations.
    """
    runner = get_runner()  # first: what can't be driven here must not be taken over
    stint = _Stint(runner=runner, claim=Lease(instance=instance, owner=owner, fence=fence, events=0), lease=lease)
    work = _threads(os.getpid()).submit(stint.run)
    # Whatever interrupts a task, such as its queue's time limit, hits the thread that waits here. It must not hit the one
    # that drives in the middle of a write: that one is asked to hand the instance back.
    try:
        wait([work], timeout=LONGEST_STINT)
    finally:
        stint.stopping.set()
        wait([work])
    work.result()


@cache  # of what did not raise
def _refuse_old_database() -> None:
    if missing := health.unapplied_migrations():
        raise RuntimeError(
            f"The database lacks migrations of this app: {', '.join(missing)}. Run manage.py migrate first."
        )


@cache
def _threads(pid: int) -> ThreadPoolExecutor:
    """Those that drive in this OS process. They last, and with them their database connections; a fork has none of them."""
    return ThreadPoolExecutor(1_000, thread_name_prefix=f"drive-{pid}")


class _Stint:
    """One worker's time with one instance."""

    def __init__(self, *, runner: Runner, claim: Lease, lease: float) -> None:
        self.stopping = Event()
        self._runner = runner
        self._claim = claim
        self._lease = lease
        self._name = own_name()
        self._patience = Patience(stopping=self.stopping, waiting=Waiting(self._name))
        self._clock = DatabaseClock()

    def run(self) -> None:
        close_old_connections()
        try:
            # Here and not in the caller's thread, which may leave the connection open that this takes.
            self._patience(_refuse_old_database)
            self._patience(self._clock.measure)
            taken = self._patience(self._take_over)
            if taken is None:
                told = "The task for instance %s is void: it has come too late, or twice."
                logger.info(told, self._claim.instance, extra=fields(instance=self._claim.instance))
            else:
                self._drive(taken)
        finally:
            close_old_connections()

    def _take_over(self) -> RunningProcesses | None:
        return transitions.take_over(self._claim, by=self._name, until=self._until())

    def _drive(self, instance: RunningProcesses) -> None:
        lease = transitions.lease_of(instance)
        runs = self._patience(lambda: transitions.with_runs([instance])[instance.pk])
        with ExitStack() as stack:
            side = stack.enter_context(LateCrew(THREADS, "code"))
            beats = (self._clock.measure, partial(self._renew, lease))
            stack.enter_context(Heartbeat(lease=self._lease, beats=beats, engine=self._name))
            own = stack.enter_context(self._runner.shared())
            # All that computes here is this instance's.
            slots = Slots(conf.get("CONCURRENCY"), patience=0.0)
            stack.enter_context(slots.working())
            self._driver(side, slots, own).drive(way_of(instance, runs), own)

    def _driver(self, side: LateCrew, slots: Slots, own: Runner) -> Driver:
        driver = Driver(
            runner=self._runner,
            lease=self._lease,
            clock=self._clock,
            commit=Direct(),
            later=lambda way: driver.drive(way, own),
            main=Here(),
            side=side,
            slots=slots,
            patience=self._patience,
            ended=lambda _: None,
            takes_turns=True,
            definitions=_definitions,
            lacking=_lacking(),
        )
        return driver

    def _renew(self, lease: Lease) -> None:
        renew([lease], until=self._until())

    def _until(self) -> datetime:
        return self._clock() + timedelta(seconds=self._lease)

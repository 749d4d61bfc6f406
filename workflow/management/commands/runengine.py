"""Run an engine."""

import logging
import os
import signal
import socket
from collections.abc import Collection, Sequence
from threading import Thread
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from workflow import conf, health, operations
from workflow.code.runner import get_runner
from workflow.engine import Engine, Mode
from workflow.logs import Logfmt
from workflow.management.base import WorkflowCommand, about_database, lacks_migrations, positive, seconds
from workflow.models import RunningProcesses

STOPS = (signal.SIGTERM, signal.SIGINT)


class Command(WorkflowCommand):
    help = (
        "Run the code tasks of instances that are due, and queue their manual ones, until it is stopped. Several "
        "engines may run over one database. SIGTERM or Ctrl-C lets running code end and hands back the rest; a second "
        "one stops at once, and other engines go on when the leases run out."
    )
    examples: ClassVar[str] = """\
  manage.py runengine
  manage.py runengine --concurrency 8 --poll-interval 0.2
  manage.py runengine --until-idle        # in a script: run what can run now, then end
  manage.py runengine --check             # in a supervisor: is one alive on this host?
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--poll-interval",
            type=seconds,
            default=conf.get("POLL_INTERVAL"),
            metavar="SECONDS",
            help="time between looks for work (default: %(default)s)",
        )
        parser.add_argument(
            "--concurrency",
            type=positive,
            default=conf.get("CONCURRENCY"),
            metavar="N",
            help="how many pieces of code to run at the same time (default: %(default)s)",
        )
        parser.add_argument(
            "--batch",
            type=positive,
            default=conf.get("BATCH"),
            metavar="N",
            help="how many instances to hold at the same time (default: %(default)s)",
        )
        parser.add_argument(
            "--lease",
            type=seconds,
            default=conf.get("LEASE"),
            metavar="SECONDS",
            help="silence after which others take over this engine's work; a dead one's own lease counts (default: %(default)s)",
        )
        parser.add_argument(
            "--processes",
            nargs="+",
            default=(),
            metavar="NAME",
            help="take only instances of these processes (default: of all)",
        )
        ends = parser.add_mutually_exclusive_group()
        ends.add_argument("--until-idle", action="store_true", help="end when nothing is ready, running or due")
        ends.add_argument("--once", action="store_true", help="make one pass over what is due, and end")
        ends.add_argument(
            "--check",
            nargs="?",
            const=socket.gethostname(),
            metavar="HOST",
            help="run none, but say whether one is alive on this host, or on that; 'any': on any. Exit code 1: none is",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"] is not None:
            _prepare(options["processes"])
            self._check(options["check"], options["processes"])
            return
        engine = Engine(
            processes=options["processes"],
            runner=get_runner(),
            poll_interval=options["poll_interval"],
            concurrency=options["concurrency"],
            batch=options["batch"],
            lease=options["lease"],
            dispatch=conf.get("DISPATCH"),
        )
        _show_log()
        mode = _mode(options)
        if mode is Mode.FOREVER:  # it may have been started together with the database, or be cut off at once
            engine.patience(lambda: _prepare(options["processes"]))
        else:
            _prepare(options["processes"])
        _stop_on_signals(engine)
        engine.run(mode)

    def _check(self, host: str, processes: Collection[str]) -> None:
        if trouble := health.trouble(host="" if host == "any" else host, processes=processes):
            raise CommandError(trouble)
        self.stdout.write("An engine is alive.")


def _prepare(processes: Sequence[str]) -> None:
    """See that there is what the engine needs; a database without our tables is told now, not waited for."""
    try:
        RunningProcesses.objects.exists()
    except DatabaseError as error:
        if lacks_migrations(error):
            raise CommandError(about_database(error)) from error
        raise
    operations.processes_named(processes)


def _mode(options: dict[str, Any]) -> Mode:
    if options["until_idle"]:
        return Mode.UNTIL_IDLE
    return Mode.ONCE if options["once"] else Mode.FOREVER


def _show_log() -> None:
    """Have the log on the console also in a project that has not configured it."""
    ours = logging.getLogger("workflow")
    if ours.level == logging.NOTSET:
        ours.setLevel(logging.INFO)
    if not ours.hasHandlers():
        console = logging.StreamHandler()
        console.setFormatter(Logfmt())
        ours.addHandler(console)


def _stop_on_signals(engine: Engine) -> None:
    """Have SIGTERM and SIGINT stop the engine: the first cleanly, the second at once.

    A thread hears of them. A handler would run in the middle of the engine's own waiting, and might wait there for a
    lock that the engine, which it interrupts, holds itself.
    """
    heard, told = socket.socketpair()
    told.settimeout(0)
    signal.set_wakeup_fd(told.fileno())
    for number in STOPS:
        signal.signal(number, lambda *_: None)
    # The sockets live as long as this thread.
    Thread(target=_obey, args=(heard, told, engine), name="signals", daemon=True).start()


def _obey(heard: socket.socket, told: socket.socket, engine: Engine) -> None:
    _next_stop(heard)
    engine.stop()
    os._exit(128 + _next_stop(heard))  # threads that run an action can't be stopped otherwise


def _next_stop(heard: socket.socket) -> int:
    while (number := heard.recv(1)[0]) not in STOPS:
        """Some library listens to a signal of its own."""
    return number

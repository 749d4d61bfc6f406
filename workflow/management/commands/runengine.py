"""Run an engine."""

import logging
import os
import socket
import sys
from collections.abc import Collection, Sequence
from functools import partial
from threading import Thread
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, OperationalError, connections

from workflow import conf, health, operations
from workflow.code.runner import get_runner
from workflow.cut import GONE
from workflow.engine import Engine, Mode, workers
from workflow.engine.hearing import STOPS, Hearing
from workflow.engine.presence import own_name
from workflow.engine.release import Releases
from workflow.logs import Console, Logfmt
from workflow.management.base import WorkflowCommand, about_database, lacks_migrations, positive, seconds, whole
from workflow.models import RunningProcesses


class Command(WorkflowCommand):
    help = (
        "Run the code tasks of instances that are due, and queue their manual ones, until it is stopped. Several "
        "engines may run over one database. SIGTERM or Ctrl-C lets running code end and hands back the rest; a second "
        "one stops at once, and other engines go on when the leases run out."
    )
    can_run_again = False
    """Whether a command line has asked for this, rather than a program, of which no copy is wanted for each worker."""
    examples: ClassVar[str] = """\
  manage.py runengine
  manage.py runengine --concurrency 8 --poll-interval 0.2
  manage.py runengine --workers 4         # on a machine of four cores
  manage.py runengine --until-idle        # in a script: run what can run now, then end
  manage.py runengine --check             # in a supervisor: is one alive on this host?
"""

    def run_from_argv(self, argv: list[str]) -> None:
        self.can_run_again = True
        super().run_from_argv(argv)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--workers",
            type=partial(whole, most=conf.MOST_WORKERS),
            metavar="N",
            help="how many engines to run, each a process of its own that is started again when it dies "
            f"(default: {conf.get('WORKERS')})",
        )
        parser.add_argument(
            "--poll-interval",
            type=seconds,
            metavar="SECONDS",
            help=f"time between looks for work (default: {conf.get('POLL_INTERVAL')})",
        )
        parser.add_argument(
            "--concurrency",
            type=partial(whole, most=conf.MOST_CONCURRENCY),
            metavar="N",
            help=f"how many pieces of code to run at the same time (default: {conf.get('CONCURRENCY')})",
        )
        parser.add_argument(
            "--batch",
            type=positive,
            metavar="N",
            help=f"how many instances to hold at the same time (default: {conf.get('BATCH')})",
        )
        parser.add_argument(
            "--lease",
            type=partial(seconds, least=conf.SHORTEST_LEASE),
            metavar="SECONDS",
            help="silence after which others take over this engine's work; a dead one's own lease counts "
            f"(default: {conf.get('LEASE')})",
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
        _show_log()
        if workers.is_worker():
            self._run(options, watched=True)
        elif (count := self._workers(options)) > 1:
            _watch(count, options)
        else:
            self._run(options)

    def _run(self, options: dict[str, Any], *, watched: bool = False) -> None:
        """Be one engine."""
        engine = Engine(
            name=workers.worker_name() if watched else own_name(),
            processes=options["processes"],
            runner=get_runner(),
            poll_interval=_asked(options, "poll_interval"),
            concurrency=_asked(options, "concurrency"),
            batch=_asked(options, "batch"),
            lease=_asked(options, "lease"),
            dispatch=conf.get("DISPATCH"),
            warn=workers.warn_parent if watched else lambda: None,
        )
        mode = _mode(options)
        _stop_on_signals(engine)
        if watched:
            workers.obey_parent(engine.stop)
        if mode is Mode.FOREVER:  # it may have been started together with the database, or be cut off at once
            try:
                engine.patience(lambda: _prepare_to_run(options["processes"]))
            except GONE:
                if engine.stopping.is_set():  # nobody waits for the database any more
                    return
                raise
        else:
            _prepare_to_run(options["processes"])
        if watched:
            workers.tell_parent()
        engine.run(mode)

    def _workers(self, options: dict[str, Any]) -> int:
        """How many engines are wanted. Several are this command run again, which takes a command line."""
        wanted = options["workers"]
        if wanted is None:
            return conf.get("WORKERS") if self.can_run_again and not options["once"] else 1
        if wanted > 1 and options["once"]:
            raise CommandError("--once is one pass of one engine: leave --workers away, or take --until-idle.")
        if wanted > 1 and not self.can_run_again:
            raise CommandError("Several workers are run by the command line, not by call_command.")
        return int(wanted)

    def _check(self, host: str, processes: Collection[str]) -> None:
        if trouble := health.trouble(host="" if host == "any" else host, processes=processes):
            raise CommandError(trouble)
        self.stdout.write("An engine is alive.")


def _asked(options: dict[str, Any], name: str) -> Any:
    """What the command line says, or else the setting of that name. As the option's default it would be taken for one that
    was typed, and be blamed so where it is wrong.
    """
    return conf.get(name.upper()) if options[name] is None else options[name]


def _watch(count: int, options: dict[str, Any]) -> None:
    """Be the parent of several engines."""
    try:
        _prepare_to_run(options["processes"])  # what is wrong is told once, not by each of them
    except OperationalError:
        if _mode(options) is not Mode.FOREVER:
            raise
    connections.close_all()
    with Releases() as release:
        code = workers.Workers(count=count, until_idle=options["until_idle"], release=release).run()
    if code:
        sys.exit(code)


def _prepare_to_run(processes: Sequence[str]) -> None:
    """As `_prepare`; and refuse to work on a database that is older than this code. (A newer one is for older engines, too.)"""
    _prepare(processes)
    if missing := health.unapplied_migrations():
        raise CommandError(
            f"The database lacks migrations of this app: {', '.join(missing)}. Run manage.py migrate first."
        )


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
        console = Console()
        console.setFormatter(Logfmt())
        ours.addHandler(console)


def _stop_on_signals(engine: Engine) -> None:
    """Have SIGTERM and SIGINT stop the engine: the first cleanly, the second at once."""
    Thread(target=_obey, args=(Hearing(*STOPS), engine), name="signals", daemon=True).start()


def _obey(hearing: Hearing, engine: Engine) -> None:
    hearing.next()
    engine.stop()
    os._exit(128 + (hearing.next() or 0))  # threads that run an action can't be stopped otherwise

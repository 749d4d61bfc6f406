"""Run an engine."""

import os
import signal
from types import FrameType
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from workflow import conf
from workflow.code.runner import get_runner
from workflow.engine import Engine, Mode
from workflow.management.base import WorkflowCommand, positive, seconds
from workflow.models import RunningProcesses


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
            help="how many instances to drive at the same time (default: %(default)s)",
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
            help="silence after which other engines take over its work (default: %(default)s)",
        )
        ends = parser.add_mutually_exclusive_group()
        ends.add_argument("--until-idle", action="store_true", help="end when nothing is ready, running or due")
        ends.add_argument("--once", action="store_true", help="make one pass over what is due, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        RunningProcesses.objects.exists()  # a database without our tables is told now, not waited for
        engine = Engine(
            runner=get_runner(),
            poll_interval=options["poll_interval"],
            concurrency=options["concurrency"],
            batch=options["batch"],
            lease=options["lease"],
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stopper(engine))
        engine.run(_mode(options))


def _mode(options: dict[str, Any]) -> Mode:
    if options["until_idle"]:
        return Mode.UNTIL_IDLE
    return Mode.ONCE if options["once"] else Mode.FOREVER


def _stopper(engine: Engine) -> Any:
    def stop(number: int, frame: FrameType | None) -> None:
        if engine.stopping.is_set():
            os._exit(128 + number)  # threads that run an action can't be stopped otherwise
        engine.stop()

    return stop

"""Delete instances that have ended long ago."""

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from workflow import durations, operations
from workflow.management.base import WorkflowCommand, positive
from workflow.models import RunningProcesses
from workflow.models.states import FINAL
from workflow.people.uploads import Swept
from workflow.purging import BATCH, Purged

INTERRUPTED = 130
BATCHES_A_LINE = 50  # where nobody looks on: some lines for a log


class Command(WorkflowCommand):
    help = (
        "Delete instances that have ended longer ago than that, each with its history and with all that it has started. "
        "Engines may run meanwhile, and it can be interrupted and run again at any time. What has failed can be retried, "
        "and is deleted only if --states names it. Files that came with forms which were not accepted go as well, a day after."
    )
    examples: ClassVar[str] = """\
  manage.py purgehistory --older-than 90d --dry-run
  manage.py purgehistory --older-than 90d
  manage.py purgehistory --older-than 52w --states FAILED,CANCELLED
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", type=_span, required=True, metavar="SPAN", help="since their end, such as 90d or 1d 12h"
        )
        parser.add_argument(
            "--states",
            type=_names,
            default=sorted(FINAL),
            metavar="STATE,…",
            help=f"how they have ended (default: {','.join(sorted(FINAL))})",
        )
        parser.add_argument(
            "--batch", type=positive, default=BATCH, metavar="N", help="instances a transaction (default: %(default)s)"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count them, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        RunningProcesses.objects.exists()  # a database without our tables is told before anything is said of success
        dry_run = options["dry_run"]
        batches = operations.purge(options["older_than"], options["states"], batch=options["batch"], dry_run=dry_run)
        all_of_it = Purged()
        try:
            for number, done in enumerate(batches, 1):
                all_of_it += done
                self._tell(number, all_of_it)
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run it again to go on.", returncode=INTERRUPTED) from None
        finally:  # however it ends
            self._sum_up(all_of_it, dry_run=dry_run)
        self._tell_swept(operations.sweep_uploads(dry_run=dry_run), dry_run=dry_run)

    def _tell(self, number: int, so_far: Purged) -> None:
        line = f"{so_far.instances:,} so far"
        if self.stderr.isatty():
            self.stderr.write(line, style_func=str, ending="\r")
        elif number % BATCHES_A_LINE == 0:
            self.stderr.write(line)

    def _sum_up(self, purged: Purged, *, dry_run: bool) -> None:
        did = "Would delete" if dry_run else "Deleted"
        self.stdout.write(f"{did} {_instances(purged.instances)}.")
        if purged.protected:
            self.stderr.write(f"Rows of the project protect {_instances(purged.protected)}, which stayed.")

    def _tell_swept(self, swept: Swept, *, dry_run: bool) -> None:
        if swept.uploads or swept.files:
            did = "Would delete" if dry_run else "Deleted"
            self.stdout.write(f"{did} {_counted(swept.uploads + swept.files, 'file')} that no instance has.")
        if swept.missing:
            self.stderr.write(f"The storage has lost {_counted(swept.missing, 'file')} that came with forms.")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _instances(count: int) -> str:
    return _counted(count, "instance")


def _span(text: str) -> timedelta:
    try:
        return durations.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _names(text: str) -> list[str]:
    return [name.strip().upper() for name in text.split(",") if name.strip()]

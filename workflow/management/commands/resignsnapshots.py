"""Sign saved code with the newest key."""

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from workflow import operations
from workflow.code import signing
from workflow.management.base import WorkflowCommand, positive
from workflow.models import TaskRun
from workflow.resigning import BATCH, Refused

INTERRUPTED = 130
MOST_NAMED = 20
BATCHES_A_LINE = 50


class Command(WorkflowCommand):
    help = (
        "Sign the saved state of all code that sleeps or waits with the newest key: the first of WORKFLOW['SNAPSHOT_KEYS'], or "
        "SECRET_KEY. After that, older keys are not needed for it any more. Engines may run meanwhile, if all of them have the same "
        "newest key; it can be interrupted and run again at any time. Ends with 1 if there is a snapshot that no known key verifies."
    )
    examples: ClassVar[str] = """\
  manage.py resignsnapshots --dry-run
  manage.py resignsnapshots
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch", type=positive, default=BATCH, metavar="N", help="snapshots a transaction (default: %(default)s)"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count them, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        TaskRun.objects.exists()  # a database without our tables is told before anything is said of success
        signed = were_new = locked = 0
        refused: list[Refused] = []
        try:
            for number, done in enumerate(operations.resign(batch=options["batch"], dry_run=options["dry_run"]), 1):
                signed, were_new, locked = signed + done.signed, were_new + done.were_new, locked + done.locked
                refused += done.refused
                if number % BATCHES_A_LINE == 0:
                    self.stderr.write(f"{signed + were_new:,} so far")
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run it again to go on.", returncode=INTERRUPTED) from None
        finally:  # however it ends
            did = "Would sign" if options["dry_run"] else "Signed"
            newest = signing.fingerprint(signing.signing_keys()[0])
            self.stdout.write(
                f"{did} {_snapshots(signed)} with the newest key ({newest}); {were_new:,} had it already."
            )
        if faults := [*_about_refused(refused), *_about_locked(locked)]:
            raise CommandError("\n".join(faults))


def _about_refused(refused: list[Refused]) -> list[str]:
    if not refused:
        return []
    lines = [
        f"  Task run {one.run.pk} ({one.run.task_name!r} of {one.run.instance.process_name!r}, instance {one.run.instance_id}): {one.why}"
        for one in refused[:MOST_NAMED]
    ]
    more = [f"  and {len(refused) - MOST_NAMED:,} more"] if len(refused) > MOST_NAMED else []
    return [f"No known key verifies {_snapshots(len(refused))}; left as before:", *lines, *more]


def _about_locked(count: int) -> list[str]:
    return [f"Somebody else has locked {_snapshots(count)}; left as before. Run it again."] if count else []


def _snapshots(count: int) -> str:
    return f"{count:,} snapshot{'' if count == 1 else 's'}"

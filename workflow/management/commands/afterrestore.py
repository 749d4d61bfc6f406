"""Say what to look at after a backup was restored."""

from typing import Any, ClassVar

from django.core.management import CommandError

from workflow import restoring
from workflow.management.base import WorkflowCommand
from workflow.models import RunningProcesses


class Command(WorkflowCommand):
    help = (
        "Print a checklist for after a backup was restored, with numbers from this database: what has to be put right before engines "
        "start, and what may happen again when they do. It changes nothing. Ends with 1 if there is something to be put right."
    )
    examples: ClassVar[str] = """\
  manage.py afterrestore
"""

    def handle(self, *args: Any, **options: Any) -> None:
        RunningProcesses.objects.exists()  # a database without our tables is told before anything else is said
        self.stdout.write("After a restore, before engines start. This command changes nothing.\n")
        wrong = 0
        for point in restoring.checklist():
            wrong += point.wrong
            self.stdout.write(f"{'WRONG' if point.wrong else '-':5} {point.text}")
            for line in point.about:
                self.stdout.write(f"        {line}")
        if wrong:
            # A script that restores has to stop here, before it starts anything.
            raise CommandError(
                f"Put right what is marked WRONG ({wrong}), and run this again, before you start the site and the engines."
            )
        self.stdout.write("\nNothing keeps you from starting the site and the engines, when you have read this.")

"""Tell what is wrong with drafts."""

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from workflow import operations
from workflow.management.base import WorkflowCommand
from workflow.models import Process


class Command(WorkflowCommand):
    help = (
        "Check the drafts of the named processes, or of all, and print what is found. Ends with 1 if there are errors."
    )
    examples: ClassVar[str] = """\
  manage.py checkprocess
  manage.py checkprocess "Expense claim"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="the name of a process (default: all)")

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["names"]
        processes = operations.processes_named(names) if names else list(Process.objects.all())
        if not processes:
            self.stdout.write("No process is defined yet.")
        errors = sum(self._check(process) for process in processes)
        if errors:
            raise CommandError(f"{errors} error{'s' if errors > 1 else ''} found.")

    def _check(self, process: Process) -> int:
        """Print the findings of a process; returns how many are errors."""
        found = operations.findings(process)
        errors = sum(finding.level == "error" for finding in found)
        self.stdout.write(f"{process.name}: {'no findings' if not found else ''}".rstrip())
        for finding in found:
            self.stdout.write(f"  {finding.level}: {finding}")
        return errors

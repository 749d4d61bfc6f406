"""Tell what is wrong with drafts, or with the versions that run."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from workflow import operations
from workflow.findings import Finding
from workflow.management.base import WorkflowCommand
from workflow.models import Process


class Command(WorkflowCommand):
    help = (
        "Check the drafts of the named processes, or of all, and print what is found. Ends with 1 if there are errors. With --running, "
        "check the versions instead that unfinished instances use."
    )
    examples: ClassVar[str] = """\
  manage.py checkprocess
  manage.py checkprocess "Expense claim"
  manage.py checkprocess --running        # before a deployment: can the new code run what is under way?
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="the name of a process (default: all)")
        parser.add_argument(
            "--running", action="store_true", help="check the versions that unfinished instances use, not the drafts"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        check = self._check_running if options["running"] else self._check_drafts
        if errors := check(options["names"]):
            raise CommandError(f"{errors} error{'s' if errors > 1 else ''} found.")

    def _check_drafts(self, names: Sequence[str]) -> int:
        """Print the findings of each draft; returns how many are errors."""
        processes = operations.processes_named(names) if names else list(Process.objects.all())
        if not processes:
            self.stdout.write("No process is defined yet.")
        return sum(self._print(process.name, operations.findings(process)) for process in processes)

    def _check_running(self, names: Sequence[str]) -> int:
        """Print the findings of each version that unfinished instances use; returns how many are errors."""
        versions = operations.running_versions(names)
        if not versions:
            self.stdout.write("No instance is unfinished.")
        return sum(
            self._print(f"{version} ({count} unfinished)", operations.findings_of_version(version))
            for version, count in versions
        )

    def _print(self, title: str, findings: Iterable[Finding]) -> int:
        """Print findings; returns how many are errors."""
        found = list(findings)
        self.stdout.write(f"{title}: {'no findings' if not found else ''}".rstrip())
        for finding in found:
            self.stdout.write(f"  {finding.level}: {finding}")
        return sum(finding.level == "error" for finding in found)

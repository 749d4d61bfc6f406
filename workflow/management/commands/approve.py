"""Approve or reject manual tasks that wait."""

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from workflow import operations
from workflow.management.base import WorkflowCommand, instance_id


class Command(WorkflowCommand):
    help = (
        "Approve, or with --reject reject, all that waits for a task of a process, or what waits of one instance. "
        "All of it is decided, or none."
    )
    examples: ClassVar[str] = """\
  manage.py approve "Expense claim" "Manager approval"
  manage.py approve "Expense claim" "Manager approval" --id 7 --user mark --comment "fine"
  manage.py approve "Expense claim" "Finance approval" --id 7 --reject --comment "the receipt is missing"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("process", metavar="PROCESS", help="the name of the process")
        parser.add_argument("task", metavar="TASK", help="the name of the manual task")
        parser.add_argument("--id", type=instance_id, metavar="INSTANCE", help="decide for this instance alone")
        parser.add_argument("--user", metavar="NAME", help="who decides; must be among those it waits for")
        parser.add_argument("--comment", default="", metavar="TEXT", help="why, for the history")
        parser.add_argument("--reject", action="store_true", help="reject instead of approving")

    def handle(self, *args: Any, **options: Any) -> None:
        decided = operations.decide_all(
            options["process"],
            options["task"],
            approved=not options["reject"],
            instance=options["id"],
            by=operations.user_named(options["user"]) if options["user"] is not None else None,
            comment=options["comment"],
        )
        did = "Rejected" if options["reject"] else "Approved"
        for waiting in decided:
            self.stdout.write(f"{did} {waiting.process_name} task {waiting.task_name} (instance {waiting.rpid_id})")

"""Approve or reject manual tasks that wait, or show what waits for whom."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from workflow import clock, operations
from workflow.management.base import WorkflowCommand, by_command, instance_id, json_argument
from workflow.models import WaitingForApproval

FOR_DECIDING = ("id", "comment", "data", "reject")
"""Options that say something of a decision, and nothing where what waits is shown."""


class Command(WorkflowCommand):
    help = (
        "Approve, or with --reject reject, all that waits for a task of a process, or what waits of one instance. "
        "All of it is decided, or none. Without names: show what waits, for whom, and since when."
    )
    examples: ClassVar[str] = """\
  manage.py approve
  manage.py approve --as mark
  manage.py approve "Expense claim" "Manager approval"
  manage.py approve "Expense claim" "Manager approval" --id 7 --as mark --comment "fine"
  manage.py approve "Expense claim" "Manager approval" --id 7 --data '{"cost_centre": "4711"}'
  manage.py approve "Expense claim" "Finance approval" --id 7 --reject --comment "the receipt is missing"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("process", nargs="?", metavar="PROCESS", help="the name of the process")
        parser.add_argument("task", nargs="?", metavar="TASK", help="the name of the manual task")
        parser.add_argument("--id", type=instance_id, metavar="INSTANCE", help="decide for this instance alone")
        parser.add_argument(
            "--as",
            "--user",
            dest="user",
            metavar="NAME",
            help="who decides, who must be among those it waits for; or whose inbox to show",
        )
        parser.add_argument("--comment", default="", metavar="TEXT", help="why, for the history")
        parser.add_argument("--data", type=json_argument, metavar="JSON", help="answers to the task's form, an object")
        parser.add_argument("--reject", action="store_true", help="reject instead of approving")

    def handle(self, *args: Any, **options: Any) -> None:
        user = operations.user_named(options["user"]) if options["user"] is not None else None
        if options["process"] is None:
            self._refuse_half(options)
            self._show(user)
        elif options["task"] is None:
            raise CommandError("the following arguments are required: TASK")
        else:
            self._decide(options, user)

    def _decide(self, options: Mapping[str, Any], user: Any) -> None:
        answers = options["data"]
        if answers is not None and not isinstance(answers, Mapping):
            raise CommandError('--data is no object; write one such as {"amount": 12}.')
        decided = operations.decide_all(
            options["process"],
            options["task"],
            approved=not options["reject"],
            instance=options["id"],
            by=user,
            comment=options["comment"],
            answers=answers,
            via=by_command(),
        )
        did = "Rejected" if options["reject"] else "Approved"
        for waiting in decided:
            self.stdout.write(f"{did} {waiting.process_name} task {waiting.task_name} (instance {waiting.rpid_id})")

    def _refuse_half(self, options: Mapping[str, Any]) -> None:
        given = [f"--{name}" for name in FOR_DECIDING if options[name] not in (None, "", False)]
        if given:
            raise CommandError(f"{', '.join(given)} is of a decision: name the process and the task as well.")

    def _show(self, user: Any) -> None:
        """What waits, or what waits for that user, the oldest first."""
        found = WaitingForApproval.objects.all() if user is None else operations.inbox(user)
        alerts = set(found.undecidable().values_list("pk", flat=True))
        lines = 0
        for waiting in found.select_related("claimed_by").order_by("pk").iterator(chunk_size=1_000):
            lines += 1
            self.stdout.write(_line(waiting, is_alert=waiting.pk in alerts))
        if not lines:
            self.stdout.write("Nothing waits." if user is None else f"Nothing waits for {user.get_username()}.")


def _line(waiting: WaitingForApproval, *, is_alert: bool) -> str:
    what = f"{waiting.process_name} task {waiting.task_name} (instance {waiting.rpid_id})"
    parts = [
        f"{what} waits for {waiting.approver or 'any member of staff'}",
        f"since {_time(waiting.queued_at)}",
    ]
    if waiting.due_at is not None:
        parts.append(f"{'OVERDUE since' if waiting.is_overdue(clock.now()) else 'due'} {_time(waiting.due_at)}")
    if waiting.quorum > 1:
        parts.append(f"{waiting.votes} of {waiting.quorum} have approved")
    if waiting.claimed_by is not None:
        parts.append(f"claimed by {waiting.claimed_by.get_username()}")
    if is_alert:
        parts.append("NOBODY IS LEFT who can decide it")
    return ", ".join(parts)


def _time(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"

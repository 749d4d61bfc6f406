"""Start instances of processes."""

from argparse import ArgumentTypeError
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from workflow import operations, values
from workflow.errors import suggestion
from workflow.management.base import WorkflowCommand, by_command, positive
from workflow.models import Priority

_LEVELS = [name.lower() for name in Priority.names]


class Command(WorkflowCommand):
    help = "Start instances of one or more processes, and print their ids, one a line. All names are started, or none."
    examples: ClassVar[str] = """\
  manage.py startprocess "Expense claim"
  manage.py startprocess "Expense claim" --data '{"amount": 180}' --user anna
  manage.py startprocess Order Onboarding --count 5
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="+", metavar="NAME", help="the name of a process")
        parser.add_argument("--data", metavar="JSON", help="the data that each instance starts with, a JSON object")
        parser.add_argument("--count", type=positive, default=1, metavar="N", help="how many of each (default: 1)")
        parser.add_argument(
            "--priority",
            type=_priority,
            metavar="LEVEL",
            help=f"which come first where many are due: {', '.join(_LEVELS)} (default: their process's)",
        )
        parser.add_argument("--user", metavar="NAME", help="who starts them")

    def handle(self, *args: Any, **options: Any) -> None:
        user = operations.user_named(options["user"]) if options["user"] is not None else None
        data = _data(options["data"])
        priority = Priority[options["priority"]] if options["priority"] else None
        # As a list of one: JSON that is a list is wrong here, and not data of several.
        count, via = options["count"], by_command()
        started = operations.start_many(options["names"], [data], user=user, priority=priority, count=count, via=via)
        for instance in started:
            self.stdout.write(str(instance.pk))


def _priority(text: str) -> str:
    if text.upper() not in Priority.names:
        raise ArgumentTypeError(f"{text!r} is no priority.{suggestion(text.lower(), _LEVELS)}")
    return text.upper()


def _data(text: str | None) -> Any:
    if text is None:
        return None
    try:
        data = values.loads(text)
    except values.ValueProblem as problem:
        raise CommandError(f"--data: {problem}") from problem
    if data is None:
        raise CommandError('--data: null is no object; write {}, or such as {"amount": 12}.')
    return data

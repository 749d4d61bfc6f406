"""Send a signal to instances that wait for it."""

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from workflow import operations
from workflow.management.base import WorkflowCommand, instance_id, json_argument


class Command(WorkflowCommand):
    help = (
        "Send a signal. The instance that has waited longest for it gets it; where none waits, it is kept for the first "
        "that will. Prints the ids of the instances that it has reached, one a line."
    )
    examples: ClassVar[str] = """\
  manage.py signalprocess "payment received" --id 7 --data '{"amount": 180}'
  manage.py signalprocess restocked --process Order
  manage.py signalprocess "office closes" --transient      # to all that wait now, and to nobody later
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("signal", metavar="SIGNAL", help="the name of the signal")
        to = parser.add_mutually_exclusive_group()
        to.add_argument("--id", type=instance_id, metavar="INSTANCE", help="only for this instance")
        to.add_argument("--process", default="", metavar="NAME", help="only for instances of this process")
        parser.add_argument("--data", type=json_argument, metavar="JSON", help="what the code gets with it")
        parser.add_argument(
            "--transient", action="store_true", help="only for those that wait now, and for all of them"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        reached = operations.signal(
            options["signal"],
            options["data"],
            instance=options["id"],
            process=options["process"],
            transient=options["transient"],
        )
        for instance in reached:
            self.stdout.write(str(instance))
        if not reached:
            kept = "Nobody waits for it." if options["transient"] else "Nobody waits for it yet; it is kept."
            self.stderr.write(kept)

"""What operators do to instances."""

from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from workflow import operations, operators
from workflow.management.base import WorkflowCommand, by_command, instance_id, json_argument, step
from workflow.operators import Action, Plan


class Command(WorkflowCommand):
    help = (
        "Cancel, pause or resume instances; retry those that failed, where they failed or (restart) from the start of the "
        "task; skip the task that failed; or go to a step. Shows first which effects have happened, which would "
        "happen again, and which decisions would be passed over; --dry-run only shows. All instances are changed, or none; it never asks back."
    )
    examples: ClassVar[str] = """\
  manage.py manageprocess cancel 7 8 9 --reason "ordered twice"
  manage.py manageprocess retry 7 --dry-run
  manage.py manageprocess skip 7 --result '{"receipt": "R-1"}' --user olga --reason "charged by hand"
  manage.py manageprocess goto 7 --to 40 --user olga --reason "approved on paper, see folder 12"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "action", choices=[action.value for action in Action], metavar="ACTION", help=", ".join(Action)
        )
        parser.add_argument("instances", nargs="+", type=instance_id, metavar="INSTANCE", help="the id of an instance")
        parser.add_argument("--to", type=step, metavar="STEP", help="the step of a goto")
        parser.add_argument(
            "--result", type=json_argument, metavar="JSON", help="what a skipped task is taken to return"
        )
        parser.add_argument("--user", metavar="NAME", help="who does it, for the history; must have the right to")
        parser.add_argument(
            "--reason",
            default="",
            metavar="TEXT",
            help="why, for the history; --user must give one to pass over what nobody has decided",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would happen, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        action, to = Action(options["action"]), options["to"]
        by = operations.user_named(options["user"]) if options["user"] is not None else None
        if (to is not None) != (action == Action.GOTO):
            raise CommandError("goto needs --to STEP." if to is None else f"--to goes with goto, not with {action}.")
        for instance in dict.fromkeys(options["instances"]):
            self._show(operators.plan(instance, action, to=to))
        if options["dry_run"]:
            return
        for changed in operators.perform_all(
            options["instances"],
            action,
            by=by,
            reason=options["reason"],
            to=to,
            result=options["result"],
            via=by_command(),
        ):
            self.stdout.write(
                f"Instance {changed.pk} of {changed.process_name} is {changed.state} at step {changed.step}."
            )

    def _show(self, plan: Plan) -> None:
        self.stdout.write(f"Instance {plan.instance.pk} of {plan.instance.process_name}, {plan.instance.state}:")
        self._list("has happened", plan.happened)
        self._list("would happen again", plan.again)
        if plan.passes_over:
            self._list("would pass over, though nobody has decided it", plan.passes_over)
        if plan.warnings:
            self._list("warning", plan.warnings)

    def _list(self, title: str, effects: Any) -> None:
        self.stdout.write(f"  {title}: {'nothing' if not effects else ''}".rstrip())
        for effect in effects:
            self.stdout.write(f"    {effect}")

"""What our commands share: errors that people can read, exit code 1 for them all, and examples in `--help`."""

import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError

from workflow.errors import WorkflowError


class WorkflowCommand(BaseCommand):
    """A command over the operations: it translates arguments, errors and results, and decides nothing."""

    examples: ClassVar[str] = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        epilog = f"examples:\n{self.examples}" if self.examples else None
        return super().create_parser(
            prog_name, subcommand, epilog=epilog, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            # argparse ends with 2; for a script, bad input is bad input.
            sys.exit(1 if end.code == 2 else end.code)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except WorkflowError as error:
            raise CommandError(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(_about_database(error)) from error


def _about_database(error: Exception) -> str:
    text = str(error).strip()
    if "no such table" in text or "does not exist" in text:
        return f"The database lacks a table ({text.splitlines()[0]}). Run manage.py migrate first."
    return f"The database can't be used: {text}"


def positive(text: str) -> int:
    """An argument that counts something: 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return number


def seconds(text: str) -> float:
    """An argument that is a time: more than 0 seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return number

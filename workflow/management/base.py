"""What our commands share: errors that people can read, exit code 1 for them all, a quiet end where nobody
reads on, and examples in `--help`.
"""

import getpass
import os
import signal
import socket
import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any, ClassVar, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from django.utils import translation

from workflow import values
from workflow.conf import MOST_SECONDS
from workflow.errors import WorkflowError
from workflow.origin import Channel, Via

UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"
MOST = 1_000_000
LARGEST_ID = 2**63 - 1
LONGEST_NAME = 255


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
            self._run_to_the_end(argv)
        except BrokenPipeError:
            _end_as_nobody_reads_on()

    def _run_to_the_end(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            # argparse ends with 2; for a script, bad input is bad input.
            sys.exit(1 if end.code == 2 else end.code)
        finally:
            # A pipe that is closed is met here, rather than at the end of Python, which would complain.
            print(end="", flush=True)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with translation.override(
                "en"
            ):  # what a command says is for scripts and logs, whatever the site's language
                return super().execute(*args, **options)
        except WorkflowError as error:
            raise CommandError(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(about_database(error)) from error
        except UnicodeEncodeError as error:
            raise CommandError(f"{error.object!r} is not text in UTF-8.") from error


def _end_as_nobody_reads_on() -> NoReturn:
    """End as other tools do in `… | head`: without a word, and with the exit code that a shell gives to what SIGPIPE ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        # What is left in its buffer is written when Python ends.
        os.dup2(nowhere, stream.fileno())
    sys.exit(128 + signal.SIGPIPE)


def about_database(error: Exception) -> str:
    """What is to be told of a database that refuses."""
    text = str(error).strip()
    if lacks_migrations(error):
        return f"The database is not up to date ({text.splitlines()[0]}). Run manage.py migrate first."
    return f"The database can't be used: {text}"


def by_command() -> Via:
    """How a command does something: by which user of which machine, as far as that can be told."""
    return Via(channel=Channel.COMMAND, os_user=_text(_os_user()), host=_text(socket.gethostname()))


def _os_user() -> str:
    """The user of the machine; not what the environment says, which the user says themselves."""
    try:
        import pwd
    except ImportError:  # on Windows
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's users may have no names
        return str(os.getuid())


def _text(name: str) -> str:
    """A name as text that any database keeps."""
    return name.encode(errors="replace").decode().replace("\0", "")[:LONGEST_NAME]


def json_argument(text: str) -> Any:
    """An argument that is a value, as JSON."""
    try:
        return values.loads(text)
    except values.ValueProblem as problem:
        raise ArgumentTypeError(str(problem)) from problem


def lacks_migrations(error: Exception) -> bool:
    """Whether tables or columns are missing that our code expects."""
    # PostgreSQL writes its errors in the language of the server; only their codes are the same everywhere.
    state = getattr(error.__cause__, "sqlstate", None)
    return state in {UNDEFINED_TABLE, UNDEFINED_COLUMN} or str(error).startswith(("no such table", "no such column"))


def positive(text: str) -> int:
    """An argument that counts something: 1 to a million."""
    return whole(text, most=MOST)


def instance_id(text: str) -> int:
    """An argument that is the id of an instance."""
    return whole(text, most=LARGEST_ID)


def whole(text: str, *, most: int) -> int:
    """An argument that is a whole number, from 1 up to that."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most:,}")
    return number


def step(text: str) -> int:
    """An argument that is the number of a step."""
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not the number of a step, such as 20") from None


def seconds(text: str, *, least: float = 0.0) -> float:
    """An argument that is a time: more than 0 seconds, no less than `least`, and no more than some thirty years."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (0 < number <= MOST_SECONDS and number >= least):
        above = f"from {least:g} up" if least else "above 0"
        raise ArgumentTypeError(f"{text!r} is not a number of seconds {above}, and up to {MOST_SECONDS:,}")
    return number

"""What all commands share: examples that are right, and errors that tell what to do, whatever is wrong around them."""

import os
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from tests.commands.outcome import refused
from tests.conftest import Manage

pytestmark = pytest.mark.slow

ARGUMENTS = {
    "startprocess": ["P"],
    "approve": ["P", "A"],
    "runengine": ["--once"],
    "checkprocess": [],
    "signalprocess": ["S"],
    "manageprocess": ["cancel", "1"],
    "purgehistory": ["--older-than", "90d"],
    "resignsnapshots": [],
    "afterrestore": [],
}


def test_every_command_is_tried_here() -> None:
    assert set(ARGUMENTS) == {name for name, app in get_commands().items() if app == "workflow"}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_examples_of_its_help_can_be_given(name: str, manage: Manage) -> None:
    done = manage(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    examples = done.stdout.partition("\nexamples:\n")[2].splitlines()
    assert examples
    parser = load_command_class("workflow", name).create_parser("manage.py", name)
    for example in examples:
        program, command, *arguments = shlex.split(example, comments=True)
        assert (program, command) == ("manage.py", name)
        parser.parse_args(arguments)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_database_without_our_tables_is_to_be_migrated(name: str, manage: Manage) -> None:
    # The tests' own database has another name; under this one, nothing was ever made.
    message = refused(manage(name, *ARGUMENTS[name], DATABASE_URL=os.environ["DATABASE_URL"]))
    assert message.startswith("The database is not up to date (")
    assert message.endswith("). Run manage.py migrate first.")


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_database_that_is_not_there_is_told(name: str, manage: Manage) -> None:
    message = refused(manage(name, *ARGUMENTS[name], DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing"))
    assert message.startswith("The database can't be used: ")


def test_a_database_file_that_can_not_be_opened_is_told(manage: Manage, tmp_path: Path) -> None:
    message = refused(manage("checkprocess", DATABASE_URL=f"sqlite:///{tmp_path}/no/such/folder/db.sqlite3"))
    assert message == "The database can't be used: unable to open database file"


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ('{"RUNNER": "monty"}', "Make it 'sandbox' or 'trusted'."),
        ('{"LEAS": 4}', "Did you mean 'LEASE'?"),
        ('{"LEASE": "x"}', "Make it a number of seconds from 0.5 up, and up to 999,999,999."),
    ],
)
def test_wrong_settings_are_told_before_anything_is_done(given: str, hint: str, manage: Manage) -> None:
    done = manage("runengine", "--once", WORKFLOW=given)
    assert done.returncode == 1
    assert f"HINT: {hint}" in done.stderr
    assert "Traceback" not in done.stderr
    assert "started" not in done.stderr


def test_text_that_is_none_is_told(manage: Manage) -> None:
    assert refused(manage("startprocess", "caf\udce9")) == r"'caf\udce9' is not text in UTF-8."


def read_by_nobody(start_command: Callable[..., Any], *arguments: str, **variables: str) -> tuple[int, str]:
    """The exit code and the complaints of a command whose output goes into a pipe that is closed at the other end."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output, TemporaryFile("w+") as errors:
        child = start_command(arguments, variables, output=output.fileno(), errors=errors.fileno())
        child.wait(60)
        errors.seek(0)
        return child.returncode, errors.read()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("name", ["approve", "checkprocess"])
def test_it_ends_quietly_where_nobody_reads_on(name: str, unbuffered: str, start_command: Callable[..., Any]) -> None:
    ended = read_by_nobody(start_command, name, PYTHONUNBUFFERED=unbuffered)
    assert ended == (128 + signal.SIGPIPE, "")


def test_its_help_ends_quietly_where_nobody_reads_on(start_command: Callable[..., Any]) -> None:
    ended = read_by_nobody(start_command, "approve", "--help", PYTHONUNBUFFERED="")
    assert ended == (128 + signal.SIGPIPE, "")

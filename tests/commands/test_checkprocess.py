"""`checkprocess`, as a shell runs it."""

import pytest

from tests.build import code, manual, process
from tests.commands.outcome import printed, refused
from tests.conftest import Manage
from workflow.models import Process

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _processes(transactional_db: None) -> None:
    process("Good", {"A": code("1")}, (1, "A"))
    process("Odd", {"A": code("1"), "Unused": code("2")}, (1, "A"))
    process("Bad", {"A": code("1 +"), "B": manual("nobody")}, (1, "A"), (2, "B"))


def test_warnings_are_shown_and_are_no_errors(manage: Manage) -> None:
    assert printed(manage("checkprocess", "Odd", "Good")) == [
        "Odd:",
        "  warning: Task 'Unused': This task is at no step, so it never runs. Add a transition for it, or delete it.",
        "Good: no findings",
    ]


def test_without_a_name_all_are_checked_and_errors_end_with_1(manage: Manage) -> None:
    done = manage("checkprocess")
    assert (done.returncode, done.stderr) == (1, "CommandError: 2 errors found.\n")
    assert done.stdout.splitlines() == [
        "Bad:",
        "  error: Task 'A', code line 1, column 4: Expected an expression.",
        "  error: Task 'B': There is no active user and no group 'nobody'. Give user names and groups, "
        'separated by commas, or an expression such as =data["manager"].',
        "Good: no findings",
        "Odd:",
        "  warning: Task 'Unused': This task is at no step, so it never runs. Add a transition for it, or delete it.",
    ]


def test_an_unknown_name_is_told_with_near_ones_before_anything_is_checked(manage: Manage) -> None:
    assert refused(manage("checkprocess", "Good", "Bat")) == "There is no process 'Bat'. Did you mean 'Bad'?"


def test_where_nothing_is_defined_it_says_so(manage: Manage) -> None:
    Process.objects.all().delete()
    assert printed(manage("checkprocess")) == ["No process is defined yet."]

"""`checkprocess`, as a shell runs it."""

import pytest
from django.utils import timezone

from tests.build import code, manual, process
from tests.commands.outcome import printed, refused
from tests.conftest import Manage
from workflow import operations
from workflow.models import Process, ProcessVersion, RunningProcesses

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


class TestRunning:
    """What is under way, by versions that nobody edits any more."""

    @pytest.fixture(autouse=True)
    def _versions(self, transactional_db: None) -> None:
        made = process("Long", {"A": code("note('a')")}, (1, "A"))
        for _ in range(2):
            operations.start("Long")
        self.change(made, "note('b')")
        operations.start("Long")
        self.change(made, "1 +")  # the draft is not looked at
        ended = operations.start("Good")
        RunningProcesses.objects.filter(pk=ended.pk).update(state="FINISHED", due_at=None, ended_at=timezone.now())

    def change(self, made: Process, text: str) -> None:
        made.tasks.update(code=text)

    def test_each_version_is_checked_that_unfinished_instances_use(self, manage: Manage) -> None:
        assert printed(manage("checkprocess", "--running")) == [
            "Long v2 (1 unfinished): no findings",
            "Long v1 (2 unfinished): no findings",
        ]

    def test_what_it_calls_that_is_gone_ends_with_1(self, manage: Manage) -> None:
        first = ProcessVersion.objects.get(name="Long", number=1)
        first.definition["tasks"][0]["code"] = "gone('a')"
        first.save()
        done = manage("checkprocess", "Long", "--running")
        assert (done.returncode, done.stderr) == (1, "CommandError: 1 error found.\n")
        assert done.stdout.splitlines()[:2] == [
            "Long v2 (1 unfinished): no findings",
            "Long v1 (2 unfinished):",
        ]
        assert "error: Task 'A', code line 1, column 1: There is no 'gone'" in done.stdout

    def test_so_does_what_only_newer_software_reads(self, manage: Manage) -> None:
        ProcessVersion.objects.filter(name="Long", number=1).update(
            definition={"name": "Long", "tasks": [], "rows": [], "format": 2}
        )
        done = manage("checkprocess", "--running", "Long")
        assert done.returncode == 1
        assert "  error: The definition of 'Long' has format 2; this software reads formats up to 1." in done.stdout

    def test_a_name_is_one_of_a_process_or_of_what_is_under_way(self, manage: Manage) -> None:
        assert printed(manage("checkprocess", "--running", "Good")) == ["No instance is unfinished."]
        assert refused(manage("checkprocess", "--running", "Lond")).startswith(
            "There is no process 'Lond'. Did you mean 'Lon"
        )
        RunningProcesses.objects.update(process=None)
        Process.objects.filter(name="Long").delete()
        assert len(printed(manage("checkprocess", "--running", "Long"))) == 2

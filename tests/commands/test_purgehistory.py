"""`purgehistory`."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.signals import pre_delete
from django.utils import timezone

from tests.app.models import Receipt
from tests.build import code, process, run_until_idle
from tests.commands.outcome import printed, refused
from workflow import operations
from workflow.models import RunningProcesses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def old() -> list[RunningProcesses]:
    """Five that ended two days ago, one of them failed."""
    process("P", {"A": code("1 / data['by']")}, (1, "A"))
    instances = [operations.start("P", {"by": by}) for by in (0, 1, 2, 3, 4)]
    run_until_idle()
    RunningProcesses.objects.update(ended_at=timezone.now() - timedelta(days=2))
    return instances


def test_it_says_how_many_it_has_deleted(manage: Any, old: list[RunningProcesses]) -> None:
    assert printed(manage("purgehistory", "--older-than", "1d", "--dry-run")) == ["Would delete 4 instances."]
    assert printed(manage("purgehistory", "--older-than", "3d")) == ["Deleted 0 instances."]
    assert printed(manage("purgehistory", "--older-than", "1d")) == ["Deleted 4 instances."]
    assert printed(manage("purgehistory", "--older-than", "1d", "--states", "cancelled, failed")) == [
        "Deleted 1 instance."
    ]
    assert not RunningProcesses.objects.exists()


def test_it_names_what_the_project_protects(manage: Any, old: list[RunningProcesses]) -> None:
    Receipt.objects.create(instance=old[-1])
    done = manage("purgehistory", "--older-than", "1d")
    assert (done.returncode, done.stdout) == (0, "Deleted 3 instances.\n")
    assert done.stderr == "Rows of the project protect 1 instance, which stayed.\n"


def test_an_interrupted_one_says_how_much_is_done_and_another_goes_on(old: list[RunningProcesses]) -> None:
    third = old[3].pk

    def interrupt(instance: RunningProcesses, **_: Any) -> None:
        if instance.pk == third:
            raise KeyboardInterrupt

    out, arguments = StringIO(), ("purgehistory", "--older-than", "1d", "--batch", "1")
    pre_delete.connect(interrupt, sender=RunningProcesses)
    try:
        with pytest.raises(CommandError, match=r"Interrupted\. Run it again to go on\.") as told:
            call_command(*arguments, stdout=out)
    finally:
        pre_delete.disconnect(interrupt, sender=RunningProcesses)
    assert (told.value.returncode, out.getvalue()) == (130, "Deleted 2 instances.\n")
    out.truncate(out.seek(0))
    call_command(*arguments, stdout=out)
    assert out.getvalue() == "Deleted 2 instances.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: --older-than"),
        (["--older-than", "90"], "argument --older-than: 90 of what? Write 90d for days, 90h, 90m (minutes) or 90s."),
        (["--older-than=-1d"], "argument --older-than: '-1d' is no time span: write one such as 3d, 1d 12h or 90m."),
        (
            ["--older-than", "1d", "--states", "COMPLETED"],
            "There is no state 'COMPLETED'; instances end as FINISHED, REJECTED, FAILED, CANCELLED.",
        ),
        (
            ["--older-than", "1d", "--states", "failed,waiting"],
            "An instance that is WAITING has not ended; instances end as FINISHED, REJECTED, FAILED, CANCELLED.",
        ),
        (["--older-than", "1d", "--states", ","], "No state is given; instances end as"),
        (["--older-than", "1d", "--batch", "0"], "argument --batch: '0' is not a whole number from 1 to 1,000,000"),
    ],
)
def test_bad_input_says_what_is_wrong_and_deletes_nothing(
    manage: Any, old: list[RunningProcesses], arguments: list[str], message: str
) -> None:
    assert refused(manage("purgehistory", *arguments)).startswith(message)
    assert RunningProcesses.objects.count() == 5

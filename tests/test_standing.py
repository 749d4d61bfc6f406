"""Where an instance stands, in operators' words and in everybody's."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.beside import *  # noqa: F403
from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.models import RunningProcesses, WaitingForApproval
from workflow.standing import standing

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "PAUSED"}, "An operator has paused it."),
        ({"state": "FINISHED"}, "It has come to its end."),
        ({"state": "REJECTED"}, "It has ended, because a task was rejected."),
        ({"state": "CANCELLED"}, "It was cancelled."),
        ({"state": "FAILED", "error": {"message": "no money"}}, "It failed: no money"),
    ],
)
def test_each_state_has_its_sentence(fields: dict[str, Any], words: str) -> None:
    assert words in standing(RunningProcesses(**fields), now=NOW)


def test_all_that_it_waits_for_is_named() -> None:
    for name in ("anna", "mark"):
        User.objects.create(username=name, is_staff=True)
    tasks = {
        "Sign": manual("anna, mark"),
        "Check": manual(),
        "Fetch": code("1 / 0", max_attempts=2, retry_delay=99),
    }
    process("P", tasks, *((10, task) for task in tasks))
    instance = operations.start("P")
    run_until_idle()
    instance.refresh_from_db()
    assert re.fullmatch(
        r"It waits for anna, mark to decide “Sign”, for a member of staff to decide “Check” and "
        r"until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d to try “Fetch” again\.",
        standing(instance, now=NOW),
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "READY", "due_at": NOW}, "Continuing shortly."),
        (
            {"state": "READY", "due_at": NOW - timedelta(minutes=1)},
            "It has been ready to continue since 2026-03-01 09:29:00, but something holds it up. An operator can see what.",
        ),
        ({"state": "RUNNING", "owner": "vm:1", "due_at": NOW}, "Running."),
        (
            {"state": "RUNNING", "owner": "vm:1", "due_at": NOW - timedelta(seconds=1)},
            "It was interrupted, and will continue from where it was.",
        ),
        ({"state": "PAUSED"}, "An operator has paused it."),
    ],
)
def test_people_who_operate_nothing_read_nothing_of_engines(fields: dict[str, Any], words: str) -> None:
    assert standing(RunningProcesses(**fields), now=NOW, for_operators=False) == words


def test_what_nobody_can_decide_is_told_to_each_in_their_words() -> None:
    User.objects.create_user("anna")
    process("P", {"Sign": manual("anna")}, (1, "Sign"))
    instance = waits("P").rpid
    ours(User).update(is_active=False)
    start = "It waits for anna to decide “Sign”. Nobody is left who can decide “Sign”: "
    assert standing(instance, now=NOW) == start + "delegate it, or have it asked again."
    assert standing(instance, now=NOW, for_operators=False) == start + "an operator has to hand it on."


def test_what_is_late_is_told() -> None:
    process("P", {"Sign": manual()}, (1, "Sign"))
    waiting = waits("P")
    ours(WaitingForApproval).filter(pk=waiting.pk).update(due_at=NOW)
    told = standing(waiting.rpid, now=NOW)
    assert told.endswith("“Sign” has been overdue since 2026-03-01 09:30:00.")
    assert "overdue" not in standing(waiting.rpid, now=NOW - timedelta(seconds=1))

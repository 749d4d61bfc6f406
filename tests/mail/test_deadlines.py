"""What people are told of deadlines: reminders, an escalation, and a decision by default, each when it comes to that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from tests.mail.steps import run, sign, waits
from tests.own import ours
from tests.people.conftest import People
from workflow import clock, operations
from workflow.models import Notice, WaitingForApproval

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DEADLINES: dict[str, Any] = {
    "due": "4h",
    "remind": "-1h, 0, 1h",
    "escalate_to": "bert",
    "escalate_after": "2h",
    "by_default": "reject",
    "by_default_after": "4h",
}


@pytest.fixture(autouse=True)
def stopped() -> Any:
    with clock.stopped(START):
        yield


def told_after(hours: float) -> list[tuple[str, str]]:
    """Beginning of the subject, and recipient, of what is sent by then since the last look."""
    mail.outbox.clear()
    clock.move(to=START + timedelta(hours=hours))
    run()
    return sorted((message.subject.split(": ")[0], *message.to) for message in mail.outbox)


def test_from_the_first_reminder_to_a_decision_by_default(people: People) -> None:
    sign("anna", **DEADLINES)
    waits("Sign")
    assert told_after(2.9) == []
    assert told_after(3) == [("Reminder", "anna@example.com")]
    assert told_after(4) == [("Overdue", "anna@example.com")]
    assert told_after(5) == [("Overdue", "anna@example.com")]
    assert told_after(6) == [("Escalated to you", "bert@example.com")]
    assert told_after(8) == [("Decided by default", "anna@example.com"), ("Decided by default", "bert@example.com")]
    assert "it was rejected by default" in mail.outbox[0].body
    assert told_after(100) == []


def test_what_is_decided_in_time_is_told_no_more(people: People) -> None:
    sign("anna", **DEADLINES)
    operations.approve(waits("Sign"), by=people.anna)
    assert told_after(100) == []


@pytest.mark.demo
def test_after_a_time_without_engines_one_is_reminded_once(people: People) -> None:
    sign("anna", due="4h", remind="-1h, 0, 1h")
    waits("Sign")
    assert told_after(50) == [("Overdue", "anna@example.com")]
    assert "was due March 2, 2026, 1 p.m. (UTC)" in mail.outbox[0].body
    assert ours(WaitingForApproval).exists()
    assert not ours(Notice).filter(due_at__isnull=False).exists()

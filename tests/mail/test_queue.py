"""What is queued for people to be told: with what it tells of, once, and for whom."""

from typing import Any

import pytest
from django.db import transaction

from tests.build import code, manual, process
from tests.mail.steps import asks, sign
from tests.own import ours
from tests.people.conftest import People
from tests.users import named
from workflow import clock, notices, operations
from workflow.models import Notice, NoticeKind, WaitingForApproval

pytestmark = pytest.mark.django_db


def queued() -> list[tuple[str, str]]:
    """Key and receiver of each notice."""
    return [(one.key, str(one.user or "")) for one in ours(Notice).order_by("pk")]


def test_what_begins_to_wait_is_told_once_for_all_whom_it_asks(people: People) -> None:
    sign()
    waiting = asks("Sign")
    assert queued() == [(f"waits:{waiting.rpid.token}:{waiting.pk}:0", "")]
    notice = ours(Notice).get(user=None)
    assert (notice.waiting, notice.task_run, notice.created_at) == (waiting, waiting.task_run, waiting.queued_at)
    notices.queue(NoticeKind.WAITS, [waiting], now=clock.now())
    assert len(queued()) == 1


def test_what_is_rolled_back_is_not_told(people: People) -> None:
    sign()
    waiting = asks("Sign")
    with transaction.atomic():
        operations.delegate(waiting, people.emil, people.carl)
        transaction.set_rollback(True)
    assert len(queued()) == 1


def test_handed_on_it_is_told_to_who_gets_it(people: People) -> None:
    sign()
    waiting = asks("Sign")
    operations.delegate(waiting, people.emil, people.carl, comment="you know it better")
    assert queued()[1:] == [(f"delegated:{waiting.rpid.token}:{waiting.pk}:1:{people.emil.pk}", "emil")]
    assert ours(Notice).get(user=people.emil).text == "carl: you know it better"


def test_resolved_again_it_is_told_anew(people: People) -> None:
    sign()
    waiting = asks("Sign")
    operations.resolve_again(waiting)
    assert queued()[1:] == [(f"waits:{waiting.rpid.token}:{waiting.pk}:1", "")]


def test_who_has_to_decide_as_they_decided_the_other_is_told(people: People) -> None:
    process(
        "Twice",
        {"One": manual("anna, bert"), "Two": manual("", same_as="One"), "End": code("1")},
        (1, "One"),
        (1, "Two"),
        (2, "End"),
    )
    one = asks("Twice", task="One")
    operations.approve(one, by=people.bert)
    two = ours(WaitingForApproval).get()
    assert queued()[2:] == [(f"waits:{two.rpid.token}:{two.pk}:0:{people.bert.pk}", "bert")]


def test_decided_by_default_is_told_to_who_was_asked(people: People) -> None:
    sign("anna, bert, managers", not_starter=True)
    waiting = asks("Sign", user=people.carl)
    named("bert").update(is_active=False)
    notices.queue(NoticeKind.DECIDED, [waiting], now=clock.now())
    assert sorted(user for _, user in queued()[1:]) == ["anna", "dora"]


def test_reminders_are_told_apart_by_their_mark(people: People) -> None:
    sign()
    waiting = asks("Sign")
    for mark in ("1", "2", "2"):
        notices.queue(NoticeKind.REMINDER, [waiting], now=clock.now(), mark=mark)
    about = f"reminder:{waiting.rpid.token}:{waiting.pk}:0"
    assert [key for key, _ in queued()[1:]] == [f"{about}:1", f"{about}:2"]


def test_where_mail_is_off_nothing_is_queued(people: People, settings: Any) -> None:
    settings.WORKFLOW = {"MAIL": False}
    sign()
    operations.delegate(asks("Sign"), people.emil, people.carl)
    assert queued() == []

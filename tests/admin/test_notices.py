"""The list of notices: what was told to whom, what was not, and why; and what people have said of how they want it."""

from typing import Any

import pytest
from django.test import Client

from tests.build import manual, process, run_until_idle
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.models import MailPreference, MailWish, Notice, NoticeKind, NoticeState, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/workflow/notice/"


@pytest.fixture
def told() -> User:
    """Anna, who has no address: a notice for all, and one for her that was dropped."""
    anna = User.objects.create_user("anna")
    process("Sign", {"Sign": manual("anna")}, (1, "Sign"))
    operations.start("Sign")
    run_until_idle()
    return anna


@pytest.fixture
def given_up(told: User) -> Notice:
    ours(Notice).filter(user=told).update(state=NoticeState.GIVEN_UP, error="<b>550</b> nobody")
    return ours(Notice).get(user=told)


def test_it_says_why_something_was_not_sent(client: Client, login: Any, told: User) -> None:
    login("view_notice", "operate_instances")
    shown = client.get(LIST).content.decode()
    assert "The user has no e-mail address that mail could be sent to." in shown
    assert "all whom the task asks" in shown
    for notice in ours(Notice).all():
        assert client.get(f"{LIST}{notice.pk}/change/").status_code == 200


def test_what_failed_is_found_and_escaped(client: Client, login: Any, given_up: Notice) -> None:
    login("view_notice", "operate_instances")
    shown = client.get(f"{LIST}?trouble=yes").content.decode()
    assert "&lt;b&gt;550&lt;/b&gt; nobody" in shown
    assert "all whom the task asks" not in shown


def test_by_the_number_of_the_instance_and_the_name_of_the_user(client: Client, login: Any, told: User) -> None:
    login("view_notice")
    number = ours(RunningProcesses).get().pk
    for query, count in ((str(number), 2), (str(number + 1), 0), ("ann", 1)):
        assert client.get(f"{LIST}?q={query}").context["cl"].result_count == count


def test_of_an_instance_that_is_gone(client: Client, login: Any, told: User) -> None:
    ours(RunningProcesses).all().delete()
    login("view_notice")
    assert client.get(LIST).status_code == 200
    assert client.get(f"{LIST}{ours(Notice).first().pk}/change/").status_code == 200


def test_nobody_edits_them(client: Client, login: Any, given_up: Notice) -> None:
    client.force_login(User.objects.create_superuser("root"))
    assert client.post(f"{LIST}{given_up.pk}/change/", {"state": "SENT"}).status_code == 403


def test_operators_have_it_tried_again(client: Client, login: Any, given_up: Notice) -> None:
    selected = {"action": "send_again", "_selected_action": [given_up.pk]}
    login("view_notice")
    client.post(LIST, selected)
    assert ours(Notice).get(user__isnull=False).state == NoticeState.GIVEN_UP
    login("view_notice", "operate_instances")
    assert "1 is tried again." in client.post(LIST, selected, follow=True).content.decode()
    assert ours(Notice).get(user__isnull=False).state == NoticeState.QUEUED


def test_who_looks_after_people_says_it_for_them(client: Client, told: User) -> None:
    client.force_login(User.objects.create_superuser("root"))
    fields = {"user": told.pk, "wish": "DIGEST", "digest_hour": 9, "language": "", "time_zone": "Mars/Olympus"}
    add = "/admin/workflow/mailpreference/add/"
    assert "There is no time zone of that name." in client.post(add, fields).content.decode()
    assert client.post(add, {**fields, "time_zone": "Europe/Vienna"}).status_code == 302
    assert ours(MailPreference).get().wish == MailWish.DIGEST
    assert ours(Notice).filter(kind=NoticeKind.DIGEST, user=told).count() == 1

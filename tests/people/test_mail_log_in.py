"""People who log in with an e-mail address: it is their name wherever a process, a command or a page names somebody."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.core.management import call_command
from django.test import Client

from tests.build import form, manual, process
from tests.mail.steps import run, waits
from tests.own import ours
from tests.users import User, give_address
from workflow import operations
from workflow.models import Decision, RunningProcesses, WaitingForApproval

ANNA, BERT, CARL = "anna.o'neill+work@example.com", "bert@example.com", "carl@sub.example.com"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _people(settings: Any) -> None:
    settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
    for name in (ANNA, BERT, CARL):
        User.objects.create_user(name)
        give_address(name, name)
    Group.objects.create(name="managers").user_set.add(user(CARL))


def user(name: str) -> Any:
    return User.objects.get_by_natural_key(name)


def test_they_are_named_told_and_decide() -> None:
    process("Sign", {"Sign": manual(f"{ANNA}, user:{BERT}, managers", not_starter=True)}, (1, "Sign"))
    waiting = waits("Sign", user=user(BERT))
    assert sorted(message.to for message in mail.outbox) == [[ANNA], [CARL]]
    operations.delegate(waiting, user(CARL), user(ANNA))
    mail.outbox.clear()
    run()
    assert [message.to for message in mail.outbox] == [[CARL]]
    call_command("approve", "Sign", "Sign", user=CARL, stdout=StringIO())
    assert ours(Decision).get().user == user(CARL)
    assert ours(RunningProcesses).get().started_by == user(BERT)


def test_an_expression_and_an_answer_name_them() -> None:
    made = process("Sign", {"Sign": manual("=data['who']")}, (1, "Sign"))
    form(made, "Sign", next={"kind": "user", "required": True})
    waiting = waits("Sign", {"who": [ANNA, CARL]})
    assert operations.may_decide(user(CARL), waiting)
    assert not operations.may_decide(user(BERT), waiting)
    operations.approve(waiting, by=user(ANNA), answers={"next": BERT})
    run()
    assert ours(RunningProcesses).get().data["next"] == BERT


def test_a_page_hands_on_to_them() -> None:
    process("Sign", {"Sign": manual(ANNA)}, (1, "Sign"))
    waiting = waits("Sign")
    client = Client()
    client.force_login(user(ANNA))
    client.post(f"/waiting/{waiting.task_run_id}/delegate/", {"to": BERT, "comment": ""})
    assert ours(WaitingForApproval).get().claimed_by == user(BERT)

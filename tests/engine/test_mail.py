"""`send_mail` in code."""

from typing import Any

import pytest
from django.core import mail
from django.test import override_settings

from config.mail import mail_settings
from tests.build import code, process, run_until_idle
from workflow import operations
from workflow.code.check import check_code
from workflow.code.mail import SWITCHED_OFF
from workflow.models import ActionCall, InstanceState, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)


def ended(text: str, **fields: Any) -> RunningProcesses:
    process("P", {"A": code(text, **fields)}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    instance.refresh_from_db()
    return instance


def test_it_sends_and_is_in_the_ledger() -> None:
    instance = ended("data['sent'] = send_mail('Hello', 'It is done.', ['anna@example.com', 'bert@example.com'])")
    assert (instance.state, instance.data) == (InstanceState.FINISHED, {"sent": 1})
    (message,) = mail.outbox
    assert (message.subject, message.body, message.to) == (
        "Hello",
        "It is done.",
        ["anna@example.com", "bert@example.com"],
    )
    call = ActionCall.objects.get()
    assert (call.name, call.result) == ("send_mail", 1)
    run = instance.task_runs.get()
    assert run.key.startswith(instance.token)
    assert message.extra_headers["Message-ID"] == f"<workflow-{run.key}-1@localhost>"


def test_one_recipient_needs_no_list() -> None:
    assert ended("send_mail('a', 'b', recipients='anna@example.com')").state == InstanceState.FINISHED
    assert mail.outbox[0].to == ["anna@example.com"]


@pytest.mark.parametrize("recipients", ["[]", "'anna'", "['anna@example.com', '']"])
def test_what_is_no_address_is_an_error_in_the_code(recipients: str) -> None:
    instance = ended(f"send_mail('a', 'b', {recipients})")
    assert (instance.state, instance.error["type"]) == (InstanceState.FAILED, "ValueError")
    assert instance.error["message"].startswith("send_mail() takes the addresses of its recipients")
    assert not mail.outbox


def test_a_server_that_fails_is_an_error_in_the_code_which_a_retry_can_mend(settings: Any) -> None:
    for name, value in mail_settings("smtp://127.0.0.1:9").items():
        setattr(settings, name, value)
    text = "try:\n    send_mail('a', 'b', 'anna@example.com')\nexcept OSError as e:\n    data['error'] = 'down'"
    assert ended(text).data == {"error": "down"}


class TestSwitchedOff:
    @pytest.fixture(autouse=True)
    def _off(self, settings: Any) -> None:
        settings.WORKFLOW = {"SEND_MAIL": False}

    def test_nothing_is_sent_and_code_is_told_why(self) -> None:
        process("P", {"A": code("send_mail('a', 'b', 'anna@example.com')")}, (1, "A"))
        with override_settings(WORKFLOW={}):  # it was started before
            instance = operations.start("P")
        run_until_idle()
        instance.refresh_from_db()
        assert instance.state == InstanceState.FAILED
        assert (instance.error["type"], instance.error["message"]) == ("PermissionError", SWITCHED_OFF)
        assert mail.outbox == []

    def test_a_draft_that_calls_it_has_a_mistake(self) -> None:
        (problem,) = check_code("n = 1\nsend_mail('a', 'b', 'anna@example.com')")
        assert (problem.line, problem.message) == (2, SWITCHED_OFF)
        (other,) = check_code("send_male()")
        assert other.message.startswith("There is no 'send_male' here")

"""The page on which operators step in."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.build import code, manual, process, run_until_idle
from tests.own import ours
from workflow import operations
from workflow.models import Intervention, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failed() -> RunningProcesses:
    process("P", {"A": code("look_up('x')\nfail_first(1)\n1")}, (10, "A"))
    operations.start("P")
    run_until_idle()
    return ours(RunningProcesses).get()


def address(instance: RunningProcesses) -> str:
    return f"/admin/workflow/runningprocesses/{instance.pk}/step-in/"


@pytest.fixture
def operator(client: Client, django_user_model: Any) -> Any:
    user = django_user_model.objects.create_superuser("olga")
    client.force_login(user)
    return user


@pytest.mark.usefixtures("operator")
def test_it_shows_what_has_happened_and_offers_what_is_possible(client: Client, failed: RunningProcesses) -> None:
    assert address(failed) in client.get(f"/admin/workflow/runningprocesses/{failed.pk}/change/").content.decode()
    response = client.get(address(failed))
    assert [value for value, _ in response.context["form"].fields["action"].choices] == [
        "retry",
        "restart",
        "skip",
        "goto",
    ]
    # As done, and in each plan: to retry, to restart, and to go to the step again.
    assert response.content.decode().count("fail_first(1) -&gt; OSError: ConnectionError: not yet") == 4
    failed.refresh_from_db()
    assert failed.state == "FAILED", "a GET changes nothing"


def test_it_does_it_and_keeps_who_and_why(client: Client, operator: Any, failed: RunningProcesses) -> None:
    response = client.post(address(failed), {"action": "skip", "result": '{"ok": 1}', "reason": "by hand"})
    assert response.status_code == 302
    kept = ours(Intervention).get()
    assert (kept.action, kept.by, kept.reason) == ("skip", operator, "by hand")
    run_until_idle()
    failed.refresh_from_db()
    assert (failed.state, failed.results) == ("FINISHED", {"A": {"ok": 1}})
    page = client.get(response.url).content.decode()
    assert "by hand" in page
    assert "Step in" not in page


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "goto"}, "goto needs one of the steps of P v1: 10; not None."),
        ({"action": "cancel"}, "Select a valid choice"),
        ({"action": "skip", "result": "{"}, "This is not JSON"),
        ({}, "This field is required"),
    ],
)
def test_what_is_not_right_is_said_and_changes_nothing(
    client: Client, failed: RunningProcesses, fields: dict[str, str], message: str
) -> None:
    response = client.post(address(failed), fields)
    assert message in response.content.decode()
    failed.refresh_from_db()
    assert failed.state == "FAILED"


def test_it_takes_its_permission(client: Client, login: Any, failed: RunningProcesses) -> None:
    login("view_runningprocesses")
    assert client.post(address(failed), {"action": "retry"}).status_code == 403
    assert address(failed) not in client.get(f"/admin/workflow/runningprocesses/{failed.pk}/change/").content.decode()


class TestWhatNobodyHasDecided:
    """To go past it takes a right of its own, and a reason."""

    @pytest.fixture
    def waiting(self) -> RunningProcesses:
        process("Q", {"Sign": manual(), "End": code("1")}, (10, "Sign"), (20, "End"))
        instance = operations.start("Q")
        run_until_idle()
        instance.refresh_from_db()
        return instance

    def test_the_page_says_what_is_passed_over(self, client: Client, login: Any, waiting: RunningProcesses) -> None:
        login("operate_instances", "view_runningprocesses")
        page = client.get(address(waiting))
        assert page.context["form"].fields["step"].choices == [
            ("", "-"),
            (10, "10, passing over 'Sign'"),
            (20, "20, passing over 'Sign'"),
        ]
        refused = client.post(address(waiting), {"action": "goto", "step": "20", "reason": "urgent"})
        assert "may not pass over &#x27;Sign&#x27;" in refused.content.decode()
        waiting.refresh_from_db()
        assert waiting.state == "WAITING"

    @pytest.mark.parametrize("query", ["?to=20", "?action=goto&to=20"])
    def test_a_link_says_to_which_step(self, client: Client, login: Any, waiting: RunningProcesses, query: str) -> None:
        login("operate_instances", "view_runningprocesses")
        page = client.get(address(waiting) + query).content.decode()
        assert re.search(r'value="goto"[^>]*checked', page)
        assert re.search(r'<option value="20" selected>', page)
        for odd in ("?to=30", "?to=x", "?to=", "?to=%00", "?action=cancel"):
            page = client.get(address(waiting) + odd).content.decode()
            assert not re.search(r'<option value="[12]0" selected>', page)

    def test_who_may_gives_a_reason(self, client: Client, login: Any, waiting: RunningProcesses) -> None:
        login("operate_instances", "view_runningprocesses", "override_decision")
        refused = client.post(address(waiting), {"action": "goto", "step": "20", "reason": " "})
        assert "which nobody has decided. Give a reason." in refused.content.decode()
        assert client.post(address(waiting), {"action": "goto", "step": "20", "reason": "on paper"}).status_code == 302
        assert ours(Intervention).get().details == "step 20, passing over 'Sign'"
        page = client.get(f"/admin/workflow/runningprocesses/{waiting.pk}/change/").content.decode()
        assert "passing over &#x27;Sign&#x27;" in page

    def test_that_a_skip_passes_over_it(self, client: Client, login: Any) -> None:
        process("R", {"Sign": manual("=data['who']")}, (10, "Sign"))
        instance = operations.start("R")
        run_until_idle()
        login("operate_instances", "view_runningprocesses")
        assert (
            "Skipping passes over tasks that nobody has decided: Sign."
            in client.get(address(instance)).content.decode()
        )


def test_nobody_steps_in_to_what_they_have_started(client: Client, login: Any, failed: RunningProcesses) -> None:
    user = login("operate_instances", "view_runningprocesses")
    ours(RunningProcesses).update(started_by=user)
    for response in (client.get(address(failed)), client.post(address(failed), {"action": "retry"})):
        assert response.status_code == 403
        assert "Only a superuser may operate on an instance of their own" in response.content.decode()
    assert address(failed) not in client.get(f"/admin/workflow/runningprocesses/{failed.pk}/change/").content.decode()
    failed.refresh_from_db()
    assert failed.state == "FAILED"
    assert not ours(Intervention).exists()

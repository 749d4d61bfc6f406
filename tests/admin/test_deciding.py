"""Approving and rejecting in the admin: asked for a comment first, each by itself, and only by who may."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.admin.conftest import VIEW, Login
from tests.admin.pages import messages, text
from tests.build import code, manual, process, run_until_idle
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.models import RunState, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/workflow/waitingforapproval/"


@pytest.fixture
def runs() -> list[int]:
    """Three tasks that wait for Olga."""
    User.objects.create_user("olga", is_staff=True)
    process("Sign", {"Sign": manual("olga")}, (10, "Sign"))
    operations.start_many(["Sign"], {"amount": 7}, count=3)
    run_until_idle()
    return list(ours(TaskRun).order_by("pk").values_list("pk", flat=True))


def address(verb: str, runs: list[int]) -> str:
    return f"{LIST}{verb}/?" + "&".join(f"run={run}" for run in runs)


def sent(comment: str = "") -> dict[str, Any]:
    """What the page sends that shows all that waits now."""
    shown = {one.pk: operations.seen_token(one) for one in ours(WaitingForApproval).all()}
    return {"comment": comment, "waiting": list(shown), **{f"seen-{key}": token for key, token in shown.items()}}


def states() -> list[str]:
    return list(ours(TaskRun).order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize(("verb", "title"), [("approve", "Approve"), ("reject", "Reject")])
def test_an_action_of_the_list_leads_to_the_question(
    client: Client, login: Login, runs: list[int], verb: str, title: str
) -> None:
    login(*VIEW)
    keys = list(ours(WaitingForApproval).values_list("pk", flat=True))
    response = client.post(LIST, {"action": f"{verb}_selected", "_selected_action": keys})
    start, *given = response.url.replace("?", "&").split("&")  # in the list's order, which is that of queueing
    assert (start, sorted(given)) == (f"{LIST}{verb}/", sorted(f"run={run}" for run in runs))
    page = text(client.get(response.url))
    assert f"These tasks will be {verb}" in page
    assert page.count("waits for olga since") == 3
    assert states() == [RunState.WAITING] * 3, "a GET decides nothing"


@pytest.mark.parametrize(
    ("verb", "state", "told"),
    [("approve", "FINISHED", "3 tasks were approved."), ("reject", "REJECTED", "3 tasks were rejected.")],
)
def test_all_are_decided_with_the_comment(
    client: Client, login: Login, runs: list[int], verb: str, state: str, told: str
) -> None:
    user = login(*VIEW)
    response = client.post(address(verb, runs), sent("fine"), follow=True)
    assert messages(response) == [told]
    assert {(run.state, run.decided_by, run.comment) for run in ours(TaskRun).all()} == {(state, user, "fine")}


def test_who_may_not_decide_is_told_and_nothing_changes(client: Client, login: Login, runs: list[int]) -> None:
    login(*VIEW, name="paul")
    page = text(client.get(address("approve", runs)))
    assert "These wait for others, and you can't decide them" in page
    assert "Nothing was chosen that you can decide." in page
    response = client.post(address("approve", runs), sent(), follow=True)
    assert len(messages(response)) == 3
    assert messages(response)[0].startswith("paul may not decide 'Sign' of instance")
    assert states() == [RunState.WAITING] * 3


def test_what_somebody_else_was_quicker_with_holds_up_nothing(client: Client, login: Login, runs: list[int]) -> None:
    login(*VIEW)
    quicker = User.objects.create_superuser("anna")
    assert client.get(address("approve", runs)).status_code == 200
    operations.reject(ours(WaitingForApproval).get(task_run=runs[1]), by=quicker)
    assert "anna rejected 'Sign' of instance" in text(client.get(address("approve", runs)))
    response = client.post(address("approve", runs), sent(), follow=True)
    told = messages(response)
    assert told[0].startswith("anna rejected 'Sign' of instance")
    assert told[1] == "2 tasks were approved."
    assert states() == [RunState.FINISHED, RunState.REJECTED, RunState.FINISHED]


def test_a_member_of_the_group_decides(client: Client, login: Login) -> None:
    Group.objects.create(name="managers")
    process("Sign", {"Sign": manual("managers")}, (10, "Sign"))
    operations.start("Sign")
    run_until_idle()
    user = login(*VIEW, name="mark")
    runs = [ours(TaskRun).get().pk]
    assert "Nothing was chosen that you can decide." in text(client.get(address("approve", runs)))
    user.groups.add(Group.objects.get(name="managers"))
    client.post(address("approve", runs), sent())
    assert ours(TaskRun).get().decided_by == user


def test_who_may_not_see_what_waits_may_not_decide_it_here(client: Client, login: Login, runs: list[int]) -> None:
    login()
    assert client.get(address("approve", runs)).status_code == 403
    assert client.post(address("approve", runs), sent()).status_code == 403
    assert states() == [RunState.WAITING] * 3


def test_nobody_decides_without_logging_in(client: Client, runs: list[int]) -> None:
    response = client.post(address("approve", runs), sent())
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")
    assert states() == [RunState.WAITING] * 3


@pytest.mark.parametrize("query", ["", "run=", "run=x", "run=999999", "run=1%27", "run=99999999999999999999999"])
def test_nonsense_decides_nothing(client: Client, login: Login, runs: list[int], query: str) -> None:
    login(*VIEW)
    assert "Nothing was chosen that you can decide." in text(client.get(f"{LIST}approve/?{query}"))
    assert client.post(f"{LIST}approve/?{query}", sent()).status_code == 302
    assert states() == [RunState.WAITING] * 3


def test_instance_and_waiting_pages_offer_the_decision_to_whom_it_is_for(
    client: Client, login: Login, runs: list[int]
) -> None:
    waiting = ours(WaitingForApproval).first()
    pages = [f"/admin/workflow/runningprocesses/{waiting.rpid_id}/change/", f"{LIST}{waiting.pk}/change/"]
    approve, reject = address("approve", [waiting.task_run_id]), address("reject", [waiting.task_run_id])
    login(*VIEW)
    for page in pages:
        shown = client.get(page).content.decode()
        assert approve in shown
        assert reject in shown
    login(*VIEW, name="paul")
    for page in pages:
        assert "approve/?run" not in client.get(page).content.decode()


def test_a_comment_that_is_too_long_is_told_and_kept(client: Client, login: Login, runs: list[int]) -> None:
    login(*VIEW)
    response: Any = client.post(address("approve", runs), sent("x" * 2001))
    assert "Ensure this value has at most 2000 characters" in text(response)
    assert states() == [RunState.WAITING] * 3


def test_a_question_that_was_not_shown_is_not_decided(client: Client, login: Login) -> None:
    login(*VIEW)
    process("Ask", {"Ask": code('approval("olga", "One?")\napproval("olga", "Two?")')}, (10, "Ask"))
    operations.start("Ask")
    run_until_idle()
    runs = [ours(TaskRun).get().pk]
    page = client.get(address("approve", runs))
    assert "“One?”" in text(page)
    first = sent()
    assert f'name="waiting" value="{first["waiting"][0]}"' in page.content.decode()
    operations.reject(ours(WaitingForApproval).get())
    run_until_idle()
    assert ours(WaitingForApproval).get().question == "Two?"
    response = client.post(address("approve", runs), first, follow=True)
    assert messages(response) == ["Ask: Ask asks something else now: look at that first."]
    assert ours(WaitingForApproval).get().question == "Two?"
    client.post(address("approve", runs), sent())
    assert not ours(WaitingForApproval).exists()

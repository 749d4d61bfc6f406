"""On whatever page somebody decides, they decide what they have looked at: each page sends a token of it along."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.test import Client

from tests.build import form, manual, process, waits
from tests.own import ours
from tests.users import User, user_named
from tests.views.pages import fields
from tests.views.who import client_of
from workflow import operations
from workflow.mail import links
from workflow.models import Decision, RunningProcesses, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


class Way(NamedTuple):
    """A page on which one decides: its address, what a browser sends there, and in which field the token is."""

    path: str
    sent: dict[str, Any]
    token: str


def _page(client: Client, waiting: WaitingForApproval) -> Way:
    path = f"/waiting/{waiting.task_run_id}/"
    return Way(path, {"decision": "approve", "seen": fields(client.get(path), "seen")[0]}, "seen")


def _link(client: Client, waiting: WaitingForApproval) -> Way:
    path = f"/decide/{links.token(User.objects.get(**{User.USERNAME_FIELD: 'olga'}), waiting)}/"
    return Way(path, {"decision": "approve", "seen": fields(client.get(path), "seen")[0]}, "seen")


def _several(client: Client, waiting: WaitingForApproval) -> Way:
    (key,) = [key for key, run in _listed(client) if run == waiting.task_run_id]
    return Way("/inbox/decide/", {"decision": "approve", "task": key}, "task")


def _listed(client: Client) -> Iterator[tuple[str, int]]:
    page = client.get("/")
    runs = re.findall(r'href="/waiting/(\d+)/"', page.content.decode())
    return zip(fields(page, "task"), map(int, dict.fromkeys(runs)), strict=True)


def _admin(verb: str) -> Callable[[Client, WaitingForApproval], Way]:
    def way(client: Client, waiting: WaitingForApproval) -> Way:
        path = f"/admin/workflow/waitingforapproval/{verb}/?run={waiting.task_run_id}"
        token = f"seen-{waiting.pk}"
        sent = {"waiting": waiting.pk, token: fields(client.get(path), token)[0], "comment": ""}
        return Way(path, sent, token)

    return way


WAYS = {
    "page": _page,
    "link": _link,
    "several": _several,
    "admin, approve": _admin("approve"),
    "admin, reject": _admin("reject"),
}


@pytest.fixture
def two() -> tuple[WaitingForApproval, WaitingForApproval]:
    """Two alike, that wait for Olga."""
    User.objects.create_superuser("olga")
    form(process("Claim", {"Sign": manual("olga")}, (1, "Sign")), None, amount="number")
    first, second = (waits("Claim", {"amount": amount, "rest": 1}) for amount in (7, 8))
    return first, second


@pytest.mark.parametrize("name", WAYS)
class TestEachWay:
    def test_with_its_token_it_decides(self, two: tuple[WaitingForApproval, ...], name: str) -> None:
        client = client_of(user_named("olga"))
        way = WAYS[name](client, two[0])
        assert client.post(way.path, way.sent).status_code in {200, 302}
        assert [vote.task_run_id for vote in ours(Decision).all()] == [two[0].task_run_id]

    @pytest.mark.parametrize("forged", ["", "x", "x:y", "ü:ü:ü", "\0", "of the other", "cut"])
    def test_with_another_it_does_not(self, two: tuple[WaitingForApproval, ...], name: str, forged: str) -> None:
        client = client_of(user_named("olga"))
        way, other = (WAYS[name](client, waiting) for waiting in two)
        tokens = {"of the other": other.sent[other.token], "cut": way.sent[way.token][:-1]}
        client.post(way.path, {**way.sent, way.token: tokens.get(forged, forged)})
        decided = [vote.task_run_id for vote in ours(Decision).all()]
        assert two[0].task_run_id not in decided
        assert decided == [] or name == "several", "where the key names the task, it decides that one"

    def test_without_one_it_does_not(self, two: tuple[WaitingForApproval, ...], name: str) -> None:
        client = client_of(user_named("olga"))
        way = WAYS[name](client, two[0])
        client.post(way.path, {key: value for key, value in way.sent.items() if key != way.token})
        assert not ours(Decision).exists()

    @pytest.mark.parametrize("key", ["amount", "rest"])
    def test_nor_if_the_data_has_changed(self, two: tuple[WaitingForApproval, ...], name: str, key: str) -> None:
        client = client_of(user_named("olga"))
        way = WAYS[name](client, two[0])
        data = {**two[0].rpid.data, key: 1_000_000}
        RunningProcesses.objects.filter(pk=two[0].rpid_id).update(data=data)
        client.post(way.path, way.sent)
        assert not ours(Decision).exists()
        operations.approve(two[0])

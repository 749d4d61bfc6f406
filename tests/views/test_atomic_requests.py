"""A project in which each request is a transaction: what a request rolls back never was, and people still decide at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path

from config import urls
from tests.build import code, manual, process, run_until_idle, waits
from tests.mail.steps import run
from tests.own import ours
from tests.users import User, give_address
from tests.views.pages import address, fields
from workflow import operations
from workflow.models import Decision, Notice, RunningProcesses, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


def fails(request: HttpRequest) -> HttpResponse:
    """A view of a project that does a lot, and fails at the end."""
    operations.start("Sign", user=request.user)
    waiting = ours(WaitingForApproval).order_by("pk").first()
    operations.claim(waiting, request.user)
    operations.approve(waiting, by=request.user)
    raise RuntimeError("changed my mind")


urlpatterns = [path("fails/", fails), path("", include(urls.urlpatterns))]


@pytest.fixture(autouse=True)
def _each_request_is_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    process("Sign", {"Sign": manual("anna, bert"), "End": code("1")}, (1, "Sign"), (2, "End"))
    for name in ("anna", "bert"):
        User.objects.create_user(name)
        give_address(name, f"{name}@example.com")


def client_of(name: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get_by_natural_key(name))
    return client


def test_what_a_request_rolls_back_was_never_done_and_nobody_is_told(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    waiting = waits("Sign")
    before = (waiting.pk, ours(Notice).count())
    response = client_of("anna").get("/fails/")
    assert response.status_code == 500
    assert not ours(Decision).exists()
    assert (ours(WaitingForApproval).get(claimed_by=None).pk, ours(Notice).count()) == before
    run()
    assert sorted(message.to for message in mail.outbox) == [["anna@example.com"], ["bert@example.com"]]
    assert ours(RunningProcesses).get().state == "WAITING"


def test_what_a_request_decides_goes_on_once_it_has_ended() -> None:
    waiting = waits("Sign")
    client = client_of("anna")
    (seen,) = fields(client.get(address(waiting)), "seen")
    assert client.post(address(waiting), {"seen": seen, "decision": "approve"}).status_code == 302
    run_until_idle()
    assert ours(RunningProcesses).get().state == "FINISHED"


def at_once(*posts: Callable[[], Any]) -> list[int]:
    """The status of each of these requests, sent at the same moment."""
    barrier = Barrier(len(posts))

    def one(post: Callable[[], Any]) -> int:
        barrier.wait()
        try:
            return int(post().status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(posts)) as crowd:
        return list(crowd.map(one, posts))


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["", "claim"])
def test_of_two_requests_at_once_one_wins_and_the_other_is_told(verb: str) -> None:
    waiting, bystander = waits("Sign"), waits("Sign")
    clients = [client_of(name) for name in ("anna", "bert")]
    given = [{"seen": fields(one.get(address(waiting)), "seen")[0], "decision": "approve"} for one in clients]
    codes = at_once(
        *(partial(one.post, address(waiting, verb), data) for one, data in zip(clients, given, strict=True))
    )
    first, second = sorted(codes)
    assert first == 302
    assert second in {302, 403, 409}
    assert ours(Decision).count() == (0 if verb else 1)
    assert ours(WaitingForApproval).filter(claimed_by__isnull=False).count() == (1 if verb else 0)
    assert ours(WaitingForApproval).get(pk=bystander.pk).claimed_by is None


@pytest.mark.slow
def test_two_that_decide_the_same_in_the_admin_and_on_the_pages_do_not_wait_for_each_other() -> None:
    """Each holds its instances until its request has ended; so all must take them in one order."""
    ours(User).update(is_staff=True, is_superuser=True)
    # The older instances come to their task later, so that the order of instances is not that of their task runs.
    process("Late", {"Wait": code("wait_for('go')"), "Sign": manual("anna, bert")}, (1, "Wait"), (2, "Sign"))
    late = [operations.start("Late") for _ in range(4)]
    run_until_idle()
    operations.start_many("Sign", count=4)
    run_until_idle()
    for one in late:
        operations.signal("go", instance=one.pk)
    run_until_idle()
    runs = list(ours(WaitingForApproval).values_list("task_run", flat=True))
    people, staff = client_of("anna"), client_of("bert")
    tasks = fields(people.get("/"), "task")
    decide = "/admin/workflow/waitingforapproval/approve/?" + "&".join(f"run={run}" for run in runs)
    page = staff.get(decide)
    shown = {name: fields(page, name) for name in ("waiting", *(f"seen-{key}" for key in fields(page, "waiting")))}
    codes = at_once(
        partial(people.post, "/inbox/decide/", {"task": tasks, "decision": "approve", "comment": ""}),
        partial(staff.post, decide, {**shown, "comment": ""}),
    )
    assert codes == [302, 302]
    assert (len(runs), ours(Decision).count()) == (8, 8)
    assert not ours(WaitingForApproval).exists()

"""A link is for one person, one assignment and one question: beside others of everything, it leads there or nowhere."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import signing

from tests.build import manual, process, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import address_of, give_address, user_named
from workflow import operations
from workflow.errors import AlreadyDecided, LinkForged, LinkVoid
from workflow.mail import links
from workflow.models import RunningProcesses, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def three(people: People) -> list[WaitingForApproval]:
    """Three instances that ask the same people."""
    process("Sign", {"Sign": manual("anna, bert")}, (1, "Sign"))
    return [waits("Sign", user=people.carl) for _ in range(3)]


def test_each_opens_what_it_was_sent_for_and_to_whom(people: People, three: list[WaitingForApproval]) -> None:
    tokens = {
        (user.pk, waiting.pk): links.token(user, waiting) for user in (people.anna, people.bert) for waiting in three
    }
    for (user, waiting), token in tokens.items():
        found = links.opened(token)
        assert (found.user.pk, found.waiting.pk) == (user, waiting)


def test_what_was_decided_is_told_of_its_own_task(people: People, three: list[WaitingForApproval]) -> None:
    tokens = [links.token(people.anna, waiting) for waiting in three]
    operations.approve(three[0], by=people.anna)
    operations.reject(three[1], by=people.bert)
    for token, told in zip(tokens, ("anna approved", "bert rejected"), strict=False):
        with pytest.raises(AlreadyDecided, match=f"{told} 'Sign' of instance"):
            links.opened(token)
    assert links.opened(tokens[2]).waiting == three[2]


def test_of_an_instance_that_was_deleted_it_says_so_whatever_else_there_is(
    people: People, three: list[WaitingForApproval]
) -> None:
    token = links.token(people.anna, three[1])
    ours(RunningProcesses).filter(pk=three[1].rpid_id).delete()
    with pytest.raises(AlreadyDecided) as caught:
        links.opened(token)
    assert str(caught.value) == "What the link is about is gone: the instance was deleted. Nothing was changed."


def test_of_a_user_who_was_deleted_it_is_void(people: People, three: list[WaitingForApproval]) -> None:
    token = links.token(people.bert, three[0])
    for waiting in three:
        operations.approve(waiting, by=people.anna)
    people.bert.delete()
    with pytest.raises(LinkVoid) as caught:
        links.opened(token)
    assert str(caught.value) == (
        "The link was sent to an address that is its user's no more. Log in to see what waits for you."
    )


def test_of_an_address_that_was_given_up_it_is_void_but_not_of_the_same_in_capitals(
    people: People, three: list[WaitingForApproval]
) -> None:
    name = people.anna.get_username()
    token = links.token(people.anna, three[0])
    give_address(name, address_of(people.anna).upper())
    assert links._mailbox(user_named(name)) == hashlib.sha256(address_of(people.anna).encode()).hexdigest()[:10], (
        "as in links that were sent before an upgrade"
    )
    assert links.opened(token).waiting == three[0]
    give_address(name, "new@example.com")
    with pytest.raises(LinkVoid, match="an address that is its user's no more"):
        links.opened(token)
    give_address(name, "")
    with pytest.raises(LinkVoid, match="an address that is its user's no more"):
        links.opened(token)


def test_of_what_was_assigned_anew_it_is_void(people: People, three: list[WaitingForApproval]) -> None:
    tokens = [links.token(people.anna, waiting) for waiting in three]
    WaitingForApproval.objects.filter(pk=three[0].pk).update(assignment=three[0].assignment + 1)
    with pytest.raises(LinkVoid) as caught:
        links.opened(tokens[0])
    assert str(caught.value) == (
        f"'Sign' of instance {three[0].rpid_id} was assigned anew since the message was sent, which made its link void."
    )
    assert links.opened(tokens[1]).waiting == three[1]


def test_of_one_who_may_not_decide_it_says_why(people: People, three: list[WaitingForApproval]) -> None:
    token = links.token(people.anna, three[0])
    operations.claim(three[0], people.bert)
    with pytest.raises(LinkVoid, match="bert has claimed it, and can release it"):
        links.opened(token)


def test_another_question_with_its_key_is_not_opened(people: People, three: list[WaitingForApproval]) -> None:
    """After a restore of the database, primary keys are given anew."""
    said = signing.loads(links.token(people.anna, three[0]), salt=links.SALT)
    of_before = [*said[:-1], f"{said[-1]}0.1-0"]
    for of_another in (of_before, [said[0], 0, *said[2:-1], of_before[-1]]):
        with pytest.raises(LinkVoid) as caught:
            links.opened(signing.dumps(of_another, salt=links.SALT, compress=True))
        assert str(caught.value) == (
            "The task that the link was sent for no longer exists, because the database was restored from a backup. "
            "Log in to see what waits for you."
        )


@pytest.mark.parametrize("said", [[], ["1"], "text", None, 7, ["1", 2, 3, 4, "5", "6", "7"]])
def test_what_is_signed_but_no_link_is_refused(db: None, said: Any) -> None:
    with pytest.raises((LinkForged, LinkVoid)):
        links.opened(signing.dumps(said, salt=links.SALT, compress=True))


def test_signed_for_something_else_it_is_forged(people: People, three: list[WaitingForApproval]) -> None:
    said = signing.loads(links.token(people.anna, three[0]), salt=links.SALT)
    with pytest.raises(LinkForged):
        links.opened(signing.dumps(said, salt="workflow.other", compress=True))
    assert ours(TaskRun).filter(state="WAITING").count() == 3


def test_addresses_and_how_long_they_are_good(people: People, three: list[WaitingForApproval], settings: Any) -> None:
    waiting = three[0]
    at = f"https://workflow.example.com/decide/{links.token(people.anna, waiting)}"
    assert links.decide_address(people.anna, waiting)[: len(at) - 60] == at[:-60]
    assert links.address_of("inbox") == "https://workflow.example.com/"
    assert links.address_of("no such page") == ""
    settings.WORKFLOW = {"SITE_URL": "https://example.com/", "MAIL_LINK_DAYS": 3}
    assert links.address_of("inbox") == "https://example.com/"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert links.good_until(now) == now + timedelta(days=3)
    settings.WORKFLOW = {}
    assert links.address_of("inbox") == ""

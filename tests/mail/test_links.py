"""Deciding by the link of an e-mail: that it needs a click on a button, who may, and each refusal."""

import logging
import re
import time
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail, signing
from django.core.signing import TimestampSigner, b62_encode
from django.test import Client

from tests.build import form, manual, process
from tests.mail.steps import run, sign, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import address_of, give_address, named
from workflow import operations
from workflow.mail import links
from workflow.models import Decision, RunningProcesses, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db


def link_of(user: Any) -> str:
    """The path of the link in the newest e-mail to the user."""
    (body, *_) = [message.body for message in reversed(mail.outbox) if message.to == [address_of(user)]]
    found = re.search(r"https://workflow\.example\.com(/decide/\S+)", body)
    assert found is not None
    return found[1]


def logged_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def decide(path: str, decision: str = "approve", *, client: Client | None = None, **fields: Any) -> Any:
    """Look at the page, and press a button of it."""
    client = client or Client()
    return client.post(path, {"decision": decision, "seen": seen(client.get(path)), **fields})


def seen(response: Any) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', response.content.decode())
    assert found is not None, response.content.decode()
    return found[1]


def text(response: Any) -> str:
    return response.content.decode()


def assert_refused(response: Any, status: int, message: str) -> None:
    assert response.status_code == status, text(response)
    assert message in text(response)
    assert "no-store" in response.headers["Cache-Control"]
    assert not ours(Decision).filter(by_link=True).exists()


class TestConfirming:
    def test_to_look_at_it_decides_nothing(self, people: People) -> None:
        sign(instructions="Look at **it**: {{ data.what }}")
        waits("Sign", {"what": "<b>bold</b>"})
        for _ in range(2):
            response = Client().get(link_of(people.anna))
            assert response.status_code == 200
        assert "You decide as anna" in text(response)
        assert "Look at <strong>it</strong>: &lt;b&gt;bold&lt;/b&gt;" in text(response)
        Client().head(link_of(people.anna))
        assert not ours(Decision).exists()
        assert ours(WaitingForApproval).exists()

    @pytest.mark.parametrize("decision", ["approve", "reject"])
    def test_a_button_decides_in_the_persons_name(self, people: People, decision: str) -> None:
        sign()
        waits("Sign")
        response = decide(link_of(people.anna), decision, comment="have a good trip")
        assert response.status_code == 200
        assert f"You have {decision.removesuffix('e')}ed Sign of Sign" in text(response)
        vote = ours(Decision).get()
        assert (vote.user, vote.approved, vote.comment) == (people.anna, decision == "approve", "have a good trip")
        assert vote.by_link

    def test_with_the_tasks_form(self, people: People) -> None:
        made = sign()
        form(made, "Sign", comment={"kind": "text", "required": True}, sum="money")
        waits("Sign")
        response = decide(link_of(people.anna), comment="none", **{"answer-sum": "12.50"})
        assert response.status_code == 422
        assert "Nothing was decided yet" in text(response)
        assert not ours(Decision).exists()
        assert decide(link_of(people.anna), **{"answer-comment": "4711", "answer-sum": "12.50"}).status_code == 200
        run()
        assert ours(RunningProcesses).get().data == {"comment": "4711", "sum": Decimal("12.50")}

    def test_with_what_others_have_answered(self, people: People) -> None:
        form(sign(quorum=2), "Sign", centre="text")
        waiting = waits("Sign")
        path = link_of(people.anna)
        assert "Answered so far" not in text(Client().get(path))
        operations.approve(waiting, by=people.carl, answers={"centre": "4711"})
        page = text(Client().get(path))
        assert "Answered so far" in page
        assert "<dt>Centre</dt><dd>4711\n</dd>" in page

    def test_who_is_logged_in_as_that_person_decides_as_on_any_page(self, people: People) -> None:
        sign()
        waits("Sign")
        assert decide(link_of(people.anna), client=logged_in(people.anna)).status_code == 200
        assert not ours(Decision).get().by_link

    def test_staff_log_in_first(self, people: People) -> None:
        sign("staff")
        waits("Sign")
        path = link_of(people.staff)
        for response in (Client().get(path), Client().post(path, {"decision": "approve"})):
            assert response.status_code == 302
            assert response.url.startswith("/login/?next=/waiting/")
        assert decide(path, client=logged_in(people.staff)).status_code == 200

    def test_by_a_setting_all_log_in_first(self, people: People, settings: Any) -> None:
        sign()
        waits("Sign")
        settings.WORKFLOW = {**settings.WORKFLOW, "MAIL_LINK_LOGIN": True}
        assert Client().get(link_of(people.anna)).status_code == 302
        assert decide(link_of(people.anna), client=logged_in(people.anna)).status_code == 200

    def test_it_takes_few_queries(self, people: People, django_assert_max_num_queries: Any) -> None:
        sign()
        waits("Sign", {f"key{number}": number for number in range(200)})
        with django_assert_max_num_queries(15):
            Client().get(link_of(people.anna))

    def test_it_is_kept_by_nobody_and_told_to_no_other_site(self, people: People) -> None:
        sign()
        waits("Sign")
        headers = Client().get(link_of(people.anna)).headers
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "strict-origin")
        assert headers["X-Robots-Tag"] == "noindex, nofollow"


class TestRefusals:
    @pytest.fixture
    def path(self, people: People) -> str:
        sign()
        waits("Sign")
        return link_of(people.anna)

    def test_forged(self, people: People, path: str) -> None:
        token = path.removeprefix("/decide/").removesuffix("/")
        payload = signing.loads(token, salt=links.SALT)
        payload[0] = str(people.carl.pk)
        for forged in (token[:-1], token + "x", "nonsense", signing.dumps(payload, salt="workflow.seen")):
            response = Client().get(f"/decide/{forged}/")
            assert_refused(response, 404, "The link is not one that was sent from here")

    def test_of_an_instance_from_before_there_were_tokens_it_is_good_still(self, people: People, path: str) -> None:
        waiting = ours(WaitingForApproval).get()
        key = people.anna.pk if isinstance(people.anna.pk, int) else str(people.anna.pk)
        said = [key, waiting.pk, waiting.assignment, waiting.task_run_id, links._mailbox(people.anna)]
        old = f"/decide/{signing.dumps(said, salt=links.SALT, compress=True)}/"
        assert_refused(Client().get(old), 410, "because the database was restored from a backup")
        ours(RunningProcesses).update(token="")
        assert_refused(Client().get(path), 410, "because the database was restored from a backup")
        assert Client().get(old).status_code == 200
        waiting.refresh_from_db()
        assert signing.loads(links.token(people.anna, waiting), salt=links.SALT)[1:] == said[1:], (
            "new ones are as they were"
        )

    @pytest.mark.parametrize("said", [[], [1, 2, 3], [1, 2, 3, 4, "", "", ""], "abc", 5, None])
    def test_signed_but_senseless(self, people: People, said: Any) -> None:
        assert_refused(Client().get(f"/decide/{signing.dumps(said, salt=links.SALT)}/"), 404, "The link is not one")

    def test_expired(self, people: People, path: str) -> None:
        class Early(TimestampSigner):
            def timestamp(self) -> str:
                return b62_encode(int(time.time() - 14 * 24 * 3600 - 10))

        payload = signing.loads(path.removeprefix("/decide/").removesuffix("/"), salt=links.SALT)
        old = f"/decide/{Early(salt=links.SALT).sign_object(payload, compress=True)}/"
        assert_refused(Client().get(old), 410, "The link has expired: links are good for 14 days.")
        assert_refused(Client().post(old, {"decision": "approve"}), 410, "The link has expired")

    def test_without_the_token_against_forged_forms(self, people: People, path: str) -> None:
        strict = Client(enforce_csrf_checks=True)
        shown = strict.get(path)
        response = strict.post(path, {"decision": "approve", "seen": seen(shown)})
        assert response.status_code == 403
        assert not ours(Decision).exists()
        token = shown.context["csrf_token"]
        fields = {"decision": "approve", "seen": seen(shown), "csrfmiddlewaretoken": str(token)}
        assert strict.post(path, fields).status_code == 200

    def test_decided_already_it_says_by_whom(self, people: People, path: str) -> None:
        shown = seen(Client().get(path))
        operations.reject(ours(WaitingForApproval).get(), by=people.carl)
        for response in (Client().get(path), Client().post(path, {"decision": "approve", "seen": shown})):
            assert_refused(response, 409, "carl rejected")

    def test_twice(self, people: People, path: str) -> None:
        assert decide(path).status_code == 200
        response = Client().post(path, {"decision": "approve", "seen": "x"})
        assert response.status_code == 409
        assert "anna approved" in text(response)
        assert ours(Decision).count() == 1

    def test_ones_own_vote_of_several(self, people: People) -> None:
        process("Two", {"Sign": manual("anna, managers", quorum=2)}, (1, "Sign"))
        waits("Two")
        assert decide(link_of(people.anna)).status_code == 200
        response = Client().get(link_of(people.anna))
        assert response.status_code == 410
        assert "anna has decided" in text(response)
        assert decide(link_of(people.carl)).status_code == 200

    def test_claimed_by_somebody_else(self, people: People, path: str) -> None:
        operations.claim(ours(WaitingForApproval).get(), people.carl)
        assert_refused(Client().get(path), 410, "carl has claimed it")

    def test_handed_on_and_given_back_it_stays_void(self, people: People, path: str) -> None:
        waiting = ours(WaitingForApproval).get()
        operations.delegate(waiting, people.emil, people.anna)
        assert_refused(Client().get(path), 410, "emil has claimed it")
        operations.release(waiting, people.emil)
        assert operations.may_decide(people.anna, ours(WaitingForApproval).get())
        assert_refused(Client().get(path), 410, "was assigned anew since the message was sent")
        run()
        assert decide(link_of(people.emil)).status_code == 200

    def test_resolved_again_who_is_still_asked_gets_a_new_one(self, people: People, path: str) -> None:
        operations.resolve_again(ours(WaitingForApproval).get())
        assert_refused(Client().get(path), 410, "was assigned anew since the message was sent")
        run()
        assert link_of(people.anna) != path
        assert decide(link_of(people.anna)).status_code == 200

    def test_who_is_asked_no_more(self, people: People) -> None:
        sign_for = process("For", {"Sign": manual("=data['who']")}, (1, "Sign"))
        waiting = waits(sign_for.name, {"who": "anna"})
        path = link_of(people.anna)
        ours(RunningProcesses).update(data={"who": "bert"})
        operations.resolve_again(waiting)
        assert_refused(Client().get(path), 410, "it waits for bert")

    def test_of_one_vote_that_was_handed_on_others_links_stay_good(self, people: People) -> None:
        process("Two", {"Sign": manual("anna, managers", quorum=2)}, (1, "Sign"))
        operations.delegate(waits("Two"), people.emil, people.carl)
        assert_refused(Client().get(link_of(people.carl)), 410, "it was handed on")
        assert decide(link_of(people.anna)).status_code == 200

    def test_of_a_user_who_has_left(self, people: People, path: str) -> None:
        named("anna").update(is_active=False)
        assert_refused(Client().get(path), 410, "the user is not active")

    def test_sent_to_an_address_that_is_the_persons_no_more(self, people: People, path: str) -> None:
        give_address("anna", "anna@other.example.com")
        assert_refused(Client().get(path), 410, "The link was sent to an address")

    def test_forwarded_to_somebody_who_is_logged_in(self, people: People, path: str) -> None:
        for client in (logged_in(people.carl), logged_in(people.root)):
            assert_refused(client.get(path), 403, "The link is for anna, and you are logged in as")
            assert_refused(client.post(path, {"decision": "approve"}), 403, "The link is for anna")

    def test_of_an_instance_that_is_gone(self, people: People, path: str) -> None:
        ours(RunningProcesses).all().delete()
        assert_refused(Client().get(path), 409, "the instance was deleted")

    def test_of_data_that_has_changed_since_the_page_was_shown(self, people: People, path: str) -> None:
        shown = seen(Client().get(path))
        ours(RunningProcesses).update(data={"amount": 9})
        response = Client().post(path, {"decision": "approve", "seen": shown})
        assert_refused(response, 409, "The data of instance")
        assert "You decide as anna" in text(response), "what it is now is shown, to decide that"

    @pytest.mark.parametrize("fields", [{}, {"decision": "perhaps"}])
    def test_neither_approved_nor_rejected(self, people: People, path: str, fields: dict[str, str]) -> None:
        assert_refused(Client().post(path, fields), 422, "Say whether you approve or reject it.")

    def test_a_comment_that_is_too_long_is_not_lost(self, people: People, path: str) -> None:
        response = decide(path, comment="x" * 2001)
        assert_refused(response, 422, "The comment has 2,001 characters")
        assert "x" * 2001 in text(response)


class TestLogs:
    """Whoever has a link can decide by it: no log has one."""

    @pytest.fixture
    def path(self, people: People) -> str:
        sign()
        waits("Sign")
        return link_of(people.anna)

    def test_of_what_is_refused(self, people: People, path: str, caplog: pytest.LogCaptureFixture) -> None:
        token = path.removeprefix("/decide/").rstrip("/")
        operations.reject(ours(WaitingForApproval).get(), by=people.carl)
        with caplog.at_level("DEBUG"):
            assert Client().get(path).status_code == 409
            assert Client().get(f"/decide/{token}x/").status_code == 404
            assert Client(enforce_csrf_checks=True).post(path).status_code == 403
        told = [record.getMessage() for record in caplog.records if record.name.startswith("django.")]
        assert "Conflict: /decide/…/" in told
        assert len([text for text in told if "/decide/…" in text]) == 3
        assert token[:20] not in caplog.text

    @pytest.mark.parametrize(
        "wrong", ["/decide//{}/", "/%64ecide/{}/", "/decide/x/{}", "/decide/\x00{}/", "/Decide this: {}"]
    )
    def test_of_addresses_that_are_written_in_another_way(
        self, people: People, path: str, wrong: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        token = path.removeprefix("/decide/").rstrip("/")
        Client().get(wrong.format(token))
        logging.getLogger("django.server").warning('"%s" %s', f"GET {wrong.format(token)} HTTP/1.1", 404)
        logging.getLogger("django.server").warning('"%s" %s', f"GET {wrong.format(quote(token))} HTTP/1.1", 404)
        told = [record.getMessage() for record in caplog.records if record.name == "django.server"]
        assert [text.count("…") for text in told] == [1, 1]
        for part in token.split(":"):
            assert part not in caplog.text

    @pytest.mark.parametrize("name", ["django.server", "gunicorn.access", "uvicorn.access"])
    def test_of_servers(self, people: People, path: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
        quoted = quote(path, safe="")
        lines: list[tuple[Any, ...]] = [
            ('"%s" %s %s', f"GET {path} HTTP/1.1", "200", 17),
            ("%(h)s %(r)s %(f)s", {"h": "10.0.0.1", "r": f"GET {path} HTTP/1.1", "f": f"https://x.example.com{path}"}),
            (f"GET /login/?next={quoted} HTTP/1.1",),
        ]
        with caplog.at_level("INFO", name):
            for line in lines:
                logging.getLogger(name).info(*line)
        assert [record.getMessage() for record in caplog.records] == [
            '"GET /decide/…/ HTTP/1.1" 200 17',
            "10.0.0.1 GET /decide/…/ HTTP/1.1 https://x.example.com/decide/…/",
            "GET /login/?next=%2Fdecide%2F… HTTP/1.1",
        ]

    def test_who_has_to_log_in_does_not_take_it_along(self, people: People) -> None:
        sign("staff")
        waits("Sign")
        response = Client().get(link_of(people.staff))
        assert response["Location"] == f"/login/?next=/waiting/{ours(TaskRun).get().pk}/"

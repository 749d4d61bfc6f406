"""The page of a decision: what it shows, whom it refuses, and that nothing is decided twice or unseen."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils.timezone import localdate

from tests.build import code, form, manual, process
from tests.own import ours
from tests.users import User
from tests.views.conftest import People, Visit
from tests.views.drive import run_until_idle, waits
from tests.views.pages import address, fields, messages, press, text
from workflow import clock, operations
from workflow.models import Absence, Decision, Process, RunningProcesses, TaskRun, Upload, WaitingForApproval
from workflow.testing import Workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(people: People) -> WaitingForApproval:
    """A claim of Emil's, which waits for Anna or any manager."""
    made = process(
        "Claim",
        {"Sign": manual("anna, managers", not_starter=True, instructions="Pay **{{ data.amount }}**?")},
        (10, "Sign"),
    )
    form(made, None, amount="money", reason={"kind": "long_text", "label": "Why"}, trip="text")
    return waits("Claim", {"amount": 180, "reason": "Train\nto Lisbon", "trip": {"to": "Lisbon"}}, people.emil)


def test_it_shows_what_there_is_to_know(people: People, visit: Visit, waiting: WaitingForApproval) -> None:
    response = visit(people.anna).get(address(waiting))
    page = text(response)
    assert response.status_code == 200
    assert "Pay 180 ?" in page
    assert "Amount 180 Why Train to Lisbon Trip To Lisbon" in page
    assert "For anna, managers" in page
    assert ", by emil" in page
    assert "<svg" in response.content.decode()
    assert "Approve" in page
    assert ours(Decision).count() == 0, "a GET decides nothing"


def test_values_are_text_whatever_is_in_them(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
    form(made, None, key={"kind": "text", "label": "<b>key</b>"}, list="text")
    waiting = waits("Claim", {"key": "<script>alert(1)</script>", "list": ["<i>", {"<u>": "</dl>"}]})
    shown = visit(people.anna).get(address(waiting)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert not any(tag in shown for tag in ("<script>alert", "<b>key", "<i>", "<u>"))


def test_a_long_text_scrolls_in_its_own_place_and_a_short_one_does_not(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
    form(made, None, story="text", lines="text", short="text")
    lines = "\n".join(["Once more."] * 14)
    waiting = waits("Claim", {"story": "word " * 6_000, "lines": lines, "short": "one\ntwo"})
    shown = visit(people.anna).get(address(waiting)).content.decode()
    for label in ("Story", "Lines"):
        assert f'<div class="long-text tall" tabindex="0" role="region" aria-label="{label}">' in shown
    assert '<div class="long-text">one' in shown


def test_who_approves_is_told_and_it_goes_on(people: People, visit: Visit, waiting: WaitingForApproval) -> None:
    client = visit(people.anna)
    response = press(client, waiting, comment="have a good trip")
    assert (response.status_code, response["Location"]) == (302, "/")
    told = f'You approved <a href="{address(waiting)}">“Sign”</a> of Claim {waiting.rpid_id}.'
    assert messages(client.get("/")) == [told]
    decision = ours(Decision).get()
    assert (decision.user, decision.approved, decision.comment) == (people.anna, True, "have a good trip")
    run_until_idle()
    assert ours(RunningProcesses).get().state == "FINISHED"


def test_who_rejects_needs_no_field(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
    form(made, "Sign", account={"kind": "text", "required": True})
    waiting = waits("Claim")
    response = press(visit(people.anna), waiting, "reject", comment="no")
    assert response.status_code == 302
    assert ours(TaskRun).get().state == "REJECTED"


def test_answers_land_in_the_data(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"), (20, "Sign"))
    form(made, "Sign", account={"kind": "text", "required": True}, receipt="file")
    waiting = waits("Claim")
    receipt = SimpleUploadedFile("receipt.txt", b"180", content_type="text/plain")
    press(visit(people.anna), waiting, **{"answer-account": "4711", "answer-receipt": receipt})
    run_until_idle()
    data = ours(RunningProcesses).get().data
    upload = ours(Upload).get()
    assert data == {"account": "4711", "receipt": upload.reference}
    assert upload.instance_id == waiting.rpid_id


@pytest.mark.alone("To close a streamed answer closes the connection of its test.")
def test_what_others_have_answered_is_shown_with_who_has(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("managers", quorum=3)}, (10, "Sign"))
    form(made, "Sign", account={"kind": "text", "label": "Cost centre"}, contact="user", receipt="file")
    waiting = waits("Claim", {"amount": 180})
    mona = visit(people.mona)
    assert "Answered so far" not in text(mona.get(address(waiting)))
    receipt = SimpleUploadedFile("receipt.txt", b"180", content_type="text/plain")
    sent = {"answer-account": "<b>4711</b>", "answer-contact": "emil", "answer-receipt": receipt}
    assert press(visit(people.mark), waiting, **sent).status_code == 302

    page = mona.get(address(waiting))
    assert "Answered so far mark Cost centre <b>4711</b> Contact emil Receipt receipt.txt 3 bytes" in text(page)
    assert "<b>4711" not in page.content.decode()
    file: Any = mona.get(f"/files/{ours(Upload).get().pk}/")
    assert b"".join(file.streaming_content) == b"180"
    file.close()


def test_what_others_have_answered_to_another_question_is_not_shown(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("managers", quorum=2)}, (10, "Sign", {"then": 10}))
    form(made, "Sign", account="text")
    waiting = waits("Claim")
    for person in (people.mark, people.mona):
        press(visit(person), waiting, **{"answer-account": "4711"})
    run_until_idle()
    again = ours(WaitingForApproval).get()
    assert again.task_run_id != waiting.task_run_id
    assert "Answered so far" not in text(visit(people.mona).get(address(again)))


def test_what_is_known_already_stands_in_the_form_and_a_file_stays(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
    form(
        made, "Sign", price={"kind": "money", "required": True}, when="date", paid="yes_no", trip="text", receipt="file"
    )
    file = SimpleUploadedFile("train.pdf", b"180")
    kept = operations.keep_upload(file, by=people.emil).reference
    data = {
        "price": Decimal("12.50"),
        "when": date(2026, 3, 1),
        "paid": True,
        "trip": {"to": "Lisbon"},
        "receipt": kept,
    }
    waiting = waits("Claim", data)
    client = visit(people.anna)
    shown = client.get(address(waiting))
    assert fields(shown, "answer-price") == ["12.50"]
    assert fields(shown, "answer-when") == ["2026-03-01"]
    assert fields(shown, "answer-trip") == [""], "what is no text stands in no field"
    assert '<option value="yes" selected>' in shown.content.decode()
    assert "Leave it blank to keep train.pdf." in text(shown)
    press(client, waiting, **{"answer-price": "13", "answer-when": "", "answer-paid": "no", "answer-trip": "Rome"})
    run_until_idle()
    changed = ours(RunningProcesses).get()
    assert changed.data == {"price": Decimal(13), "when": None, "paid": False, "trip": "Rome", "receipt": kept}


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
    form(made, "Sign", account={"kind": "text", "required": True}, price="money")
    waiting = waits("Claim")
    response = press(visit(people.anna), waiting, comment="because", **{"answer-price": "cheap"})
    page = response.content.decode()
    assert response.status_code == 422
    assert 'id="id_answer-account_error"' in page
    assert 'aria-invalid="true"' in page
    assert 'aria-describedby="id_answer-account_error"' in page
    assert "Account : This is needed. Price : Give a number, such as 12 or 12.50." in text(response)
    assert 'value="cheap"' in page
    assert "because</textarea>" in page
    assert not ours(Decision).exists()


def test_one_mistake_is_told_once(people: People, visit: Visit) -> None:
    made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
    form(made, "Sign", account={"kind": "text", "required": True})
    response = press(visit(people.anna), waits("Claim"), **{"answer-account": "a\0b"})
    assert response.status_code == 422
    assert [said for _, _, said in response.context["errors"]] == ["Null characters are not allowed."]


def test_a_comment_that_is_too_long_is_refused(people: People, visit: Visit, waiting: WaitingForApproval) -> None:
    response = press(visit(people.anna), waiting, comment="x" * 2_001)
    assert response.status_code == 422
    assert not ours(Decision).exists()


class TestRefused:
    """Whom the page refuses, and how it says so."""

    def test_who_is_not_logged_in_is_asked_to(self, client: Client, waiting: WaitingForApproval) -> None:
        for response in (client.get(address(waiting)), client.post(address(waiting), {"decision": "approve"})):
            assert response["Location"] == f"/login/?next={address(waiting)}"
        assert not ours(Decision).exists()

    def test_whom_it_does_not_concern_learns_nothing(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        client = visit(people.bert)
        answers = [client.get(address(waiting)), client.post(address(waiting), {"decision": "approve"})]
        answers += [client.post(address(waiting, verb)) for verb in ("claim", "release", "delegate")]
        for response in answers:
            assert response.status_code == 404
            page = text(response)
            assert "Sign" not in page
            assert "managers" not in page
        not_there = client.get("/waiting/999999/")
        assert (not_there.status_code, text(not_there)) == (404, text(answers[0])), "nobody can tell one from the other"
        assert not ours(Decision).exists()

    def test_who_started_it_sees_it_and_may_not_decide_it(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        waiting.rpid.started_by = people.mark
        waiting.rpid.save(update_fields=["started_by"])
        operations.resolve_again(waiting)
        client = visit(people.mark)
        why = "You may not decide this: nobody decides what they have started themselves."
        page = client.get(address(waiting))
        assert page.status_code == 200
        assert why in text(page)
        assert "Your decision" not in text(page)
        sent = client.post(address(waiting), {"decision": "approve", "seen": operations.seen_token(waiting)})
        assert sent.status_code == 403
        assert why in text(sent)
        assert not ours(Decision).exists()

    def test_a_form_without_its_token_is_forged(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        client = visit(people.anna, enforce_csrf_checks=True)
        given = {"decision": "approve", "seen": operations.seen_token(waiting)}
        for path in (address(waiting), address(waiting, "claim"), "/inbox/decide/"):
            response = client.post(path, given)
            assert response.status_code == 403
            assert "Nothing was changed." in text(response)
        assert not ours(Decision).exists()
        token = fields(client.get(address(waiting)), "csrfmiddlewaretoken")[-1]
        assert client.post(address(waiting), {**given, "csrfmiddlewaretoken": token}).status_code == 302

    def test_what_somebody_else_holds_is_theirs(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        operations.claim(waiting, people.anna)
        client = visit(people.mark)
        assert "anna has claimed it, and can release it." in text(client.get(address(waiting)))
        sent = client.post(address(waiting), {"decision": "approve", "seen": operations.seen_token(waiting)})
        assert sent.status_code == 403
        assert not ours(Decision).exists()

    def test_a_file_of_who_may_not_decide_is_not_kept(self, people: People, visit: Visit) -> None:
        made = process("Claim", {"Sign": manual("anna", not_starter=True)}, (10, "Sign"))
        form(made, "Sign", receipt="file")
        waiting = waits("Claim", user=people.emil)
        receipt = SimpleUploadedFile("receipt.txt", b"180")
        given = {"decision": "approve", "answer-receipt": receipt}
        assert visit(people.emil).post(address(waiting), given).status_code == 403
        assert not ours(Upload).exists()

    def test_another_word_decides_nothing(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        for decision in ("", "perhaps"):
            assert press(visit(people.anna), waiting, decision).status_code == 400
        assert not ours(Decision).exists()

    def test_what_there_is_not(self, people: People, visit: Visit) -> None:
        client = visit(people.root)
        for key in ("1", "999999", "9" * 40):
            assert client.get(f"/waiting/{key}/").status_code == 404


class TestTooLate:
    """One wins; the other is told who, and sees what it is now."""

    @pytest.mark.demo
    def test_who_comes_second_is_told_who_was_quicker(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        (seen,) = fields(visit(people.mark).get(address(waiting)), "seen")
        operations.reject(waiting, by=people.anna, comment="too dear")
        second = visit(people.mark).post(address(waiting), {"decision": "approve", "seen": seen})
        assert second.status_code == 409
        assert "Anna Huber (anna) rejected it at" in text(second)
        assert "too dear" in text(second)
        assert ours(Decision).count() == 1

    @pytest.mark.demo
    def test_a_decided_task_says_so_to_whom_it_asked(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        operations.approve(waiting, by=people.anna)
        for user in (people.anna, people.mark, people.emil, people.root):
            response = visit(user).get(address(waiting))
            assert response.status_code == 200
            assert ("You approved it at" if user == people.anna else "Anna Huber (anna) approved it at") in text(
                response
            )
            assert "Your decision" not in text(response)
        assert visit(people.bert).get(address(waiting)).status_code == 404

    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize("sees_it_anyway", [False, True])
    def test_a_task_that_is_decided_while_the_page_is_read_says_so_too(
        self, method: str, sees_it_anyway: bool, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        """Between two queries of one request: it waits in the first, and asks nobody any more in the second."""
        if sees_it_anyway:
            ours(RunningProcesses).update(started_by=people.mark)
        is_decided = False

        def decide_before_assignees_are_read(execute: Any, sql: str, *rest: Any) -> Any:
            nonlocal is_decided
            if "workflow_assignee" in sql and not is_decided:
                is_decided = True
                operations.approve(waiting, by=people.mona)
            return execute(sql, *rest)

        client = visit(people.mark)
        with connection.execute_wrapper(decide_before_assignees_are_read):
            response = getattr(client, method)(address(waiting), {"decision": "approve", "seen": "x"})
        assert is_decided
        assert response.status_code == (200 if method == "get" else 409)
        assert "mona approved it at" in text(response)

    def test_what_is_sent_twice_counts_once(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        given = {"decision": "approve", "seen": fields(client.get(address(waiting)), "seen")[0]}
        assert client.post(address(waiting), given).status_code == 302
        again = client.post(address(waiting), given)
        assert again.status_code == 409
        assert "You approved it at" in text(again)
        assert ours(Decision).count() == 1

    def test_a_vote_of_several_that_is_sent_twice_counts_once(self, people: People, visit: Visit) -> None:
        process("Claim", {"Sign": manual("managers", quorum=2)}, (10, "Sign"))
        waiting = waits("Claim")
        client = visit(people.mark)
        assert "2 approvals are missing; one rejection decides." in text(client.get(address(waiting)))
        given = {"decision": "approve", "seen": fields(client.get(address(waiting)), "seen")[0]}
        assert client.post(address(waiting), given).status_code == 302
        again = client.post(address(waiting), given)
        assert again.status_code == 409
        assert "You have decided this already; the others are still asked." in text(again)
        assert "1 of 2 mark" in text(visit(people.mona).get(address(waiting)))
        assert ours(Decision).count() == 1

    def test_what_has_changed_since_is_looked_at_again(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        client = visit(people.anna)
        (seen,) = fields(client.get(address(waiting)), "seen")
        ours(RunningProcesses).update(data={"amount": 9_000})
        response = client.post(address(waiting), {"decision": "approve", "seen": seen, "comment": "cheap"})
        assert response.status_code == 409
        assert "has changed: amount, reason, trip. Look at it again. Nothing was changed." in text(response)
        assert "Pay 9000 ?" in text(response)
        assert "cheap</textarea>" in response.content.decode()
        assert not ours(Decision).exists()
        (fresh,) = fields(response, "seen")
        assert client.post(address(waiting), {"decision": "approve", "seen": fresh}).status_code == 302

    def test_a_page_that_does_not_say_what_it_showed_decides_nothing(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        for seen in ("", "nonsense"):
            response = visit(people.anna).post(address(waiting), {"decision": "approve", "seen": seen})
            assert response.status_code == 409
        assert not ours(Decision).exists()

    def test_a_question_of_code_that_was_not_shown_is_not_decided(self, people: People, visit: Visit) -> None:
        process("Ask", {"Ask": code('approval("anna", "One?")\napproval("anna", "Two?")')}, (10, "Ask"))
        first = waits("Ask")
        client = visit(people.anna)
        (seen,) = fields(client.get(address(first)), "seen")
        operations.reject(first)
        run_until_idle()
        response = client.post(address(first), {"decision": "approve", "seen": seen})
        assert response.status_code == 409
        assert "asks something else now" in text(response)
        assert "Two?" in text(response)
        assert ours(WaitingForApproval).get().question == "Two?"


class TestWhatWasTyped:
    """It is shown on the page that tells why nothing was done, so that nobody has to write it again."""

    def test_when_somebody_has_claimed_it_meanwhile(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        client = visit(people.anna)
        (seen,) = fields(client.get(address(waiting)), "seen")
        operations.claim(waiting, people.mark)
        given = {"seen": seen, "decision": "approve", "comment": "a <long> story", "answer-cost_centre": "4711"}
        response = client.post(address(waiting), given)
        assert response.status_code == 403
        page = response.content.decode()
        assert "What you had typed" in page
        assert "readonly>a &lt;long&gt; story</textarea>" in page
        assert "Cost centre 4711" in text(response)
        assert seen not in page

    def test_when_somebody_was_quicker(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        (seen,) = fields(client.get(address(waiting)), "seen")
        operations.approve(waiting, by=people.mark)
        response = client.post(address(waiting), {"seen": seen, "decision": "approve", "comment": "a story"})
        assert response.status_code == 409
        assert "a story</textarea>" in response.content.decode()
        assert "What you had typed" not in text(client.get(address(waiting)))


class TestHandedOn:
    """Claimed, released, handed on."""

    def test_claimed_and_released(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        response = client.post(address(waiting, "claim"), {"next": address(waiting)})
        assert response["Location"] == address(waiting)
        assert messages(client.get(address(waiting))) == [
            "You have claimed “Sign”: nobody else decides it until you release it."
        ]
        waiting.refresh_from_db()
        assert waiting.claimed_by == people.anna
        assert visit(people.mark).post(address(waiting, "claim")).status_code == 403
        assert client.post(address(waiting, "release"))["Location"] == "/"
        waiting.refresh_from_db()
        assert waiting.claimed_by is None
        assert client.post(address(waiting, "release")).status_code == 409

    def test_it_never_leads_to_another_site(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", ""):
            assert client.post(address(waiting, "claim"), {"next": elsewhere})["Location"] == "/"

    @pytest.mark.demo
    def test_handed_on_to_a_person(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        response = client.post(
            address(waiting, "delegate"), {"to": " bert ", "comment": "You know the trip"}, follow=True
        )
        assert messages(response) == ["“Sign” is handed on to bert."]
        page = text(visit(people.bert).get(address(waiting)))
        assert "Approve" in page
        assert "Anna Huber handed on 'Sign' to bert" in page
        assert "You know the trip" in page

    def test_to_nobody(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        response = client.post(address(waiting, "delegate"), {"to": "bart"}, follow=True)
        assert response.redirect_chain == [(address(waiting), 302)]
        (told,) = messages(response)
        assert told.startswith("There is no active user 'bart'. Did you mean 'bert'")
        assert text(response).count("There is no active user") == 1
        response = client.post(address(waiting, "delegate"), {"to": "xyzzy"}, follow=True)
        assert messages(response) == ["There is no active user 'xyzzy'."]
        response = client.post(address(waiting, "delegate"), {"to": "emil"}, follow=True)
        assert "nobody decides what they have started themselves" in messages(response)[0]
        waiting.refresh_from_db()
        assert waiting.claimed_by is None

    def test_a_get_hands_nothing_on(self, people: People, visit: Visit, waiting: WaitingForApproval) -> None:
        client = visit(people.anna)
        for verb in ("claim", "release", "delegate"):
            assert client.get(address(waiting, verb)).status_code == 405

    @pytest.mark.demo
    def test_people_are_offered_by_the_beginning_of_their_names(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        User.objects.create_user("annabel", is_active=False)
        client = visit(people.mark)
        assert (
            client.get("/people/?q=HUB").content.decode().strip() == '<option value="anna">Anna Huber (anna)</option>'
        )
        assert client.get("/people/?q=ann").content.decode().count("<option") == 1
        for short in ("", "a"):
            assert not client.get(f"/people/?q={short}").content.strip()
        assert client.get("/people/?q=%00").status_code == 200

    def test_people_are_offered_only_to_who_has_something_to_do(
        self, people: People, visit: Visit, waiting: WaitingForApproval
    ) -> None:
        client = visit(people.bert)
        assert client.get("/people/?q=ann").status_code == 403
        ours(Process).update(starters="bert")
        assert client.get("/people/?q=ann").status_code == 200
        assert visit(people.root).get("/people/?q=ann").status_code == 200


@pytest.mark.demo
def test_who_stands_in_is_told_for_whom(people: People, visit: Visit, waiting: WaitingForApproval) -> None:
    today = localdate(clock.now())
    Absence.objects.create(
        user=people.anna, stand_in=people.bert, first_day=today - timedelta(days=1), last_day=today + timedelta(days=1)
    )
    client = visit(people.bert)
    assert "You stand in for Anna Huber (anna), who is away." in text(client.get(address(waiting)))
    press(client, waiting)
    assert ours(Decision).get().on_behalf_of == people.anna


def test_when_it_is_due_what_comes_then_and_what_was_decided_by_default(people: People, visit: Visit) -> None:
    task = manual("mark", due="2h", remind="0h", by_default="reject", by_default_after="1h")
    process("Claim", {"Sign": task}, (10, "Sign"))
    client = visit(people.mark)
    with Workflow() as workflow:
        workflow.start("Claim")
        workflow.run()
        waiting = ours(WaitingForApproval).get()
        page = text(client.get(address(waiting)))
        assert "Due in 2 hours" in page
        assert "Then in 2 hours : they are reminded in 3 hours : it is rejected by default" in page
        workflow.advance(hours=2, minutes=5)
        assert "overdue" in text(client.get(address(waiting)))
        workflow.advance(hours=1)
    assert "Nobody in time: by default rejected" in text(client.get(address(waiting)))


class TestFiles:
    """Files are sent to who may see the instance, and never shown as a page."""

    @pytest.fixture
    def upload(self, people: People) -> Upload:
        made = process("Claim", {"Sign": manual("anna")}, (10, "Sign"))
        form(made, None, receipt="file")
        file = SimpleUploadedFile("über <b>.html", b"<script>alert(1)</script>")
        kept = operations.keep_upload(file, by=people.emil)
        answers = operations.answers_from(operations.start_form(made), {"receipt": kept}, by=people.emil)
        waits("Claim", answers, people.emil)
        return ours(Upload).get()

    @pytest.mark.alone("To close a streamed answer closes the connection of its test.")
    def test_it_is_linked_and_sent(self, people: People, visit: Visit, upload: Upload) -> None:
        client = visit(people.anna)
        page = client.get(address(ours(WaitingForApproval).get())).content.decode()
        assert f'href="/files/{upload.pk}/"' in page
        response: Any = client.get(f"/files/{upload.pk}/")
        assert b"".join(response.streaming_content) == b"<script>alert(1)</script>"
        response.close()
        assert response["Content-Type"] == "application/octet-stream"
        assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"

    def test_others_are_not_told_whether_there_is_one(self, people: People, visit: Visit, upload: Upload) -> None:
        assert visit(people.root).get(f"/files/{'9' * 40}/").status_code == 404
        for user in (people.bert, people.mark, people.staff):
            assert visit(user).get(f"/files/{upload.pk}/").status_code == 404
        assert Client().get(f"/files/{upload.pk}/")["Location"].startswith("/login/")

    def test_one_that_is_lost(self, people: People, visit: Visit, upload: Upload) -> None:
        upload.file.delete(save=False)
        assert visit(people.emil).get(f"/files/{upload.pk}/").status_code == 404


def test_it_asks_as_much_of_the_database_however_much_there_is(
    people: People, visit: Visit, django_assert_max_num_queries: Any
) -> None:
    tasks = {"Count": code('data["n"] = data.get("n", 0) + 1'), "Sign": manual("managers", quorum=2)}
    made = process("Loop", tasks, (10, "Sign"), (20, "Count", {"then": 10}))
    form(made, "Sign", contact="user")
    form(made, None, **{f"key_{number}": "text" for number in range(100)})
    large = {f"key_{number}": {"list": list(range(200))} for number in range(100)}
    waiting = waits("Loop", {**large, "contact": "anna"}, people.emil)
    client = visit(people.mark)
    with django_assert_max_num_queries(15):
        assert client.get(address(waiting)).status_code == 200
    for _ in range(4):
        one = ours(WaitingForApproval).get()
        operations.approve(one, by=people.mona)
        operations.approve(one, by=people.mark)
        run_until_idle()
    operations.approve(ours(WaitingForApproval).get(), by=people.mona)
    with django_assert_max_num_queries(15):
        page = client.get(address(ours(WaitingForApproval).get()))
    assert "more values" in text(page)

"""In the admin: forms, claims, alerts, absences, and who was deactivated."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import VIEW, Login
from tests.admin.pages import messages, text
from tests.build import code, form, manual, process, run_until_idle, waits
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.models import Absence, Process, RunningProcesses, Upload, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/workflow/waitingforapproval/"


@pytest.fixture
def olga(login: Login) -> Any:
    return login(*VIEW)


@pytest.fixture
def asked(olga: Any) -> WaitingForApproval:
    """A task with instructions and a form that waits for Olga, who is logged in."""
    task = manual("olga", instructions="Look at **{{ data.what }}**.")
    made = process("Sign", {"Sign": task, "End": code("1")}, (1, "Sign", {"on_reject": 2}), (2, "End"))
    price = {"kind": "money", "required": True, "label": "Price", "help": "In euros."}
    form(
        made, "Sign", price=price, receipt="file", paid="yes_no", due="date", kind={"kind": "choice", "choices": "a\nb"}
    )
    form(made, None, what="text")
    return waits("Sign", {"what": "a desk"})


def sent(page: Any, **fields: Any) -> dict[str, Any]:
    """What the page sends that was looked at."""
    hidden = {f"seen-{key}": token for key, token in page.context["seen"]}
    return {"comment": "", "waiting": [one.pk for one in page.context["shown"]], **hidden, **fields}


def address(waiting: WaitingForApproval, verb: str = "approve") -> str:
    return f"{LIST}{verb}/?run={waiting.task_run_id}"


class TestDeciding:
    def test_the_form_is_filled_in(self, client: Client, asked: WaitingForApproval) -> None:
        page = client.get(address(asked))
        assert "Look at a desk ." in text(page)
        assert "In euros." in text(page)
        receipt = SimpleUploadedFile("r.txt", b"paid")
        answers = {"answer-price": "12.50", "answer-paid": "yes", "answer-due": "2026-03-01", "answer-kind": "b"}
        response = client.post(address(asked), sent(page, **answers, **{"answer-receipt": receipt}), follow=True)
        assert messages(response) == ["1 task was approved."]
        run_until_idle()
        data = ours(RunningProcesses).get().data
        upload = ours(Upload).get()
        assert data["receipt"] == upload.reference
        assert (str(data["price"]), data["paid"], str(data["due"]), data["kind"]) == ("12.50", True, "2026-03-01", "b")

    def test_what_is_wrong_stands_at_its_field_and_no_file_is_kept(
        self, client: Client, asked: WaitingForApproval
    ) -> None:
        page = client.get(address(asked))
        receipt = SimpleUploadedFile("r.txt", b"paid")
        response: Any = client.post(address(asked), sent(page, **{"answer-price": "much", "answer-receipt": receipt}))
        assert response.context["asked"].errors == {"price": ["Give a number, such as 12 or 12.50."]}
        assert not ours(Upload).exists()
        assert ours(WaitingForApproval).exists()

    def test_who_rejects_need_not_fill_it_in(self, client: Client, asked: WaitingForApproval) -> None:
        page = client.get(address(asked, "reject"))
        assert messages(client.post(address(asked, "reject"), sent(page), follow=True)) == ["1 task was rejected."]

    def test_several_at_once_are_told_that_one_needs_its_form(self, client: Client, asked: WaitingForApproval) -> None:
        second = waits("Sign")
        both = f"{address(asked)}&run={second.task_run_id}"
        response = client.post(both, sent(client.get(both)), follow=True)
        assert messages(response) == ["Price: This is needed."] * 2

    def test_what_has_changed_since_is_not_decided(self, client: Client, asked: WaitingForApproval) -> None:
        page = client.get(address(asked))
        ours(RunningProcesses).update(data={"what": "a boat"})
        response = client.post(address(asked), sent(page, **{"answer-price": "1"}), follow=True)
        assert messages(response) == [
            f"The data of instance {asked.rpid_id} has changed: what. Look at it again. Nothing was changed."
        ]

    def test_the_history_shows_who_saw_what(self, client: Client, asked: WaitingForApproval) -> None:
        operations.approve(asked, by=ours(User).get(), comment="fine", answers={"price": 1})
        page = text(client.get(f"/admin/workflow/taskrun/{asked.task_run_id}/change/"))
        assert "Who decided what" in page
        assert "olga approved fine" in page
        assert "Look at **a desk**." in page


class TestStarting:
    def test_the_form_is_filled_in_and_its_file_goes_with_the_instance(self, boss: Client) -> None:
        made = process("Claim", {"A": code("1")}, (1, "A"))
        form(made, None, amount={"kind": "money", "required": True}, receipt="file")
        page = f"/admin/workflow/process/start/?id={made.pk}"
        assert "Amount:" in text(boss.get(page))
        assert "This is needed." in text(boss.post(page, {"answer-amount": ""}))
        assert "The data must be an object" in text(boss.post(page, {"answer-amount": "1", "json": "[]"}))
        sent = {"answer-amount": "12.50", "answer-receipt": SimpleUploadedFile("r.txt", b"paid"), "json": '{"more": 1}'}
        boss.post(page, sent)
        instance, upload = ours(RunningProcesses).get(), ours(Upload).get()
        assert instance.data == {"more": 1, "amount": Decimal("12.50"), "receipt": upload.reference}
        assert upload.instance == instance

    def test_several_at_once_have_no_form(self, boss: Client) -> None:
        keys = [process(name, {"A": code("1")}, (1, "A")).pk for name in ("P", "Q")]
        form(Process.objects.get(name="P"), None, amount="money")
        page = f"/admin/workflow/process/start/?id={keys[0]}&id={keys[1]}"
        assert "Amount" not in text(boss.get(page))
        boss.post(page, {"json": ""})
        assert ours(RunningProcesses).count() == 2


class TestWaiting:
    def act(self, client: Client, action: str) -> list[str]:
        keys = list(ours(WaitingForApproval).values_list("pk", flat=True))
        return messages(client.post(LIST, {"action": f"{action}_selected", "_selected_action": keys}, follow=True))

    def test_they_are_claimed_and_released(self, client: Client, asked: WaitingForApproval) -> None:
        assert self.act(client, "claim") == ["It is done."]
        asked.refresh_from_db()
        assert str(asked.claimed_by) == "olga"
        assert "olga" in text(client.get(LIST))
        assert self.act(client, "release") == ["It is done."]
        assert self.act(client, "release") == [f"Nobody has claimed 'Sign' of instance {asked.rpid_id}."]
        (told,) = self.act(client, "resolve")
        assert told.startswith("olga may not have it resolved again")
        page = text(client.get(f"/admin/workflow/runningprocesses/{asked.rpid_id}/change/"))
        assert "What was done besides deciding" in page
        assert "release 'Sign' by olga" in page

    def test_why_one_can_not_decide_is_said(self, client: Client, login: Login, asked: WaitingForApproval) -> None:
        login(*VIEW, name="paul")
        assert f"paul may not decide 'Sign' of instance {asked.rpid_id}: it waits for olga." in text(
            client.get(f"{LIST}{asked.pk}/change/")
        )

    @pytest.mark.alone("It looks at whole lists.")
    def test_what_nobody_can_decide_and_what_is_for_whom(self, client: Client, olga: Any) -> None:
        Group.objects.create(name="empty")
        process("Mine", {"Sign": manual("olga")}, (1, "Sign"))
        process("Stuck", {"Sign": manual("empty", quorum=2)}, (1, "Sign"))
        mine, stuck = waits("Mine"), waits("Stuck")

        def shown(query: str) -> set[Any]:
            response: Any = client.get(f"{LIST}?{query}")
            return set(response.context["cl"].result_list)

        assert shown("left=nobody") == {stuck}
        assert shown(f"user={olga.pk}") == {mine}
        other = User.objects.create_user("pia")
        other.groups.add(ours(Group).get())
        assert shown(f"user={other.pk}") == {stuck}
        assert shown("") == {mine, stuck}
        assert shown("user=x&left=x") == {mine, stuck}
        assert "0 of 2" in text(client.get(LIST))

    def test_a_list_takes_the_same_queries_for_one_as_for_many(self, client: Client, olga: Any) -> None:
        process("Mine", {"Sign": manual("olga")}, (1, "Sign"))
        waits("Mine")
        with CaptureQueriesContext(connection) as one:
            client.get(LIST)
        operations.start_many(["Mine"], count=10)
        run_until_idle()
        with CaptureQueriesContext(connection) as many:
            client.get(LIST)
        assert len(many) == len(one)


def test_an_absence_is_entered_and_checked(boss: Client) -> None:
    anna, bert = User.objects.create_user("anna"), User.objects.create_user("bert")
    page = "/admin/workflow/absence/add/"
    days = {"first_day": "2026-03-02", "last_day": "2026-03-01"}
    assert "The last day is before the first." in text(boss.post(page, {"user": anna.pk, "stand_in": bert.pk, **days}))
    days = {"first_day": "2026-03-01", "last_day": "2026-03-02"}
    assert "Nobody stands in for themselves." in text(boss.post(page, {"user": anna.pk, "stand_in": anna.pk, **days}))
    boss.post(page, {"user": anna.pk, "stand_in": bert.pk, **days})
    assert str(ours(Absence).get()) == "bert for anna"
    assert "2026" in text(boss.get("/admin/workflow/absence/"))


def test_a_version_shows_who_decides_and_what_is_asked(boss: Client) -> None:
    first = manual("boss", quorum=2, not_starter=True, instructions="# Look")
    tasks = {"First": first, "Second": manual("boss", not_same_as="First"), "Third": manual(same_as="First")}
    made = process("P", tasks, (1, "First"), (2, "Second"), (3, "Third"))
    form(made, None, amount={"kind": "money", "required": True})
    form(made, "First", kind={"kind": "choice", "choices": "a\nb"})
    version = operations.start("P").version
    page = text(boss.get(f"/admin/workflow/processversion/{version.pk}/change/"))
    for words in (
        "Asked when it is started: Amount ( amount , money, required)",
        "Manual: boss decides. 2 of them must approve. Not by who started the instance. Instructions: # Look",
        "Form: Kind ( kind , choice): a, b",
        "Not by who decided “First”.",
        "Manual: whoever decided “First” decides.",
    ):
        assert words in page


def test_an_instance_tells_that_nobody_is_left(boss: Client) -> None:
    pia = User.objects.create_user("pia")
    process("P", {"Sign": manual("pia")}, (1, "Sign"))
    page = f"/admin/workflow/runningprocesses/{waits('P').rpid_id}/change/"
    alert = "Nobody is left who can decide “Sign”: delegate it, or have it asked again."
    assert alert not in text(boss.get(page))
    ours(User).filter(pk=pia.pk).update(is_active=False)
    assert f"It waits for pia to decide “Sign”. {alert}" in text(boss.get(page))


class TestDeactivated:
    def deactivate(self, boss: Client, user: Any) -> list[str]:
        address = f"/admin/{User._meta.label_lower.replace('.', '/')}/{user.pk}/change/"
        page: Any = boss.get(address)
        initial = page.context["adminform"].form.initial
        fields = {"date_joined_0": "2026-03-01", "date_joined_1": "09:00", "email": ""}
        fields[User.USERNAME_FIELD] = user.get_username()
        assert initial["is_active"]
        response = boss.post(address, fields, follow=True)
        user.refresh_from_db()
        assert not user.is_active
        return messages(response)

    def test_who_deactivates_somebody_is_told_what_waits_for_them(self, boss: Client) -> None:
        pia = User.objects.create_user("pia")
        process("One", {"Sign": manual("pia")}, (1, "Sign"))
        process("Two", {"Sign": manual("pia, boss")}, (1, "Sign"))
        waits("One")
        waits("Two")
        told = self.deactivate(boss, pia)
        assert told[0].startswith("2 tasks wait for pia, who is not active any more; of 1 nobody is left.")
        assert f'href="{LIST}?user={pia.pk}"' in told[0]

    def test_without_anything_there_is_nothing_to_tell(self, boss: Client) -> None:
        assert len(self.deactivate(boss, User.objects.create_user("pia"))) == 1, "that it was saved"

"""Pages, e-mails and the admin in German: in the words that were chosen, and with no English among them."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.utils import timezone, translation

from tests.admin.pages import process_url
from tests.build import code, form, manual, process, run_until_idle, waits
from tests.german.test_catalogue import CATALOGUES, compiled
from tests.views.pages import address, fields, messages
from workflow import operations
from workflow.models import MailPreference, MailWish, Process, RunningProcesses, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


NAMES = ["Can add running process", "at the first attempt", "in the first attempts"]
"""What is called so, whatever the language: a permission, and what the tests' own actions say of themselves."""


@cache
def english() -> list[str]:
    """What the source says in several words and nothing to be filled in: easily told from names, and from German."""
    return [
        text
        for catalogue in CATALOGUES
        for text, german in compiled(catalogue.with_suffix(".mo")).items()
        if isinstance(text, str) and text.count(" ") and "%" not in text and text != german
    ]


def german(user: Any) -> Client:
    """A browser that asks for German, in which the user is logged in."""
    client = Client(headers={"accept-language": "de-AT,de;q=0.9,en;q=0.5"})
    client.force_login(user)
    return client


def words(response: Any) -> str:
    """What is to be read on a page, which has no English; what screen readers say as well."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    said = re.findall(r'(?:aria-label|placeholder|title)="([^"]*)"', page)
    text = " ".join(unescape(" ".join([re.sub(r"<[^>]+>", " ", page), *said])).split())
    for name in NAMES:
        text = text.replace(name, "")
    assert [one for one in english() if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text)] == []
    assert '<html lang="de"' in page
    return text


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna", first_name="Anna", last_name="Huber", email="anna@example.com")


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def claim(anna: User) -> Process:
    made = process(
        "Reise",
        {"Prüfen": manual("anna", instructions="Bitte *prüfen*.", due="2d"), "Zahlen": code("data['paid'] = True")},
        (1, "Prüfen"),
        (2, "Zahlen"),
    )
    form(made, betrag={"kind": "money", "required": True}, tag="date")
    return made


class TestPages:
    def test_inbox(self, anna: User, claim: Process) -> None:
        page = words(german(anna).get("/"))
        assert "Nichts wartet auf Sie." in page
        waits("Reise", {"betrag": Decimal("1234.50"), "tag": datetime(2026, 3, 1).date()})
        page = words(german(anna).get("/"))
        assert "Posteingang" in page
        assert "1.234,50" in page
        assert "1. März 2026" in page
        assert "gerade eben" in page

    def test_decide_and_what_came_of_it(self, anna: User, claim: Process) -> None:
        waiting = waits("Reise", {"betrag": Decimal("1234.50")})
        client = german(anna)
        response = client.get(address(waiting))
        page = words(response)
        for expected in (
            "Ihre Entscheidung",
            "Genehmigen",
            "Ablehnen",
            "Worum es geht",
            "Fällig",
            "in 2 Tagen",
            "2 Tage ab ",
            "Es gibt keinen Kalender",
        ):
            assert expected in page
        (seen,) = fields(response, "seen")
        response = client.post(address(waiting), {"seen": seen, "decision": "approve"}, follow=True)
        (told,) = messages(response)
        assert re.sub(r"<[^>]+>", "", told) == f"Sie haben „Prüfen“ in Reise {waiting.rpid_id} genehmigt."
        words(response)
        assert "Sie haben es am" in words(client.get(address(waiting)))

    def test_start_takes_numbers_as_they_are_written_here(self, anna: User, claim: Process, root: User) -> None:
        client = german(root)
        assert "Starten" in words(client.get("/start/"))
        there = f"/start/{claim.pk}/"
        page = client.get(there)
        assert "Was dann geschieht" in words(page)
        (token,) = fields(page, "token")
        refused = client.post(there, {"token": token, "betrag": "viel"})
        assert "Geben Sie eine Zahl an, etwa 12 oder 12,50." in words(refused)
        for written, meant in (("1.234,50", "1234.50"), ("12,5", "12.5"), ("1.234", "1234"), ("12.50", "12.50")):
            (token,) = fields(client.get(there), "token")
            response = client.post(there, {"token": token, "betrag": written}, follow=True)
            assert f"Reise {claim.instances.latest('pk').pk} wurde gestartet." in words(response)
            assert claim.instances.latest("pk").data == {"betrag": Decimal(meant), "tag": None}

    def test_instance(self, anna: User, claim: Process) -> None:
        instance = waits("Reise", {"betrag": 3}, anna).rpid
        page = words(german(anna).get(f"/instances/{instance.pk}/"))
        assert "Der Vorgang wartet darauf, dass anna „Prüfen“ entscheidet." in page
        assert "Schritt 1, mit dem er beginnt, in dem der Vorgang jetzt ist:" in page
        assert "Nach Schritt 2 endet der Prozess." in page
        assert "von anna" in page
        operations.approve(WaitingForApproval.objects.get(), by=anna, comment="gut")
        run_until_idle()
        page = words(german(anna).get(f"/instances/{instance.pk}/"))
        assert "Der Vorgang ist abgeschlossen." in page
        assert "Abgeschlossen" in page
        assert "Was Sie gestartet haben, das Neueste zuerst." in words(german(anna).get("/mine/"))

    def test_mail_preferences_and_what_is_not_there(self, anna: User) -> None:
        client = german(anna)
        assert "Wenn etwas auf Sie wartet" in words(client.get("/mail/"))
        assert "Unter dieser Adresse gibt es nichts" in words(client.get("/nothing/"))
        client.logout()
        assert "Benutzername" in words(client.get("/login/"))

    def test_why_an_instance_does_not_move(self, anna: User, claim: Process, root: User) -> None:
        instance = operations.start("Reise", {"betrag": 3}, anna)
        RunningProcesses.objects.update(due_at=timezone.now() - timedelta(hours=1))
        there = f"/instances/{instance.pk}/"
        page = words(german(root).get(there))
        assert re.search(r"Bereit seit \d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d\. Keine Engine hat sich gemeldet\.", page)
        page = words(german(anna).get(there))
        assert "weitergehen, aber etwas hält ihn auf. Der Betrieb kann sehen, was." in page
        assert "von Anna Huber durch Code" in page

    def test_too_many_failures_to_log_in(self) -> None:
        client = Client(headers={"accept-language": "de"})
        for _ in range(5):
            locked = client.post("/login/", {"username": "anna", "password": "wrong", "next": ""})
        assert locked.status_code == 429
        page = words(locked)
        assert "Zu viele Versuche" in page
        assert "Versuchen Sie es in 15 Minuten noch einmal" in page

    @pytest.mark.parametrize(
        ("count", "told"), [(1, "1 Aufgabe wurde genehmigt."), (2, "2 Aufgaben wurden genehmigt.")]
    )
    def test_one_and_several(self, anna: User, count: int, told: str) -> None:
        process("Urlaub", {"Ja": manual("anna")}, (1, "Ja"))
        for _ in range(count):
            waits_for = operations.start("Urlaub")
        run_until_idle()
        assert waits_for.pk
        client = german(anna)
        tasks = fields(client.get("/"), "task")
        assert len(tasks) == count
        response = client.post("/inbox/decide/", {"task": tasks, "decision": "approve"}, follow=True)
        assert messages(response) == [told]


class TestRefusals:
    def test_who_was_quicker(self, anna: User, claim: Process, root: User) -> None:
        waiting = waits("Reise", {"betrag": 3})
        client = german(anna)
        (seen,) = fields(client.get(address(waiting)), "seen")
        operations.approve(waiting, by=root)
        response = client.post(address(waiting), {"seen": seen, "decision": "approve"})
        assert "root hat" in words(response)

    def test_whom_it_does_not_ask(self, anna: User, claim: Process) -> None:
        waiting = waits("Reise", {"betrag": 3})
        with translation.override("de"), pytest.raises(operations.NotAllowed) as refused:
            operations.approve(waiting, by=User.objects.create_user("emil"))
        assert (
            str(refused.value) == f"emil darf 'Prüfen' in Vorgang {waiting.rpid_id} nicht entscheiden: Es ist für anna."
        )


class TestMail:
    def test_is_in_the_language_of_its_reader(self, anna: User, claim: Process, settings: Any) -> None:
        settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
        MailPreference.objects.create(user=anna, wish=MailWish.AT_ONCE, language="de", time_zone="Europe/Vienna")
        waiting = waits("Reise", {"betrag": 3})
        (message,) = mail.outbox
        assert message.subject == f"Wartet auf Sie: Reise: Prüfen (Vorgang {waiting.rpid_id})"
        assert "Das wartet auf Ihre Entscheidung:" in message.body
        assert "Ansehen und entscheiden:" in message.body
        assert [one for one in english() if one in message.body] == []
        due = waiting.due_at.astimezone(ZoneInfo("Europe/Vienna"))
        assert f"fällig am {due.day}. " in message.body
        assert f"{due:%Y %H:%M}" in message.body

    def test_tells_of_an_absence_that_somebody_else_has_entered(self, anna: User, root: User, settings: Any) -> None:
        settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
        MailPreference.objects.create(user=anna, wish=MailWish.AT_ONCE, language="de", time_zone="Europe/Vienna")
        absence = {"user": anna.pk, "stand_in": User.objects.create_user("emil").pk}
        days = {"first_day": "2026-03-01", "last_day": "2026-04-01"}
        client = german(root)
        added = client.post("/admin/workflow/absence/add/", absence | days, follow=True)
        assert "emil für anna" in words(added)
        told = "emil für Anna Huber (anna), vom 1. März 2026 bis zum 1. April 2026"
        assert told in words(client.get("/admin/workflow/absencechange/"))
        run_until_idle()
        (message,) = mail.outbox
        assert message.subject == "Ihre Abwesenheit: root hat geändert, wer Sie vertritt"
        assert "root hat eine Abwesenheit für Sie eingetragen." in message.body
        assert told in message.body
        assert [one for one in english() if one in message.body] == []


class TestAdmin:
    def test_process_page(self, root: User, claim: Process, anna: User) -> None:
        client = german(root)
        page = words(client.get(process_url(claim)))
        for expected in (
            "Keine Fehler gefunden: Er kann gestartet werden",
            "Was Code verwenden kann",
            "Zuständig",
            "Übergänge",
        ):
            assert expected in page
        claim.transitions.filter(sequence=2).update(then=7)
        page = words(client.get(process_url(claim)))
        assert "1 Fehler: Er kann noch nicht gestartet werden" in page
        assert "Geht zu Schritt 7, wenn sie erledigt ist, aber es gibt keinen Schritt 7. Es gibt 1, 2." in page

    def test_lists_and_an_instance(self, root: User, claim: Process, anna: User) -> None:
        client = german(root)
        instance = waits("Reise", {"betrag": 3}).rpid
        assert "Zuständig" in words(client.get("/admin/workflow/waitingforapproval/"))
        assert "Vorgänge" in words(client.get("/admin/workflow/runningprocesses/"))
        page = words(client.get(f"/admin/workflow/runningprocesses/{instance.pk}/change/"))
        assert "Verlauf, der neueste Schritt zuerst" in page
        words(client.get(f"/admin/workflow/runningprocesses/{instance.pk}/step-in/"))
        words(client.get(f"/admin/workflow/taskrun/{instance.task_runs.get().pk}/change/"))
        for model in (
            "process",
            "processversion",
            "taskrun",
            "engine",
            "notice",
            "businesscalendar",
            "absence",
            "absencechange",
        ):
            words(client.get(f"/admin/workflow/{model}/"))
        for model in ("process", "businesscalendar", "absence"):
            words(client.get(f"/admin/workflow/{model}/add/"))

    def test_to_go_past_what_nobody_has_decided(self, root: User, claim: Process, anna: User) -> None:
        client = german(root)
        instance = waits("Reise", {"betrag": 3}).rpid
        there = f"/admin/workflow/runningprocesses/{instance.pk}/step-in/"
        page = words(client.get(there))
        assert "2, dabei übergangen: 'Prüfen'" in page
        assert "geben Sie einen Grund an" in page
        goto = {"action": "goto", "step": "2"}
        refused = words(client.post(there, goto))
        assert "Das übergeht 'Prüfen', worüber niemand entschieden hat. Geben Sie einen Grund an." in refused
        done = words(client.post(there, goto | {"reason": "eilig"}, follow=True))
        assert "umgeleitet zu Schritt 2, dabei übergangen: 'Prüfen' von root, im Admin: „eilig“" in done

    def test_to_delete_somebody_whom_a_task_asks(self, root: User, claim: Process, anna: User) -> None:
        waits("Reise", {"betrag": 3})
        page = words(german(root).get(f"/admin/auth/user/{anna.pk}/delete/"))
        assert "Eine wartende Aufgabe fragt anna namentlich." in page
        assert "Deaktivieren Sie den Benutzer stattdessen" in page


class TestLanguage:
    def test_is_chosen_at_the_foot_of_a_page(self, anna: User) -> None:
        client = Client(headers={"accept-language": "en"})
        client.force_login(anna)
        page = client.get("/mine/").content.decode()
        assert '<button class="link" name="language" value="de" lang="de">Deutsch</button>' in page
        response = client.post(
            "/language/", {"language": "de"}, headers={"referer": "http://testserver/mine/"}, follow=True
        )
        assert response.redirect_chain == [("http://testserver/mine/", 302)]
        assert "Meine" in words(response)

    def test_is_one_that_there_is(self, anna: User) -> None:
        client = Client(headers={"accept-language": "fr"})
        client.force_login(anna)
        assert '<html lang="en"' in client.get("/mine/").content.decode()

    def test_of_commands_is_that_of_scripts(self, manage: Any) -> None:
        done = manage("startprocess", "Nothing", LANGUAGE_CODE="de")
        assert "There is no process 'Nothing'." in done.stderr

"""What all pages share: log-in and log-out, navigation, times, and nothing that a strict policy would stop."""

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils.formats import date_format

from tests.build import manual, process
from tests.own import ours
from tests.users import User
from tests.views.conftest import People, Visit
from tests.views.drive import waits
from tests.views.pages import address, text
from workflow import errors
from workflow.models import WaitingForApproval
from workflow.views.base import status_of

pytestmark = pytest.mark.django_db

INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)


@pytest.fixture
def waiting(people: People) -> WaitingForApproval:
    process("Claim", {"Sign": manual("mark")}, (10, "Sign"))
    return waits("Claim", {"amount": 180})


def test_who_logs_in_finds_the_inbox_and_logs_out_by_a_form(people: People, client: Client) -> None:
    people.mark.set_password("secret")
    people.mark.save()
    wrong = client.post("/login/", {"username": "mark", "password": "wrong", "next": ""})
    assert 'aria-describedby="login-error"' in wrong.content.decode()
    assert "Please enter a correct " in text(wrong)
    response = client.post("/login/", {"username": "mark", "password": "secret", "next": ""}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert "Logged in as mark" in text(response)
    assert client.get("/login/")["Location"] == "/"
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/")["Location"] == "/login/?next=/"


def test_log_in_leads_to_no_other_site(people: People, client: Client) -> None:
    people.mark.set_password("secret")
    people.mark.save()
    given = {"username": "mark", "password": "secret", "next": "https://evil.example/"}
    assert client.post("/login/", given)["Location"] == "/"


def test_only_staff_is_led_to_the_admin(people: People, visit: Visit) -> None:
    assert 'href="/admin/"' in visit(people.staff).get("/").content.decode()
    assert 'href="/admin/"' not in visit(people.mark).get("/").content.decode()


def test_no_page_has_a_script_or_style_in_it(people: People, visit: Visit, waiting: WaitingForApproval) -> None:
    client = visit(people.mark)
    pages = [client.get(path) for path in ("/", address(waiting), "/nothing/")]
    pages += [client.post(address(waiting), {"decision": "perhaps"}), Client().get("/login/")]
    pages += [visit(people.anna).get(address(waiting))]
    for page in pages:
        shown = page.content.decode()
        assert not INLINE.search(shown), INLINE.search(shown)
        assert set(re.findall(r'(?:src|href)="(https?:)?//', shown)) == set()
        assert '"allowEval": false' in shown
        assert '<html lang="en">' in shown
        assert shown.count("<h1") == 1
        assert shown.count("<main") == 1


@pytest.mark.demo
def test_times_are_in_the_zone_of_the_browser(people: People, visit: Visit, waiting: WaitingForApproval) -> None:
    client = visit(people.mark)
    for told, zone in (("Asia/Tokyo", "Asia/Tokyo"), ("../../etc/passwd", "UTC"), ("Nowhere", "UTC")):
        client.cookies["workflow_timezone"] = told
        shown = re.findall(r'title="([^"]+)"', client.get(address(waiting)).content.decode())
        assert date_format(waiting.queued_at.astimezone(ZoneInfo(zone)), "DATETIME_FORMAT") in shown


def test_a_broken_site_still_says_so() -> None:
    """Django makes that page without a request."""
    assert "That is a fault of the site, not yours." in render_to_string("500.html")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotAllowed("no"), 403),
        (errors.NoSuchInstance(7), 404),
        (errors.AlreadyDecided("no"), 409),
        (errors.Stale("no"), 409),
        (errors.BadData("no"), 422),
        (errors.WorkflowError("no"), 400),
    ],
)
def test_each_error_has_its_status(error: errors.WorkflowError, status: int) -> None:
    assert status_of(error) == status


@pytest.mark.demo
def test_a_user_without_names_is_called_by_what_they_log_in_with(people: People, visit: Visit) -> None:
    ours(User).filter(pk=people.anna.pk).update(first_name="<b>", last_name="x")
    page: Any = visit(User.objects.get(pk=people.anna.pk)).get("/").content.decode()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page

"""The page on which a person says how they want to be told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from tests.own import ours
from tests.people.conftest import People
from tests.users import give_address
from workflow import clock
from workflow.models import MailPreference, MailWish, Notice

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(people: People) -> Iterator[Client]:
    client = Client(headers={"accept-language": "de"})
    client.cookies["workflow_timezone"] = "Asia/Tokyo"
    client.force_login(people.anna)
    with translation.override("en"):  # a page leaves its language behind
        yield client


def planned() -> list[datetime]:
    return list(ours(Notice).filter(state="QUEUED").values_list("due_at", flat=True))


def test_it_takes_a_log_in() -> None:
    assert Client().get("/mail/").status_code == 302


def test_it_shows_what_counts_for_who_has_said_nothing(anna: Client, settings: Any) -> None:
    settings.WORKFLOW = {"MAIL_DEFAULT": "NONE"}
    assert anna.get("/mail/").context["form"].initial["wish"] == "NONE"
    assert not ours(MailPreference).exists()


def test_it_says_where_messages_go(anna: Client, settings: Any) -> None:
    assert "Nachrichten gehen an anna@example.com." in anna.get("/mail/").content.decode()
    give_address("anna", "")
    assert "Für Sie ist keine E-Mail-Adresse eingetragen" in anna.get("/mail/").content.decode()
    settings.WORKFLOW = {"MAIL": False}
    assert "Diese Website sendet derzeit keine Nachrichten." in anna.get("/mail/").content.decode()


def test_it_keeps_them_with_language_and_zone_of_the_page(anna: Client, people: People) -> None:
    with clock.stopped(datetime(2026, 3, 2, 9, 0, tzinfo=UTC)):
        response = anna.post("/mail/", {"wish": "DIGEST", "digest_hour": "17"})
    assert (response.status_code, response.url) == (302, "/mail/")
    kept = ours(MailPreference).get()
    assert (kept.user, kept.wish, kept.digest_hour) == (people.anna, MailWish.DIGEST, 17)
    assert (kept.language, kept.time_zone) == ("de", "Asia/Tokyo")
    assert planned() == [datetime(2026, 3, 3, 8, 0, tzinfo=UTC)], "17 o'clock is over in Tokyo"


def test_another_hour_moves_what_is_planned(anna: Client) -> None:
    with clock.stopped(datetime(2026, 3, 2, 0, 30, tzinfo=UTC)):
        for hour, due in ((17, 8), (12, 3)):
            anna.post("/mail/", {"wish": "DIGEST", "digest_hour": str(hour)})
            assert planned() == [datetime(2026, 3, 2, due, 0, tzinfo=UTC)]
        anna.post("/mail/", {"wish": "AT_ONCE", "digest_hour": "12"})
        assert planned() == []


def test_todays_was_sent_so_another_hour_counts_from_tomorrow(anna: Client) -> None:
    with clock.stopped(datetime(2026, 3, 2, 0, 30, tzinfo=UTC)):
        anna.post("/mail/", {"wish": "DIGEST", "digest_hour": "10"})
        ours(Notice).update(state="SENT", due_at=None)
        anna.post("/mail/", {"wish": "DIGEST", "digest_hour": "12"})
        assert planned() == [datetime(2026, 3, 3, 3, 0, tzinfo=UTC)]


@pytest.mark.parametrize("fields", [{}, {"wish": "DIGEST", "digest_hour": "24"}, {"wish": "OFTEN", "digest_hour": "7"}])
def test_nonsense_is_refused(anna: Client, fields: dict[str, str]) -> None:
    assert anna.post("/mail/", fields).status_code == 422
    assert not ours(MailPreference).exists()

"""Whoever fails to log in too often waits, on the pages and in the admin, whichever process of the site is asked."""

import re
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from config.logins import client_ip
from tests.admin.pages import text

pytestmark = pytest.mark.django_db

PAGES = ("/login/", "/admin/login/")
LIMIT = 5


@pytest.fixture(autouse=True)
def anna() -> User:
    User.objects.create_user("bert", password="his secret")
    return User.objects.create_user("anna", password="her secret", is_staff=True)


def tries(page: str = "/login/", name: str = "anna", password: str = "wrong", **origin: str) -> Any:
    return Client(**origin).post(page, {"username": name, "password": password, "next": ""})


def fails(times: int, page: str = "/login/", **origin: str) -> Any:
    return [tries(page, **origin) for _ in range(times)][-1]


@pytest.mark.parametrize("page", PAGES)
def test_too_many_failures_lock_out_and_the_page_says_so(page: str) -> None:
    assert fails(LIMIT - 1, page).status_code == 200
    locked = tries(page)
    assert locked.status_code == 429
    assert "You have given a wrong user name or password too often. Try again in 15 minutes" in text(locked)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=", locked.content.decode())
    for other in PAGES:
        assert tries(other, password="her secret").status_code == 429, "the right password is no help now"


def test_others_and_other_places_are_not_locked_out() -> None:
    fails(LIMIT)
    assert tries(name="bert", password="his secret").status_code == 302
    assert tries(password="her secret", REMOTE_ADDR="10.0.0.7").status_code == 302


def test_it_ends_after_a_while_however_often_one_tries_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    fails(LIMIT + 3)
    assert AccessAttempt.objects.get().failures_since_start == LIMIT
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert tries(password="her secret").status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_programs_are_told_how_many_seconds_to_wait(page: str) -> None:
    locked = fails(LIMIT, page)
    assert 895 <= int(locked["Retry-After"]) <= 900
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=5))
    assert 595 <= int(tries(page)["Retry-After"]) <= 600, "a try meanwhile makes it no longer"
    assert "Retry-After" not in tries(page, name="bert")


def test_who_logs_in_begins_anew() -> None:
    fails(LIMIT - 1)
    assert tries(password="her secret").status_code == 302
    assert fails(LIMIT - 1).status_code == 200


def test_a_name_that_is_too_long_to_be_kept_counts_too() -> None:
    assert [tries(name="x" * 5_000).status_code for _ in range(LIMIT)] == [200] * (LIMIT - 1) + [429]


def test_an_operator_lets_somebody_in_again() -> None:
    fails(LIMIT)
    call_command("axes_reset_username", "anna", verbosity=0)
    assert tries(password="her secret").status_code == 302


def test_a_failure_is_logged_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    Client().post("/login/?next=/a-secret-page/", {"username": "anna", "password": "hush", "next": "/a-secret-page/"})
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert 'username: "anna", ip_address: "127.0.0.1"' in record.getMessage()
    kept = str(AccessAttempt.objects.values())
    assert not any(secret in text for text in (record.getMessage(), kept) for secret in ("hush", "a-secret-page"))


class TestClientIp:
    @pytest.mark.parametrize(
        ("behind", "given", "found"),
        [
            (False, {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "10.9.9.9"}, "10.0.0.1"),
            (True, {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 10.9.9.9"}, "10.9.9.9"),
            (True, {"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "2001:DB8::1"}, "2001:db8::1"),
            (True, {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "unknown"}, "10.0.0.1"),
            (True, {"REMOTE_ADDR": "10.0.0.1"}, "10.0.0.1"),
            (False, {"REMOTE_ADDR": ""}, None),
        ],
    )
    def test_it_is_what_the_proxy_says_and_not_what_the_browser_says(
        self, behind: bool, given: dict[str, str], found: str | None, settings: Any
    ) -> None:
        settings.BEHIND_PROXY = behind
        assert client_ip(RequestFactory().get("/", **given)) == found

    def test_behind_a_socket_failures_count_too(self) -> None:
        assert fails(LIMIT, REMOTE_ADDR="").status_code == 429

"""Whose clock times are told by: the browser's, unless the project knows another."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from workflow.middleware import COOKIE, local_times

TOKYO, LIMA = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Lima")


@pytest.fixture(autouse=True)
def _leave_no_zone() -> Iterator[None]:
    timezone.deactivate()
    yield
    timezone.deactivate()


def zone_inside(cookie: str | None) -> str:
    """The zone in which a page is made for a browser that tells this one."""
    request = RequestFactory().get("/")
    if cookie is not None:
        request.COOKIES[COOKIE] = cookie

    def page(_: HttpRequest) -> HttpResponse:
        return HttpResponse(timezone.get_current_timezone_name())

    return local_times(page)(request).content.decode()


def test_it_is_the_browsers_and_the_sites_again_afterwards() -> None:
    assert zone_inside("Asia/Tokyo") == "Asia/Tokyo"
    assert timezone.get_current_timezone() == timezone.get_default_timezone()


@pytest.mark.parametrize("cookie", [None, "", "Mars/Olympus", "../../etc/passwd", "\0", "x" * 100_000])
def test_one_that_is_told_none_keeps_the_projects(cookie: str | None) -> None:
    assert zone_inside(cookie) == timezone.get_default_timezone_name()
    timezone.activate(LIMA)
    assert zone_inside(cookie) == "America/Lima"
    assert timezone.get_current_timezone() == LIMA


def test_another_middleware_knows_better_and_finds_its_zone_again() -> None:
    timezone.activate(LIMA)
    assert zone_inside("Asia/Tokyo") == "America/Lima"
    assert timezone.get_current_timezone() == LIMA

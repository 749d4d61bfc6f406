"""Times as the person who reads them has them on their clock."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "workflow_timezone"
"""The zone of the browser, which `workflow/site.js` tells: no header has it."""


def local_times(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: a page shows times in the zone of its reader's browser, where the browser tells one.

    A zone that another middleware has activated before stays: the project knows better, such as from the user's profile.
    So does the site's, `TIME_ZONE`, where the browser tells none. What was active before is active again afterwards.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        zone = _zone(request.COOKIES.get(COOKIE, ""))
        if zone is None or timezone.get_current_timezone() != timezone.get_default_timezone():
            return get_response(request)
        with timezone.override(zone):
            return get_response(request)

    return middleware


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a cookie can say anything, and a key is looked for as a file
        return None

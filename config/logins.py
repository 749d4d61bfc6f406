"""Who tries to log in, for what counts failures, and what they are told after too many."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address

from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

LONGEST_NAME = 255
"""Characters that the count of failures has room for. Forms to log in take any number."""


def username(request: HttpRequest, credentials: Mapping[str, str] | None = None) -> str | None:
    """As whom somebody tries to log in; `None` where they don't say."""
    given = (credentials or request.POST).get("username")
    return given if given is None else str(given)[:LONGEST_NAME]


def client_ip(request: HttpRequest) -> str | None:
    """The address that a request comes from; `None` where the server knows none, as behind a socket.

    Behind a proxy it is the last one that the proxy names: those before it are what the browser says of itself.
    """
    addresses = [request.META.get("REMOTE_ADDR", "")]
    if settings.BEHIND_PROXY:
        addresses.insert(0, request.headers.get("X-Forwarded-For", "").rpartition(",")[2])
    return next((address for text in addresses if (address := _address(text.strip()))), None)


def locked_out(
    request: HttpRequest,
    response: HttpResponse | None = None,  # noqa: ARG001 - django-axes gives it
    credentials: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The page that says to wait, with the seconds in `Retry-After`, for programs."""
    seconds = round(_time_left(request, credentials).total_seconds())
    told = render(request, "locked_out.html", status=settings.AXES_HTTP_RESPONSE_CODE)
    told.headers["Retry-After"] = str(max(seconds, 1))
    return told


def _time_left(request: HttpRequest, credentials: Mapping[str, str] | None) -> timedelta:
    """Until failures are forgotten: counted from the last one, as tries meanwhile make it no longer."""
    wait: timedelta = settings.AXES_COOLOFF_TIME
    failures = AccessAttempt.objects.filter(username=username(request, credentials), ip_address=client_ip(request))
    last = failures.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    return wait if last is None else last + wait - timezone.now()


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""

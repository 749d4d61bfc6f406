"""Who tries to log in, for what counts failures."""

from collections.abc import Mapping
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

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


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""

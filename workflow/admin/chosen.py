"""Which objects a page is about, where its address names several."""

from django.http import HttpRequest

LARGEST = 2**63 - 1
"""Beyond it a database knows no numbers, and SQLite's driver fails."""


def keys(request: HttpRequest, name: str, *, most: int) -> list[int]:
    """The primary keys in the address; what can't be one is left out, as is what is beyond `most`."""
    found = [int(key) for key in request.GET.getlist(name) if key.isdecimal() and len(key) < 20]
    return [key for key in found if key <= LARGEST][:most]

"""Which addresses a box may link to."""

import re
from urllib.parse import urlsplit

_SCHEMES = frozenset({"", "http", "https"})
_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f]")  # browsers drop some of these, and so find "java\tscript:"


def is_safe(address: str) -> bool:
    """Whether following `address` can do no more than open a page."""
    if not address or _CONTROLS.search(address):
        return False
    try:
        return urlsplit(address).scheme.lower() in _SCHEMES
    except ValueError:
        return False

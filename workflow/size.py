"""How large a value may be that comes from outside: what an instance is started with, what it is told, and what people answer."""

from typing import Any

from workflow import conf, values
from workflow.errors import BadData


def refuse_too_large(value: Any, told: str) -> None:
    """Raises `BadData` where the value takes more bytes than an instance may keep. `told` says so, with `size` and `limit`."""
    size, limit = values.size(value), conf.get("MAX_DATA_BYTES")
    if size > limit:
        raise BadData(told % {"size": f"{size:,}", "limit": f"{limit:,}"})

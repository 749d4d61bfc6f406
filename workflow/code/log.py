"""What code prints."""

from workflow.code.failure import storable


class Log:
    """Keeps the first `limit` characters, and counts the rest: an endless `print` must not fill the memory."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._parts: list[str] = []
        self._dropped = 0

    def write(self, text: str) -> None:
        """Adds `text`, as far as there is room."""
        kept = text[: self._left]
        if kept:
            self._parts.append(kept)
            self._left -= len(kept)
        self._dropped += len(text) - len(kept)

    def __str__(self) -> str:
        text = storable("".join(self._parts))
        return f"{text}\n… {self._dropped} more characters were not kept.\n" if self._dropped else text

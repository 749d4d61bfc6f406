"""How a site's log is written: one event a line, as `key=value` or as JSON, for people and for machines.

What an event is about is in its record's `fields`, not in its text alone. A project names one of the two in its
`LOGGING`; a formatter of its own finds the same in `record.fields`.
"""

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from threading import local
from typing import Any, TextIO

_PLAIN = re.compile(r"[^\s\"'=\\]+")
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Besides what JSON escapes: line ends beyond ASCII's, commands to terminals, and what no encoding can write."""
LONGEST_NAME = 40


def fields(**about: Any) -> dict[str, Any]:
    """The `extra` of an event about this: its `instance`, `process`, `task`, `attempt` and `engine`, as far as it has them."""
    return {"fields": about}


def fingerprint(process: str, task: str, kind: str) -> dict[str, Any]:
    """The `extra` by which an error tracker recognizes events of one sort, whatever numbers and names their texts contain."""
    return {"fingerprint": [process, task, kind]}


class InstanceFailed(Exception):
    """Why an instance has FAILED: the `exc_info` of the event that says so. It is never raised.

    `kind` is the error's type. Its note is the traceback of the task's code, which ran in the sandbox; its cause is what an action raised, if
    the code failed by that in this process.
    """

    def __init__(self, error: Mapping[str, Any], *, cause: BaseException | None = None) -> None:
        self.kind = str(error.get("type"))
        super().__init__(f"{self.kind}: {error.get('message')}")
        if traceback := error.get("traceback"):
            self.add_note(f"In the code of task {error.get('task')!r}:\n{traceback}".rstrip())
        self.__cause__ = cause


class _Waiting(local):
    """The events of this thread that wait for the end of `together`, by the handler that is to write them."""

    events: dict["Console", list[logging.LogRecord]] | None = None


_waiting = _Waiting()


@contextmanager
def together() -> Iterator[None]:
    """A context at whose end a `Console` writes what this thread has logged in it, in one go."""
    if _waiting.events is not None:
        yield
        return
    events: dict[Console, list[logging.LogRecord]] = {}
    _waiting.events = events
    try:
        yield
    finally:
        _waiting.events = None
        for console, records in events.items():
            console.write(records)


class Console(logging.StreamHandler[TextIO]):
    """Writes to standard error as `logging.StreamHandler` does, and many events at once where they come `together`.

    Each write lets another thread have the interpreter, and an engine logs several thousand events a second.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the event, or keep it for the end of `together`."""
        if _waiting.events is None:
            super().emit(record)
        else:
            _waiting.events.setdefault(self, []).append(record)

    def write(self, records: Sequence[logging.LogRecord]) -> None:
        """Write these events at once."""
        text = "".join(map(self._line, records))
        with self.lock or nullcontext():
            try:
                self.stream.write(text)
                self.flush()
            except Exception:  # noqa: BLE001 - as all handlers do: what can't be logged must not stop what it tells of
                self.handleError(records[-1])

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record) + self.terminator
        except Exception:  # noqa: BLE001 - the same; the others are to be written
            self.handleError(record)
            return ""


_TOKEN = re.compile(
    r"(decide(?:/|%2F))[A-Za-z0-9_:.%-]{20,}"
    # An address can be written in many ways, as /%64ecide/ or with a slash too many: whatever is signed, with its time.
    r"|()[A-Za-z0-9_.-]{20,}(?::|%3A)[A-Za-z0-9]{6,}(?::|%3A)[A-Za-z0-9_-]{43}",
    re.IGNORECASE,
)
OF_REQUESTS = (
    *("django.request", "django.server", "django.security.csrf", "django.security.SuspiciousOperation"),
    *("gunicorn.access", "uvicorn.access", "daphne.access", "hypercorn.access", "django.channels.server"),
)
"""Loggers that write down the addresses of requests, as Django's own and servers do that log by Python's `logging`."""


def hide_tokens() -> None:
    """Have no token of an e-mail's link written down with the address of a request: whoever has it can decide by it."""
    for name in OF_REQUESTS:
        logging.getLogger(name).addFilter(without_tokens)


def without_tokens(record: logging.LogRecord) -> bool:
    """A filter that puts three dots in the place of each token."""
    record.msg = _hidden(record.msg)
    if isinstance(record.args, dict):
        record.args.update({name: _hidden(value) for name, value in record.args.items()})  # it may be more than a dict
    elif record.args:
        record.args = tuple(map(_hidden, record.args))
    return True


def _hidden(value: Any) -> Any:
    """Any value whose text has a token becomes that text without it; what has none stays as it is."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    hidden = _TOKEN.sub(r"\1\2…", text)
    return value if hidden == text else hidden


class _Formatter(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """A traceback, whatever an exception's own methods do."""
        try:
            return super().formatException(ei)
        except Exception as error:  # noqa: BLE001 - an action may have raised it, and its event must not be lost
            return f"{ei[0].__name__}, whose traceback can't be shown: {type(error).__name__}"

    def pairs(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        """What a record tells, most important first."""
        yield "time", _time(record.created)
        yield "level", record.levelname
        yield "msg", record.getMessage()
        yield from getattr(record, "fields", {}).items()
        yield "logger", record.name
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            yield "exception", record.exc_text


class Logfmt(_Formatter):
    """`time=2026-03-01T09:30:00.123Z level=INFO msg="Order instance 7 is RUNNING at step 10" instance=7 …`"""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in self.pairs(record))


class Json(_Formatter):
    """The same as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return _json(dict(self.pairs(record)))


def _quoted(value: Any) -> str:
    """The value, in quotes where it would not be one word; a line break in it is no end of the line."""
    if type(value) is int:
        return str(value)
    text = str(value)
    return _again_quoted(text) if len(text) < LONGEST_NAME else _quoted_text(text)


def _quoted_text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.isprintable() else _json(text)


_again_quoted = lru_cache(maxsize=1_000)(_quoted_text)
"""For names, of which the same ones come in each line."""


_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
"""As `json.dumps`, which makes an encoder for each call: an engine logs several thousand events a second."""


def _json(value: Any) -> str:
    text = _encode(value)
    return text if text.isascii() and "\x7f" not in text else _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _time(seconds: float) -> str:
    whole = int(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=2)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

"""How the failure of code becomes a `CodeError`: bounded, storable, and with a way out where one is known."""

import builtins
import re
from collections.abc import Collection
from difflib import get_close_matches

from workflow.code.job import CodeError

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 20_000
SCOPE = ("data", "results", "run")
_LONGEST_NAME = 100  # of a name that others are compared with: that takes time in proportion to its square
_NAME_ERROR = re.compile(r"name '(\w+)' is not defined$")


def failure(
    kind: str,
    message: str,
    *,
    line: int | None = None,
    column: int | None = None,
    traceback: str = "",
    names: Collection[str] = (),
) -> CodeError:
    """A `CodeError` of texts as they come; for an unknown name, suggests what is near it among `names`."""
    if kind == "NameError":
        message = with_suggestion(message, names)
    return CodeError(
        type=kind,
        message=shortened(storable(message), MAX_MESSAGE),
        line=line,
        column=column,
        traceback=shortened(storable(traceback), MAX_TRACEBACK),
    )


def with_suggestion(message: str, names: Collection[str]) -> str:
    """A NameError's message, with the names that the writer may have meant."""
    found = _NAME_ERROR.match(message)
    return message + suggestion(found[1], names) if found else message


def suggestion(name: str, names: Collection[str]) -> str:
    """`; did you mean 'a' or 'b'?`, or nothing where no name is near."""
    if len(name) > _LONGEST_NAME:
        return ""
    near = get_close_matches(name, {*names, *SCOPE, *dir(builtins)} - {name}, n=3, cutoff=0.7)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def storable(text: str) -> str:
    """`text` as every database can keep it: no NUL (PostgreSQL refuses it), no lone surrogates."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def shortened(text: str, limit: int) -> str:
    """`text` without its middle where it is longer than `limit`: both ends of a traceback matter."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"

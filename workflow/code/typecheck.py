"""What Monty's type checker finds, as problems that people can read.

The code is checked behind a bare name that nothing defines: if it is sound, the run stops at that name before
anything of it has run. That costs about 15 ms, and finds in the same go what Monty can't run.
"""

import json
import re
from collections.abc import Collection
from threading import BoundedSemaphore
from typing import Any, Final

from pydantic_monty import (
    FunctionSnapshot,
    Monty,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
    MontyTypingError,
    ResourceLimits,
)

from workflow.code.expression import parenthesized
from workflow.code.failure import suggestion
from workflow.code.faults import OUT_OF_MEMORY, place
from workflow.code.job import TOO_COMPLICATED, UNCHECKED, Problem
from workflow.code.text import is_blank

SECONDS, MEBIBYTES = 3.0, 256
LIMITS: Final[ResourceLimits] = {"max_feed_duration_secs": SECONDS, "max_memory": MEBIBYTES << 20}
"""Limits of one check, as a page waits for it. A check of a hundred lines takes a tenth of a second and up to 60 MiB as a rule;
variables that depend on each other in a loop can take much longer.
"""

AT_ONCE: Final = BoundedSemaphore(2)
"""Checks at the same time, in one OS process: each may take all of that memory, and a core."""

NOT_AN_EXPRESSION: Final = 'This must be one expression, such as data["amount"] > 100, not statements.'
_STOP: Final = "stop_here_and_run_nothing"  # a leading underscore would hide it from the code
_LITERAL: Final = re.compile(r"Literal\[([^\[\]]*)\]")
_DECLARED: Final = re.compile(r"^(?:def )?([a-z]\w*)", re.MULTILINE)
_UNDEFINED: Final = re.compile(r"Name `(\w+)` used when not defined")
_UNSUPPORTED: Final = "The monty syntax parser does not yet support"
_MAY_BE_NONE: Final = re.compile(r"`Any \| None`")
_UNKNOWN_MODULE: Final = re.compile(r"Cannot resolve imported module `([\w.]+)`")


def check(pool: Monty, code: str, *, expression: bool, stubs: str) -> list[Problem]:
    """The problems of the code, in order of place."""
    problems = _check(pool, code.strip() if expression else code, stubs=stubs)
    if expression and not problems and (is_blank(code) or _check(pool, parenthesized(code), stubs=stubs)):
        return [Problem(line=1, column=1, message=NOT_AN_EXPRESSION)]
    return problems


def _check(pool: Monty, code: str, *, stubs: str) -> list[Problem]:
    try:
        with (
            AT_ONCE,
            pool.checkout(
                type_check=True,
                type_check_stubs=f"{stubs}\n{_STOP}: None\n",
                type_check_format="json",
                limits=LIMITS,
            ) as session,
        ):
            snapshot = session.feed_start(f"{_STOP}\n{code}")
            while isinstance(snapshot, FunctionSnapshot):  # it asks for declarations of modules that it doesn't know
                snapshot = snapshot.resume_not_handled()
    except MontyTypingError as error:
        return _readable(json.loads(error.display()), names=_DECLARED.findall(stubs))
    except (MontySyntaxError, MontyRuntimeError) as error:
        if OUT_OF_MEMORY.match(str(error.exception())):
            return [_too_complicated()]
        line, column = place(error)
        message = str(error.exception()).replace(_UNSUPPORTED, "The sandbox does not support")
        return [_problem(line or 1, column or 1, f"{_first_up(message)}.")]
    except MontyCrashedError as error:
        return [_too_complicated() if error.timed_out else _problem(1, 1, f"{UNCHECKED}: {error}")]
    except MontyError as error:
        return [_problem(1, 1, f"{UNCHECKED}: {error}")]
    return []


def _too_complicated() -> Problem:
    return _problem(
        1,
        1,
        f"{TOO_COMPLICATED}: that takes more than {SECONDS:g} s or {MEBIBYTES} MiB. Split it into several tasks, or have its loops and "
        "conditions change fewer variables.",
    )


def _readable(diagnostics: list[dict[str, Any]], *, names: Collection[str]) -> list[Problem]:
    """One problem a place: what follows there is said of the same mistake, once for each type that it concerns."""
    # What a parser guesses at behind a mistake of grammar only confuses: that mistake is told alone.
    grammar = [diagnostic for diagnostic in diagnostics if diagnostic["code"] == "invalid-syntax"]
    problems: dict[tuple[int, int], Problem] = {}
    for diagnostic in grammar or diagnostics:
        line, column = diagnostic["location"]["row"], diagnostic["location"]["column"]
        problems.setdefault((line, column), _reworded(line, column, diagnostic["message"], names=names))
    return sorted(problems.values())


def _problem(line: int, column: int, message: str, unknown: str = "") -> Problem:
    return Problem(line=max(line - 1, 1), column=column, message=message, unknown=unknown)  # the first line is the stop


def _reworded(line: int, column: int, message: str, *, names: Collection[str]) -> Problem:
    if undefined := _UNDEFINED.match(message):
        name = undefined[1]
        return _problem(line, column, f"There is no {name!r} here{suggestion(name, names) or '.'}", unknown=name)
    return _problem(line, column, _worded(message))


def _worded(message: str) -> str:
    if module := _UNKNOWN_MODULE.match(message):
        return f"The module {module[1]!r} can't be imported here."
    if _MAY_BE_NONE.search(message):
        message += (
            "; it may be None, which .get() gives for a missing key: give .get() a second value, or test for None first"
        )
    return _first_up(_LITERAL.sub(r"\1", message)).rstrip(".") + "."


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]

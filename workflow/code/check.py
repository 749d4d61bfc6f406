"""What is wrong with code, before it runs: what lint is given."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from time import monotonic
from typing import Final

from workflow import conf
from workflow.code.actions import Action, actions
from workflow.code.job import TOO_COMPLICATED, UNCHECKED, Problem
from workflow.code.mail import SWITCHED_OFF
from workflow.code.runner import get_runner
from workflow.code.stubs import stubs
from workflow.code.waits import WAITS

LONGEST = 10.0
"""Seconds that code which is too complicated may take, over all the tasks of a definition."""

REMEMBERED = 300.0
"""Seconds for which it is remembered that code is too complicated: the machine may only have been busy."""

_MOST_REMEMBERED = 500

_too_complicated: dict[tuple[str, str, bool], tuple[float, tuple[Problem, ...]]] = {}
"""When that was found, and what was said of it, by runner, code, and whether it is an expression."""


class _Unchecked(Exception):
    """The checker itself failed; the next time it may not, so this is not remembered for long."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems


def check_code(code: str, expression: bool = False) -> list[Problem]:
    """The problems of a task's code, or of a condition's or approver's `expression`; by place, empty when sound.

    Remembered: a page with thirty tasks would otherwise take the checker a second, each time that it is looked at.
    """
    key = (conf.get("RUNNER"), code, expression)
    at, problems = _too_complicated.get(key, (0.0, ()))
    if problems and monotonic() - at < REMEMBERED:
        return list(problems)
    try:
        declared = stubs(expression=expression, granted=_granted())
        found = _checked(conf.get("RUNNER"), code, expression=expression, declared=declared)
    except _Unchecked as unchecked:
        if any(problem.message.startswith(TOO_COMPLICATED) for problem in unchecked.problems):
            _remember(key, unchecked.problems)
        return list(unchecked.problems)
    return [_explained(problem, expression=expression) for problem in found]


class Checks:
    """`check_code` for all the code of a definition, which is looked through while somebody waits: once code that is too complicated has
    taken `longest` seconds together, the rest is left for the time after that is mended.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self._left = longest

    def __call__(self, code: str, expression: bool = False) -> list[Problem]:
        """See `check_code`."""
        if self._left <= 0:
            return [Problem(line=1, column=1, message=f"{UNCHECKED} yet: other code takes too long. {_FIRST}")]
        began = monotonic()
        problems = check_code(code, expression)
        if any(problem.message.startswith(TOO_COMPLICATED) for problem in problems):
            self._left -= monotonic() - began
        return problems


_FIRST: Final = "Mend what is too complicated first, and look again."


def _remember(key: tuple[str, str, bool], problems: tuple[Problem, ...]) -> None:
    _too_complicated[key] = (monotonic(), problems)
    for old in list(_too_complicated)[:-_MOST_REMEMBERED]:
        _too_complicated.pop(old, None)


def _granted() -> Mapping[str, Action]:
    """The actions that code may call on this site."""
    return actions() if conf.get("SEND_MAIL") else {name: one for name, one in actions().items() if name != "send_mail"}


def _explained(problem: Problem, *, expression: bool) -> Problem:
    """A name that code has and an expression has not, or that is switched off, is told as that, and not as one that there
    is not.
    """
    name = problem.unknown
    if name not in {*actions(), *WAITS}:
        return problem
    if not expression:
        is_off = name not in {*_granted(), *WAITS}
        return replace(problem, message=SWITCHED_OFF, unknown="") if is_off else problem
    return replace(problem, message=f"An expression can't call {name}(): only a task's code can.", unknown="")


@lru_cache(maxsize=2_000)
def _checked(runner: str, code: str, *, expression: bool, declared: str) -> tuple[Problem, ...]:  # noqa: ARG001 - a key
    problems = tuple(get_runner().check(code, expression=expression, stubs=declared))
    if any(problem.message.startswith((UNCHECKED, TOO_COMPLICATED)) for problem in problems):
        raise _Unchecked(problems)
    return problems

"""What is wrong with code, before it runs: what lint is given."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from workflow import conf
from workflow.code.actions import Action, actions
from workflow.code.job import UNCHECKED, Problem
from workflow.code.mail import SWITCHED_OFF
from workflow.code.runner import get_runner
from workflow.code.stubs import stubs
from workflow.code.waits import WAITS

_MISSING: Final = re.compile(r"There is no '(\w+)' here")


class _Unchecked(Exception):
    """The checker itself failed; the next time it may not, so this is not remembered."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems


def check_code(code: str, expression: bool = False) -> list[Problem]:
    """The problems of a task's code, or of a condition's or approver's `expression`; by place, empty when sound.

    Remembered: a page with thirty tasks would otherwise take the checker a second, each time that it is looked at.
    """
    try:
        declared = stubs(expression=expression, granted=_granted())
        found = _checked(conf.get("RUNNER"), code, expression=expression, declared=declared)
    except _Unchecked as unchecked:
        return list(unchecked.problems)
    return [_explained(problem, expression=expression) for problem in found]


def _granted() -> Mapping[str, Action]:
    """The actions that code may call on this site."""
    return actions() if conf.get("SEND_MAIL") else {name: one for name, one in actions().items() if name != "send_mail"}


def _explained(problem: Problem, *, expression: bool) -> Problem:
    """A name that code has and an expression has not, or that is switched off, is told as that, and not as one that there
    is not.
    """
    missing = _MISSING.match(problem.message)
    if missing is None or missing[1] not in {*actions(), *WAITS}:
        return problem
    if not expression:
        return replace(problem, message=SWITCHED_OFF) if missing[1] not in {*_granted(), *WAITS} else problem
    return replace(problem, message=f"An expression can't call {missing[1]}(): only a task's code can.")


@lru_cache(maxsize=2_000)
def _checked(runner: str, code: str, *, expression: bool, declared: str) -> tuple[Problem, ...]:  # noqa: ARG001 - a key
    problems = tuple(get_runner().check(code, expression=expression, stubs=declared))
    if any(problem.message.startswith(UNCHECKED) for problem in problems):
        raise _Unchecked(problems)
    return problems

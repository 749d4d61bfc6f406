"""What is wrong with code, before it runs: what lint is given."""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from workflow import conf
from workflow.code.actions import actions
from workflow.code.job import UNCHECKED, Problem
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
        found = _checked(conf.get("RUNNER"), code, expression=expression, declared=stubs(expression=expression))
    except _Unchecked as unchecked:
        return list(unchecked.problems)
    return [_explained(problem) for problem in found] if expression else list(found)


def _explained(problem: Problem) -> Problem:
    """A name that code has and an expression has not is told as that, and not as one that there is not."""
    missing = _MISSING.match(problem.message)
    if missing is None or missing[1] not in {*actions(), *WAITS}:
        return problem
    return replace(problem, message=f"An expression can't call {missing[1]}(): only a task's code can.")


@lru_cache(maxsize=2_000)
def _checked(runner: str, code: str, *, expression: bool, declared: str) -> tuple[Problem, ...]:  # noqa: ARG001 - a key
    problems = tuple(get_runner().check(code, expression=expression, stubs=declared))
    if any(problem.message.startswith(UNCHECKED) for problem in problems):
        raise _Unchecked(problems)
    return problems

"""What is wrong with code, before it runs: what lint is given."""

from functools import lru_cache

from workflow import conf
from workflow.code.job import UNCHECKED, Problem
from workflow.code.runner import get_runner
from workflow.code.stubs import stubs


class _Unchecked(Exception):
    """The checker itself failed; the next time it may not, so this is not remembered."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems


def check_code(code: str, expression: bool = False) -> list[Problem]:
    """The problems of a task's code, or of a condition's or approver's `expression`; by place, empty when sound.

    Remembered: a page with thirty tasks would otherwise take the checker a second, each time that it is looked at.
    """
    try:
        return list(_checked(conf.get("RUNNER"), code, expression=expression, declared=stubs(expression=expression)))
    except _Unchecked as unchecked:
        return list(unchecked.problems)


@lru_cache(maxsize=2_000)
def _checked(runner: str, code: str, *, expression: bool, declared: str) -> tuple[Problem, ...]:  # noqa: ARG001 - a key
    problems = tuple(get_runner().check(code, expression=expression, stubs=declared))
    if any(problem.message.startswith(UNCHECKED) for problem in problems):
        raise _Unchecked(problems)
    return problems

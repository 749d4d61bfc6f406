"""What is wrong with code, before it runs: what lint is given."""

from workflow.code.job import Problem
from workflow.code.runner import get_runner
from workflow.code.stubs import stubs


def check_code(code: str, expression: bool = False) -> list[Problem]:
    """The problems of a task's code, or of a condition's or approver's `expression`; by place, empty when sound."""
    return get_runner().check(code, expression=expression, stubs=stubs(expression=expression))

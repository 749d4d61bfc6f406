"""Expressions: conditions and approvers, which look at data and results, and call nothing."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

from workflow.code.failure import failure
from workflow.code.job import Answer, Call, Errored, Job, Outcome, RunInfo


def expression_job(
    expression: str, *, data: dict[str, Any], results: dict[str, Any], time_limit: float, memory_limit: int
) -> Job:
    """The job that an expression is: what it does to the data is lost."""
    run = RunInfo(id=0, process="", task="expression", attempt=1)
    return Job(
        code=parenthesized(expression),
        data=data,
        results=results,
        run=run,
        time_limit=time_limit,
        memory_limit=memory_limit,
    )


def parenthesized(expression: str) -> str:
    """The expression such that nothing but an expression parses; its lines keep their numbers."""
    return f"({expression.strip()}\n)"


def without_calls(running: Generator[Call, Answer, Outcome]) -> Outcome:
    """The outcome of a run in which the first call is an error."""
    with closing(running):
        try:
            call = next(running)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
    message = f"{call.name}() can't be called here: an expression looks at data and results, and calls no actions."
    return Errored(error=failure("CallRefused", message))

"""Entering a step: which of its rows start, and who may decide the manual ones (DESIGN.md 3, rules 2 and 3; 6)."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from workflow import conf
from workflow.circle import NotDecidable, circle_of
from workflow.code.expression import expression_job
from workflow.code.failure import MAX_MESSAGE, shortened
from workflow.code.job import Completed, Errored, Job
from workflow.deciding import Circle, Execution
from workflow.definition import Definition
from workflow.flow import Failed, Position
from workflow.models import RunningProcesses

Verdicts = dict[int, bool | Failed]
Circles = dict[int, Circle]

Evaluate = Callable[..., Completed | Errored]
"""`Runner.evaluate`, by the runner of whatever thread asks."""

_Found = TypeVar("_Found")

Evaluating = Generator[Job, object, _Found]
"""What stops before an expression, which may be evaluated elsewhere, and is then sent what came of it. Sent anything else, it
evaluates it itself.
"""


def verdicts(
    definition: Definition,
    position: Position,
    evaluate: Evaluate,
    instance: RunningProcesses,
    attempts: Mapping[int, int],
) -> Evaluating[tuple[Verdicts, Circles]]:
    """For each row of the position's step: whether it starts, or why it fails; and for manual ones that start, whom
    they ask. `attempts` are those of the rows that begin now, or wait: other rows have ended.
    """
    starts: Verdicts = {}
    for row in definition.step(position.sequence):
        starts[row] = yield from _holds(definition.rows[row].condition, position, evaluate)
    executions = {
        row: Execution(task=definition.task_of(row).name, visit=position.visit, row=row, attempt=attempts[row])
        for row, begins in starts.items()
        if begins is True and row in attempts and definition.task_of(row).manual
    }
    circles: Circles = {}
    for row, execution in executions.items():
        try:
            circles[row] = circle_of(
                execution,
                definition,
                instance,
                lambda text: evaluate(text, **_given(position)),
                open_now=list(executions.values()),
            )
        except NotDecidable as error:
            starts[row] = _failed(str(error), error.details)
    return starts, circles


def _holds(condition: str, position: Position, evaluate: Evaluate) -> Evaluating[bool | Failed]:
    if not condition.strip():
        return True
    outcome = yield expression_job(condition, **_given(position))
    if not isinstance(outcome, Completed):
        outcome = evaluate(condition, **_given(position))
    if isinstance(outcome, Errored):
        return _failed(f"The condition could not be evaluated: {outcome.error.message}", outcome.error.to_json())
    return bool(outcome.result)


def _given(position: Position) -> dict[str, Any]:
    """What an expression is evaluated with."""
    return {
        "data": dict(position.data),
        "results": dict(position.results),
        "time_limit": conf.get("TIME_LIMIT"),
        "memory_limit": conf.get("MEMORY_LIMIT"),
    }


def _failed(message: str, error: Mapping[str, Any] | None = None) -> Failed:
    return Failed(error={"type": "NotDecidable", **(error or {}), "message": shortened(message, MAX_MESSAGE)})

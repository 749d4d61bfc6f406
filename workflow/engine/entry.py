"""Entering a step: which of its rows start, and who may decide the manual ones (DESIGN.md 3, rules 2 and 3; 6)."""

from collections.abc import Mapping
from typing import Any

from workflow import conf
from workflow.circle import NotDecidable, circle_of
from workflow.code.failure import MAX_MESSAGE, shortened
from workflow.code.job import Errored
from workflow.code.job import Outcome as CodeOutcome
from workflow.code.runner import Runner
from workflow.deciding import Circle
from workflow.definition import Definition
from workflow.flow import Failed, Position
from workflow.models import RunningProcesses

Verdicts = dict[int, bool | Failed]
Circles = dict[int, Circle]


def verdicts(
    definition: Definition, position: Position, runner: Runner, instance: RunningProcesses
) -> tuple[Verdicts, Circles]:
    """For each row of the position's step: whether it starts, or why it fails; and for manual ones that start, whom
    they ask.
    """
    starts: Verdicts = {}
    circles: Circles = {}
    for row in definition.step(position.sequence):
        starts[row] = _holds(definition.rows[row].condition, position, runner)
        task = definition.task_of(row)
        if starts[row] is True and task.manual:
            try:
                circles[row] = circle_of(task, instance, lambda text: _evaluate(text, position, runner))
            except NotDecidable as error:
                starts[row] = _failed(str(error), error.details)
    return starts, circles


def _holds(condition: str, position: Position, runner: Runner) -> bool | Failed:
    if not condition.strip():
        return True
    outcome = _evaluate(condition, position, runner)
    if isinstance(outcome, Errored):
        return _failed(f"The condition could not be evaluated: {outcome.error.message}", outcome.error.to_json())
    return bool(outcome.result)


def _evaluate(expression: str, position: Position, runner: Runner) -> CodeOutcome:
    return runner.evaluate(
        expression,
        data=dict(position.data),
        results=dict(position.results),
        time_limit=conf.get("TIME_LIMIT"),
        memory_limit=conf.get("MEMORY_LIMIT"),
    )


def _failed(message: str, error: Mapping[str, Any] | None = None) -> Failed:
    return Failed(error={"type": "NotDecidable", **(error or {}), "message": shortened(message, MAX_MESSAGE)})

"""Entering a step: which of its rows start, and who may decide the manual ones (DESIGN.md 3, rules 2 and 3; 6)."""

from collections.abc import Mapping
from typing import Any

from workflow import approvers, conf
from workflow.code.failure import MAX_MESSAGE, shortened
from workflow.code.job import Errored
from workflow.code.job import Outcome as CodeOutcome
from workflow.code.runner import Runner
from workflow.definition import Definition
from workflow.flow import Failed, Position
from workflow.models.people import unknown_names

Verdicts = dict[int, bool | Failed]
Deciders = dict[int, str]


def verdicts(definition: Definition, position: Position, runner: Runner) -> tuple[Verdicts, Deciders]:
    """For each row of the position's step: whether it starts, or why it fails; and for manual ones that start, the
    names of who may decide, separated by commas.
    """
    starts: Verdicts = {}
    deciders: Deciders = {}
    for row in definition.step(position.sequence):
        starts[row] = _holds(definition.rows[row].condition, position, runner)
        task = definition.task_of(row)
        if starts[row] is True and task.manual:
            match _deciders(task.approver, position, runner):
                case Failed() as failed:
                    starts[row] = failed
                case names:
                    deciders[row] = names
    return starts, deciders


def _holds(condition: str, position: Position, runner: Runner) -> bool | Failed:
    if not condition.strip():
        return True
    outcome = _evaluate(condition, position, runner)
    if isinstance(outcome, Errored):
        return _failed(f"The condition could not be evaluated: {outcome.error.message}", outcome.error.to_json())
    return bool(outcome.result)


def _deciders(approver: str, position: Position, runner: Runner) -> str | Failed:
    if not approvers.is_expression(approver):
        return _known(approvers.names(approver))
    outcome = _evaluate(approvers.expression(approver), position, runner)
    if isinstance(outcome, Errored):
        return _failed(f"The approver could not be evaluated: {outcome.error.message}", outcome.error.to_json())
    try:
        return _known(approvers.names_from_value(outcome.result))
    except ValueError as error:
        return _failed(f"The approver {approver} is not right: {error}")


def _known(names: tuple[str, ...]) -> str | Failed:
    if unknown := unknown_names(names):
        return _failed(f"The approver is {', '.join(map(repr, unknown))}, but no active user or group has that name.")
    return ", ".join(names)


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

"""A task that is another process: it starts one, waits for its end, and takes over what that has done to the data.

The instance that it starts is the child of a call in the ledger, as with `run_process()`: so it is started once, and
an end that comes, a cancellation or a retry are those of any call that waits.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workflow import flow
from workflow.children import how_ended
from workflow.code.failure import failure
from workflow.code.job import CodeError, Completed, Errored, Job, Suspended
from workflow.code.ledger import Record
from workflow.code.runner import Runner
from workflow.code.waits import ForChildren
from workflow.definition import TaskDefinition
from workflow.engine.held import Declined
from workflow.engine.ledger import DatabaseLedger
from workflow.models import InstanceState, RunningProcesses
from workflow.models.states import ENDED

CALL = 1
"""The number of the only call that such a task makes."""


def run_subprocess(
    task: TaskDefinition, job: Job, runner: Runner, ledger: DatabaseLedger
) -> Completed | Declined | Errored | Suspended:
    """As far as the task comes: it waits for its child, or the child has ended."""
    begun = ledger.find(CALL)
    if begun is None:
        return _begin(task, job, runner, ledger)
    if begun.answer is None:  # taken up before it has ended
        return Suspended(wait=_wait(task, begun.arguments["kwargs"]))
    child = ledger.child(CALL)
    if child is None:
        return Errored(error=failure("NoSuchInstance", f"The instance of {task.subprocess!r} was deleted."))
    if child.state not in {InstanceState.FINISHED, InstanceState.REJECTED}:
        return Errored(error=_failure_of(child))
    return _taken_over(task, job, runner, before=begun.arguments["kwargs"], child=child)


def _begin(task: TaskDefinition, job: Job, runner: Runner, ledger: DatabaseLedger) -> Errored | Suspended:
    given = _evaluated(task.input, "input", job, runner, data=job.data) if task.input.strip() else job.data
    if isinstance(given, Errored):
        return given
    wait = _wait(task, given)
    try:
        ledger.refuse(wait)
    except ValueError as error:
        return Errored(error=failure("NotStartable", str(error)))
    ledger.begin_at(CALL)
    arguments = {"args": [task.subprocess], "kwargs": dict(given)}
    ledger.add(
        Record(number=CALL, name="run_process", arguments=arguments, started_at=ledger.clock(), wait=wait),
    )
    return Suspended(wait=wait)


def _wait(task: TaskDefinition, data: Mapping[str, Any]) -> ForChildren:
    return ForChildren(items=((task.subprocess, data),), alone=True)


def _taken_over(
    task: TaskDefinition, job: Job, runner: Runner, *, before: Mapping[str, Any], child: RunningProcesses
) -> Completed | Declined | Errored:
    if task.output.strip():
        kept = _evaluated(task.output, "output", job, runner, data=child.data)
        if isinstance(kept, Errored):
            return kept
        changes = flow.Changes(set=kept)
    else:
        changes = flow.Changes.between(before, child.data)
    data = changes.applied_to(job.data)
    if child.state == InstanceState.REJECTED:
        return Declined(result=child.data, data=data)
    return Completed(result=child.data, data=data)


def _evaluated(
    expression: str, name: str, job: Job, runner: Runner, *, data: Mapping[str, Any]
) -> Mapping[str, Any] | Errored:
    outcome = runner.evaluate(
        expression,
        data=dict(data),
        results=job.results,
        time_limit=job.time_limit,
        memory_limit=job.memory_limit,
    )
    if isinstance(outcome, Errored):
        message = f"The {name} could not be evaluated: {outcome.error.message}"
        return Errored(error=failure(outcome.error.type, message))
    if not isinstance(outcome.result, dict):
        wrong = type(outcome.result).__name__
        return Errored(error=failure("BadValue", f"The {name} must be a dict, such as {{'sum': 12}}; it is {wrong}."))
    return outcome.result


def _failure_of(child: RunningProcesses) -> CodeError:
    """The task's error, which says what became of its child, and why."""
    cause = flow.told(child.error) if child.error else None
    ended = _ended(child)
    return replace(failure(f"Subprocess{ended.capitalize()}", how_ended(child, ended)), instance=child.pk, cause=cause)


def _ended(child: RunningProcesses) -> InstanceState:
    """How it had ended when the task heard of that. Only one that failed goes on, if an operator retries it."""
    return InstanceState(child.state) if child.state in ENDED else InstanceState.FAILED

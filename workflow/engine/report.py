"""What an engine tells the log: a line for each finished task, and for each change of an instance's state."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow.code.job import Errored
from workflow.logs import InstanceFailed, fields, fingerprint
from workflow.models import InstanceState, Intervention, RunningProcesses, RunState, TaskRun, WaitingForApproval
from workflow.transitions import Turn

if TYPE_CHECKING:
    from workflow.engine.held import Held

logger = logging.getLogger("workflow.engine")

DECIDED = {RunState.FINISHED, RunState.REJECTED}
LONGEST_RESULT = 40
"""Characters: enough to tell one from another. More people read logs than may read the data."""
OF_A_DECISION = ("approved", "user", "by_default")
"""What is told of a decision: neither its comment nor its answers."""


def tell_lost(instance: RunningProcesses) -> None:
    """Log that this engine has an instance no longer: its lease ran out, or an operator has taken it."""
    told = "The lease of instance %s was lost. What was not written yet is discarded."
    logger.warning(told, instance.pk, extra=fields(**about(instance)))


def claim_line(instance: RunningProcesses) -> "Line":
    """What there is to tell of an instance that this engine has taken."""
    values = (instance.process_name, instance.pk, instance.step)
    return Line(logging.INFO, "%s instance %s is RUNNING at step %s", values, about(instance))


def tell_kept(instance: RunningProcesses, kept: Intervention) -> None:
    """Log what was done because people were late."""
    values = (instance.process_name, instance.pk, kept.action, kept.details)
    logger.info("%s instance %s: %s %s", *values, extra=fields(**about(instance)))


@dataclass(frozen=True)
class Line:
    """A line of the log."""

    level: int
    message: str
    values: tuple[Any, ...]
    about: dict[str, Any]
    error: InstanceFailed | None = None

    def tell(self) -> None:
        if logger.isEnabledFor(self.level):
            logger.handle(_record(self))


def _record(line: Line) -> logging.LogRecord:
    """The event, without looking for who logs it, which would take longer than all the rest."""
    place = (logger.name, line.level, __file__, 0)
    error = line.error
    if error is None:
        return logger.makeRecord(*place, line.message, line.values, None, extra=fields(**line.about))
    exc_info = (type(error), error, error.__traceback__)
    extra = fields(**line.about) | fingerprint(line.about["process"], line.about.get("task", ""), error.kind)
    return logger.makeRecord(*place, line.message, line.values, exc_info, extra=extra)


def about(instance: RunningProcesses, run: TaskRun | None = None) -> dict[str, Any]:
    """What a line is about. The engine that holds an instance is the one that tells of it."""
    about = {"instance": instance.pk, "process": instance.process_name, "engine": instance.owner}
    return about if run is None else {**about, "task": run.task_name, "attempt": run.attempt}


def report(held: "Held", turn: Turn) -> list[Line]:
    """What there is to tell of a turn, once it is written."""
    lines = [
        line
        for run in (*_decided(held, turn), *turn.changed, *turn.created)
        if (line := _line_of_run(held, run)) is not None
    ]
    lines += [_line_of_nobody(held, waiting) for waiting, circle in turn.waiting if circle.too_few]
    if turn.state != held.instance.state:
        lines.append(_line_of_state(held, turn))
    return lines


def _decided(held: "Held", turn: Turn) -> list[TaskRun]:
    """The task runs that people have finished, once their step is left: their results take effect now."""
    if not turn.fields or (turn.fields["visit"] == held.instance.visit and "ended_at" not in turn.fields):
        return []
    return [run for run in held.runs.values() if run.state in DECIDED and run not in turn.changed]


def _line_of_run(held: "Held", run: TaskRun) -> Line | None:
    name, task, instance = held.instance.process_name, run.task_name, held.instance.pk
    of = about(held.instance, run)
    match run.state:
        case RunState.FINISHED | RunState.REJECTED:
            done = (name, task, _short(_told(held, run)), instance)
            return Line(logging.INFO, "Result of %s task %s is %s (instance %s)", done, of)
        case RunState.RETRYING | RunState.FAILED:
            error = run.error or {}
            what = f"{error.get('type')}: {error.get('message')}"
            state = run.state.lower()
            # No error: it is tried again, or the process handles it, or its instance fails, which is told besides.
            return Line(logging.WARNING, "%s task %s is %s: %s (instance %s)", (name, task, state, what, instance), of)
        case RunState.WAITING:
            return Line(logging.INFO, "%s task %s waits for approval (instance %s)", (name, task, instance), of)
        case RunState.SUSPENDED:
            until = f"until {run.due_at}" if run.due_at else "for an event"
            return Line(logging.INFO, "%s task %s waits %s (instance %s)", (name, task, until, instance), of)
        case RunState.SKIPPED | RunState.CANCELLED:
            return Line(logging.INFO, "%s task %s is %s (instance %s)", (name, task, run.state.lower(), instance), of)
    return None


def _line_of_nobody(held: "Held", waiting: WaitingForApproval) -> Line:
    """An alert: it would wait for ever."""
    told = (waiting.process_name, waiting.task_name, waiting.approver or "any member of staff", held.instance.pk)
    message = (
        "%s task %s waits for too few active people: it asks %s (instance %s). Delegate it, or have it resolved again."
    )
    return Line(logging.WARNING, message, told, about(held.instance, waiting.task_run))


def _line_of_state(held: "Held", turn: Turn) -> Line:
    instance = held.instance
    of = {**about(instance), "state": turn.state.value}
    error = turn.fields.get("error")
    if turn.state == InstanceState.FAILED and error:
        return _line_of_failure(held, error, of)
    step = turn.fields.get("step", instance.step)
    told = (instance.process_name, instance.pk, turn.state.value, step)
    return Line(logging.INFO, "%s instance %s is %s at step %s", told, of)


def _line_of_failure(held: "Held", error: Mapping[str, Any], of: dict[str, Any]) -> Line:
    instance = held.instance
    what = f"{error.get('type')}: {error.get('message')}"
    told = (instance.process_name, instance.pk, instance.step, what)
    if task := error.get("task"):
        of["task"] = task
    why = InstanceFailed(error, cause=_cause(held, error))
    return Line(logging.ERROR, "%s instance %s is FAILED at step %s: %s", told, of, why)


def _cause(held: "Held", error: Mapping[str, Any]) -> Exception | None:
    """What an action raised in this very attempt, if the task that failed has failed by that."""
    for run in held.runs.values():
        report = held.reports.get(run.place)
        if report and isinstance(report.outcome, Errored) and {**(run.error or {}), "task": run.task_name} == error:
            return report.outcome.cause
    return None


def _told(held: "Held", run: TaskRun) -> object:
    if not held.definition.task_of(run.row).manual or not isinstance(run.result, dict):
        return run.result
    return {name: run.result[name] for name in OF_A_DECISION if name in run.result}


def _short(result: object) -> str:
    text = str(result)
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}…"

"""What an engine tells the log: a line for each finished task, and for each change of an instance's state."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun
from workflow.transitions import Turn

if TYPE_CHECKING:
    from workflow.engine.held import Held

logger = logging.getLogger("workflow.engine")

LEVELS = {RunState.RETRYING: logging.WARNING, RunState.FAILED: logging.ERROR}
DECIDED = {RunState.FINISHED, RunState.REJECTED}
LONGEST_RESULT = 200


def report_claim(instance: RunningProcesses) -> None:
    """Log that this engine has taken an instance."""
    logger.info("%s instance %s is RUNNING at step %s", instance.process_name, instance.pk, instance.step)


@dataclass(frozen=True)
class Line:
    """A line of the log."""

    level: int
    message: str
    values: tuple[Any, ...]

    def tell(self) -> None:
        logger.log(self.level, self.message, *self.values)


def report(held: "Held", turn: Turn) -> list[Line]:
    """What there is to tell of a turn, once it is written."""
    lines = [
        line
        for run in (*_decided(held, turn), *turn.changed, *turn.created)
        if (line := _line_of_run(held, run)) is not None
    ]
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
    match run.state:
        case RunState.FINISHED | RunState.REJECTED:
            return Line(
                logging.INFO, "Result of %s task %s is %s (instance %s)", (name, task, _short(run.result), instance)
            )
        case RunState.RETRYING | RunState.FAILED:
            error = run.error or {}
            what = f"{error.get('type')}: {error.get('message')}"
            level, state = LEVELS[RunState(run.state)], run.state.lower()
            return Line(level, "%s task %s is %s: %s (instance %s)", (name, task, state, what, instance))
        case RunState.WAITING:
            return Line(logging.INFO, "%s task %s waits for approval (instance %s)", (name, task, instance))
        case RunState.SUSPENDED:
            until = f"until {run.due_at}" if run.due_at else "for an event"
            return Line(logging.INFO, "%s task %s waits %s (instance %s)", (name, task, until, instance))
        case RunState.SKIPPED | RunState.CANCELLED:
            return Line(logging.INFO, "%s task %s is %s (instance %s)", (name, task, run.state.lower(), instance))
    return None


def _line_of_state(held: "Held", turn: Turn) -> Line:
    instance = held.instance
    error = turn.fields.get("error")
    if turn.state == InstanceState.FAILED and error:
        what = f"{error.get('type')}: {error.get('message')}"
        failed = (instance.process_name, instance.pk, instance.step, what)
        return Line(logging.ERROR, "%s instance %s is FAILED at step %s: %s", failed)
    step = turn.fields.get("step", instance.step)
    told = (instance.process_name, instance.pk, turn.state.value, step)
    return Line(logging.INFO, "%s instance %s is %s at step %s", told)


def _short(result: object) -> str:
    text = str(result)
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}…"

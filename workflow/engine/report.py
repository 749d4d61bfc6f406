"""What an engine tells the log: a line for each finished task, and for each change of an instance's state."""

import logging

from workflow.engine.held import Held
from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun
from workflow.transitions import Turn

logger = logging.getLogger("workflow.engine")

LEVELS = {RunState.RETRYING: logging.WARNING, RunState.FAILED: logging.ERROR}
DECIDED = {RunState.FINISHED, RunState.REJECTED}
LONGEST_RESULT = 200


def report_claim(instance: RunningProcesses) -> None:
    """Log that this engine has taken an instance."""
    logger.info("%s instance %s is RUNNING at step %s", instance.process_name, instance.pk, instance.step)


def report(held: Held, turn: Turn) -> None:
    """Log what a turn has written."""
    for run in (*_decided(held, turn), *turn.changed, *turn.created):
        _report_run(held, run)
    if turn.state != held.instance.state:
        _report_state(held, turn)


def _decided(held: Held, turn: Turn) -> list[TaskRun]:
    """The task runs that people have finished, once their step is left: their results take effect now."""
    if not turn.fields or (turn.fields["visit"] == held.instance.visit and "ended_at" not in turn.fields):
        return []
    return [run for run in held.runs.values() if run.state in DECIDED and run not in turn.changed]


def _report_run(held: Held, run: TaskRun) -> None:
    name, task, instance = held.instance.process_name, run.task_name, held.instance.pk
    match run.state:
        case RunState.FINISHED | RunState.REJECTED:
            logger.info("Result of %s task %s is %s (instance %s)", name, task, _short(run.result), instance)
        case RunState.RETRYING | RunState.FAILED:
            error = run.error or {}
            what = f"{error.get('type')}: {error.get('message')}"
            level, state = LEVELS[RunState(run.state)], run.state.lower()
            logger.log(level, "%s task %s is %s: %s (instance %s)", name, task, state, what, instance)
        case RunState.WAITING:
            logger.info("%s task %s waits for approval (instance %s)", name, task, instance)
        case RunState.SUSPENDED:
            until = f"until {run.due_at}" if run.due_at else "for an event"
            logger.info("%s task %s waits %s (instance %s)", name, task, until, instance)
        case RunState.SKIPPED | RunState.CANCELLED:
            logger.info("%s task %s is %s (instance %s)", name, task, run.state.lower(), instance)


def _report_state(held: Held, turn: Turn) -> None:
    instance = held.instance
    error = turn.fields.get("error")
    if turn.state == InstanceState.FAILED and error:
        what = f"{error.get('type')}: {error.get('message')}"
        logger.error("%s instance %s is FAILED at step %s: %s", instance.process_name, instance.pk, instance.step, what)
        return
    step = turn.fields.get("step", instance.step)
    logger.info("%s instance %s is %s at step %s", instance.process_name, instance.pk, turn.state.value, step)


def _short(result: object) -> str:
    text = str(result)
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}…"

"""What happens to an instance that the engine itself fails on: it FAILS, with the reason where people look."""

from datetime import datetime
from typing import Any

from workflow import history, transitions
from workflow.code.failure import failure
from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun
from workflow.models.states import OPEN
from workflow.transitions import Turn


def give_up(instance: RunningProcesses, error: BaseException, *, now: datetime) -> None:
    """Fail the instance, if this engine holds it still. A retry goes on from the last write."""
    found = transitions.refresh(transitions.lease_of(instance))
    if found is None:
        return
    lease, fresh = found
    # Without its definition, which may be what the engine fails on.
    runs = history.runs_of_step(fresh).values()
    what = failure(type(error).__name__, f"The engine failed: {_message(error)}").to_json()
    changed = [_closed(run, what, now) for run in runs if run.state in OPEN]
    fields = {"error": what, "ended_at": now}
    transitions.apply(
        lease, Turn(state=InstanceState.FAILED, fields=fields, changed=changed, parent=fresh.parent, at=now)
    )


def hand_back(instance: RunningProcesses, *, at: datetime | None = None) -> None:
    """Let another engine go on from the last write, if this engine holds the instance still. `at` is as in `handed_back`."""
    while (found := transitions.refresh(transitions.lease_of(instance))) is not None:
        lease, fresh = found
        if transitions.apply(lease, handed_back(fresh, at=at)) is not transitions.Applied.OUTDATED:
            return


def handed_back(instance: RunningProcesses, *, at: datetime | None = None) -> Turn:
    """The turn that gives back what has not come to rest: to the front of the queue, where it was claimed, or behind what was
    due before `at`.
    """
    return Turn(state=InstanceState.READY, due_at=at or instance.started_at)


def _message(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception:  # noqa: BLE001 - an action may have raised it, and it must still be told of
        return "its message can't be shown"


def _closed(run: TaskRun, error: dict[str, Any], now: datetime) -> TaskRun:
    if run.state == RunState.RUNNING:
        run.state, run.error = RunState.FAILED, error
    else:
        run.state = RunState.CANCELLED
    run.ended_at, run.due_at = now, None
    return run

"""An instance's position, read from its rows: what `flow` decides on, from what the database keeps."""

from collections.abc import Iterable
from typing import Any

from workflow.flow import Changes, Failed, Finished, Outcome, Position, Rejected, RowState, Skipped
from workflow.models import RunningProcesses, RunState, TaskRun


def runs_of_step(instance: RunningProcesses) -> dict[int, TaskRun]:
    """The task runs of the step that the instance is at, by row. Empty until the step is entered."""
    return {run.row: run for run in TaskRun.objects.filter(instance=instance, visit=instance.visit)}


def position_of(instance: RunningProcesses, runs: Iterable[TaskRun]) -> Position:
    """Where the instance stands, given the task runs of its step."""
    return Position(
        sequence=instance.step,
        visit=instance.visit,
        data=instance.data,
        results=instance.results,
        rows={run.row: _row_state(run) for run in runs},
    )


def changes_to_json(changes: Changes) -> dict[str, Any]:
    """As `TaskRun.changes` keeps them."""
    return {"set": dict(changes.set), "removed": list(changes.removed)}


def _row_state(run: TaskRun) -> RowState:
    if run.state == RunState.CANCELLED:
        return RowState(cancelled=True)
    return RowState(outcome=_outcome(run))


def _outcome(run: TaskRun) -> Outcome | None:
    match run.state:
        case RunState.FINISHED:
            return Finished(result=run.result, changes=_changes(run))
        case RunState.REJECTED:
            return Rejected(result=run.result, changes=_changes(run))
        case RunState.FAILED:
            return Failed(error=run.error or {})
        case RunState.SKIPPED:
            return Skipped()
    return None


def _changes(run: TaskRun) -> Changes:
    kept = run.changes or {}
    return Changes(set=kept.get("set", {}), removed=tuple(kept.get("removed", ())))

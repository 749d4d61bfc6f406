"""Processes for tests, written as short as they are thought of."""

from typing import Any

from workflow.code.runner import get_runner
from workflow.engine import Engine, Mode
from workflow.models import Process, RunningProcesses, Task, TaskTransitions


def manual(approver: str = "", **fields: Any) -> dict[str, Any]:
    """A manual task's fields."""
    return {"manual": True, "approver": approver, **fields}


def code(text: str, **fields: Any) -> dict[str, Any]:
    """A code task's fields."""
    return {"code": text, **fields}


def process(
    name: str, tasks: dict[str, dict[str, Any]], *rows: tuple[int, str] | tuple[int, str, dict[str, Any]]
) -> Process:
    """A draft in the database: its tasks by name, and its rows as (sequence, task name, other fields)."""
    made = Process.objects.create(name=name)
    by_name = {task: Task.objects.create(parent=made, name=task, **fields) for task, fields in tasks.items()}
    for sequence, task, *fields in rows:
        TaskTransitions.objects.create(
            process=made, task=by_name[task], sequence=sequence, **(fields[0] if fields else {})
        )
    return made


def engine(**options: Any) -> Engine:
    """An engine in this OS process."""
    defaults: dict[str, Any] = {"poll_interval": 0.02, "concurrency": 2, "batch": 10, "lease": 30.0}
    return Engine(runner=get_runner(), **{**defaults, **options})


def run_until_idle(**options: Any) -> None:
    """Run an engine until nothing is ready, running or due."""
    engine(**options).run(Mode.UNTIL_IDLE)


def outline(instance: RunningProcesses) -> list[tuple[int, int, str, str]]:
    """An instance's history: visit, sequence, task and state of each task run, in order."""
    runs = instance.task_runs.order_by("visit", "row")
    return [(run.visit, run.sequence, run.task_name, str(run.state)) for run in runs]

"""Processes for tests, written as short as they are thought of."""

from typing import Any

from tests import own
from tests.own import ours
from workflow import operations
from workflow.code.runner import get_runner
from workflow.engine import Engine, Mode
from workflow.models import FormField, Process, RunningProcesses, Task, TaskTransitions, WaitingForApproval


def manual(approver: str = "", **fields: Any) -> dict[str, Any]:
    """A manual task's fields."""
    return {"manual": True, "approver": approver, **fields}


def code(text: str, **fields: Any) -> dict[str, Any]:
    """A code task's fields."""
    return {"code": text, **fields}


def form(made: Process, task: str | None = None, **fields: str | dict[str, Any]) -> None:
    """Give a task of the draft, or its start, a form: kinds by name, or all of a field's values."""
    of = made.tasks.get(name=task) if task else None
    for position, (name, given) in enumerate(fields.items()):
        values = {"kind": given} if isinstance(given, str) else given
        FormField.objects.create(process=made, task=of, position=position, name=name, **values)


def waits(name: str, data: dict[str, Any] | None = None, user: Any = None, *, task: str = "") -> WaitingForApproval:
    """Start an instance, and have an engine bring it to where it waits; of several, that task."""
    instance = operations.start(name, data, user)
    run_until_idle()
    waiting = ours(WaitingForApproval).filter(rpid=instance)
    return waiting.get(task_name=task) if task else waiting.get()


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
    defaults: dict[str, Any] = {
        "runner": get_runner(),
        "poll_interval": 0.02,
        "concurrency": 2,
        "batch": 10,
        "lease": 30.0,
        "processes": own.processes(),
    }
    return Engine(**{**defaults, **options})


def run_until_idle(**options: Any) -> None:
    """Run an engine until nothing is ready, running or due."""
    engine(**options).run(Mode.UNTIL_IDLE)


def outline(instance: RunningProcesses) -> list[tuple[int, int, str, str]]:
    """An instance's history: visit, sequence, task and state of each task run, in order."""
    runs = instance.task_runs.order_by("visit", "row")
    return [(run.visit, run.sequence, run.task_name, str(run.state)) for run in runs]

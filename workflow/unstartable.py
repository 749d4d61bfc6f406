"""Which sub-process keeps an instance from going on: its draft calls functions that no live engine has (see `starting.prepare_children`).

What stands at a call is not recorded before the call can be made. So this reads the names of processes where they stand: in the
task, in literals of its code, or else in the instance's data.
"""

import ast
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from workflow import health
from workflow.abilities import Needs
from workflow.children import STARTING
from workflow.code.text import free_names
from workflow.definition import TaskDefinition
from workflow.errors import DefinitionTooNew
from workflow.models import Engine, Process, ProcessVersion, RunningProcesses, RunState
from workflow.models.drafts import drafts
from workflow.routes import has_code


def unstartable(instance: RunningProcesses, fleet: Collection[Engine]) -> tuple[str, str] | None:
    """The name of the process that the instance can't start, and what its draft needs, in words. `None` where there is none."""
    for name, needs in _needs_of_drafts(_names(instance)).items():
        if missing := health.missing_of(needs, instance, fleet):
            return name, missing
    return None


def _names(instance: RunningProcesses) -> list[str]:
    """Processes that the open tasks of an instance may be about to start."""
    tasks = _starting_tasks(instance)
    if not tasks:  # as a rule: a page of such an instance asks the database no more for this
        return []
    found = _existing({task.subprocess for task in tasks if task.subprocess} | set(_literals(tasks)))
    return found if found or not any(map(_calls_for_start, tasks)) else _existing(set(_strings(instance.data)))


def _starting_tasks(instance: RunningProcesses) -> list[TaskDefinition]:
    """The open tasks of the instance's step that start other processes."""
    try:
        definition = instance.version.frozen
    except DefinitionTooNew:
        return []
    tasks = {row: definition.task_of(row) for row in definition.step(instance.step)}
    starting = {row: task for row, task in tasks.items() if task.subprocess or _calls_for_start(task)}
    if not starting:
        return []
    runs = instance.task_runs.filter(visit=instance.visit, state=RunState.RUNNING, row__in=starting)
    return [starting[row] for row in runs.order_by("row").values_list("row", flat=True)]


def _calls_for_start(task: TaskDefinition) -> bool:
    return has_code(task) and not free_names(task.code).isdisjoint(STARTING)


def _literals(tasks: Iterable[TaskDefinition]) -> Iterator[str]:
    for task in filter(_calls_for_start, tasks):
        yield from (node.value for node in ast.walk(ast.parse(task.code)) if _is_text(node))  # type: ignore[attr-defined]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _strings(one)
        case list():
            for one in value:
                yield from _strings(one)


def _existing(names: Collection[str]) -> list[str]:
    return list(Process.objects.filter(name__in=names).order_by("name").values_list("name", flat=True)) if names else []


def _needs_of_drafts(names: Collection[str]) -> dict[str, Needs]:
    """What drafts need that a start would freeze. Where the newest version is the same, that starts, and any engine can start it."""
    if not names:
        return {}
    newest = dict(
        ProcessVersion.objects.filter(name__in=names).order_by("name", "number").values_list("name", "digest")
    )
    found = drafts(Process.objects.filter(name__in=names))
    return {name: Needs.of_code(one) for name, one in found.items() if newest.get(name) != one.digest}

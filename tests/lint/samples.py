"""Definitions to be linted, and what is told of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from workflow.definition import Definition, Field, Row, TaskDefinition
from workflow.lint import Finding, lint

KNOWN = frozenset({"anna", "managers"})


@dataclass(frozen=True)
class Problem:
    line: int
    column: int
    message: str
    unknown: str = ""


def no_problems(code: str, *, expression: bool) -> list[Problem]:
    return []


def unknown(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in KNOWN]


def found(definition: Definition) -> list[Finding]:
    return lint(definition, check_code=no_problems, unknown_approvers=unknown)


def told(definition: Definition) -> list[str]:
    """The findings as a terminal shows them, with their level."""
    return [f"{finding.level}: {finding}" for finding in found(definition)]


def process(*rows: Row, **tasks: TaskDefinition | None) -> Definition:
    """A process of these rows. Tasks are code, but for those given; a task given as `None` does not exist."""
    names = dict.fromkeys([*tasks, *(row.task for row in rows)])
    made = {name: tasks.get(name, TaskDefinition(name=name, code="1")) for name in names}
    ordered = tuple(sorted(rows, key=lambda row: row.sequence))
    return Definition(name="P", tasks=tuple(task for task in made.values() if task is not None), rows=ordered)


def row(sequence: int, task: str, **fields: Any) -> Row:
    return Row(task=task, sequence=sequence, **fields)


def manual(name: str, approver: str = "") -> TaskDefinition:
    return TaskDefinition(name=name, manual=True, approver=approver)


def with_task(task: TaskDefinition) -> Definition:
    return process(row(1, task.name), **{task.name: task})


def with_form(*fields: Field) -> Definition:
    return with_task(replace(manual("a"), fields=fields))

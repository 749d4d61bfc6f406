"""What a process is, frozen: immutable values that an instance is pinned to.

Pure: no Django, no database. The admin's rows are drafts; `models.drafts` turns a draft into
a `Definition`, and a `ProcessVersion` keeps its JSON for as long as an instance needs it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from workflow import approvers


class Kind(StrEnum):
    """What a form field takes."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    NUMBER = "number"
    MONEY = "money"
    DATE = "date"
    CHOICE = "choice"
    YES_NO = "yes_no"
    FILE = "file"
    USER = "user"


class ByDefault(StrEnum):
    """What is decided where nobody decides."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing that people are asked for, by a task or when a process starts. What they answer is `data[name]`."""

    name: str
    label: str = ""
    kind: Kind = Kind.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""

    @property
    def title(self) -> str:
        """What people read before the field."""
        return self.label or self.name.replace("_", " ").capitalize()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The field that `asdict` wrote; what it lacks takes its default."""
        given = {**value, "kind": Kind(value.get("kind", Kind.TEXT)), "choices": tuple(value.get("choices", ()))}
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A unit of work: manual (people decide), code, or another process by its name (`subprocess`).

    `approver` names users and groups, separated by commas, or is an expression (`=data["manager"]`);
    blank means any member of staff. `input` and `output` are expressions that say what data a sub-process
    begins with, and what of its final data comes back; blank means all of it. `timeout`, `retry_delay` and
    `time_limit` are in seconds, `memory_limit` in MiB; `None` takes the setting, or, for `timeout`, is no limit.

    Of a manual task, `quorum` is how many have to approve it; `not_starter` keeps whoever started the instance from
    deciding it, `not_same_as` whoever decided the task of that name, and `same_as` everybody else than whoever did.
    `instructions` are Markdown with values of `data`; `fields` is the form that is filled in with the decision.

    It is to be decided within `due`, a span of working time (`2d`) by the `calendar` of that name; blank is the default
    calendar. `remind` lists when people are reminded, `escalate_to` names, as `approver` does, who is asked as well
    `escalate_after` that, and `by_default` is what is decided `by_default_after` that: all in working time that is added
    to when it is due.
    """

    name: str
    manual: bool = False
    code: str = ""
    approver: str = ""
    quorum: int = 1
    not_starter: bool = False
    not_same_as: str = ""
    same_as: str = ""
    instructions: str = ""
    fields: tuple[Field, ...] = ()
    due: str = ""
    calendar: str = ""
    remind: str = ""
    escalate_to: str = ""
    escalate_after: str = ""
    by_default: str = ""
    by_default_after: str = ""
    subprocess: str = ""
    input: str = ""
    output: str = ""
    timeout: float | None = None
    max_attempts: int = 1
    retry_delay: float = 10.0
    time_limit: float | None = None
    memory_limit: int | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The task that `asdict` wrote; what it lacks takes its default."""
        return cls(**{**value, "fields": fields_from_json(value)})


def fields_from_json(value: Mapping[str, Any]) -> tuple[Field, ...]:
    """The `fields` of what `asdict` wrote."""
    return tuple(Field.from_json(field) for field in value.get("fields", ()))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One task at one step, and what comes next: the frozen form of a `TaskTransitions` row.

    `then`, `on_reject` and `on_error` are sequence numbers; `None` means the rule's default (DESIGN.md 3).
    """

    task: str
    sequence: int
    condition: str = ""
    then: int | None = None
    on_reject: int | None = None
    on_error: int | None = None
    ends_step: bool = False


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A whole process. `rows` stand in the order of the draft: by sequence, then by row.

    A row is known everywhere by its index in `rows`, which is stable because a definition never changes. `fields` is
    the form that people fill in who start it.
    """

    name: str
    tasks: tuple[TaskDefinition, ...] = ()
    rows: tuple[Row, ...] = ()
    fields: tuple[Field, ...] = ()

    @cached_property
    def sequences(self) -> tuple[int, ...]:
        """The steps' numbers, ascending."""
        return tuple(sorted({row.sequence for row in self.rows}))

    @cached_property
    def _tasks(self) -> Mapping[str, TaskDefinition]:
        return {task.name: task for task in self.tasks}

    @cached_property
    def _steps(self) -> Mapping[int, tuple[int, ...]]:
        steps: dict[int, tuple[int, ...]] = {}
        for index, row in enumerate(self.rows):
            steps[row.sequence] = (*steps.get(row.sequence, ()), index)
        return steps

    def task(self, name: str) -> TaskDefinition:
        """The task of that name; `KeyError` where there is none."""
        return self._tasks[name]

    @cached_property
    def _tasks_of_rows(self) -> tuple[TaskDefinition, ...]:
        return tuple(self._tasks[row.task] for row in self.rows)

    @cached_property
    def _following(self) -> Mapping[int, int]:
        return dict(pairwise(self.sequences))

    @cached_property
    def expressions(self) -> tuple[str, ...]:
        """What is evaluated on entering its steps: conditions, and whom tasks ask."""
        conditions = [row.condition for row in self.rows if row.condition.strip()]
        people = [text for task in self.tasks if task.manual for text in (task.approver, task.escalate_to)]
        return (*conditions, *(approvers.expression(text) for text in people if approvers.is_expression(text)))

    @cached_property
    def asks_people(self) -> bool:
        """Whether any of its tasks is manual."""
        return any(task.manual for task in self.tasks)

    def task_of(self, index: int) -> TaskDefinition:
        """The task that row `index` puts at its step."""
        return self._tasks_of_rows[index]

    def step(self, sequence: int) -> tuple[int, ...]:
        """Indexes of the rows at `sequence`, in row order; empty where there is no such step."""
        return self._steps.get(sequence, ())

    def after(self, sequence: int) -> int | None:
        """The next higher sequence, or `None` at the end."""
        if sequence in self._following:
            return self._following[sequence]
        return next((number for number in self.sequences if number > sequence), None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal definition."""
        return {
            "name": self.name,
            "tasks": [asdict(task) for task in self.tasks],
            "rows": [asdict(row) for row in self.rows],
            "fields": [asdict(field) for field in self.fields],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The definition that `to_json` wrote; fields that it lacks take their defaults."""
        return cls(
            name=value["name"],
            tasks=tuple(TaskDefinition.from_json(task) for task in value["tasks"]),
            rows=tuple(Row(**row) for row in value["rows"]),
            fields=fields_from_json(value),
        )

    @cached_property
    def digest(self) -> str:
        """A fingerprint: equal definitions, and only those, have the same one."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

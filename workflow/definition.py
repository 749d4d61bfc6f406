"""What a process is, frozen: immutable values that an instance is pinned to.

Pure: no Django, no database. The admin's rows are drafts; `models.drafts` turns a draft into
a `Definition`, and a `ProcessVersion` keeps its JSON for as long as an instance needs it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Self, TypeVar

from workflow import approvers
from workflow.errors import DefinitionTooNew

FORMAT = 1
"""The newest format of definitions that this software reads and writes.

To add a field to a definition, count this up to N and give the field a default and `metadata={"since": N}`. A definition that leaves the
field at its default is then written as before, with the same digest, and older engines go on reading it.
"""

_Part = TypeVar("_Part")


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
        """The field that `to_json` wrote; what it lacks takes its default. Raises `DefinitionTooNew`."""
        given = {**value, "kind": _kind(value.get("kind", Kind.TEXT)), "choices": tuple(value.get("choices", ()))}
        return _read(cls, given)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal field."""
        return _written(self)


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A unit of work: manual (people decide), code, or another process by its name (`subprocess`).

    `approver` names users and groups, separated by commas, or is an expression (`=data["manager"]`);
    blank means any member of staff. `input` and `output` are expressions that say what data a sub-process
    begins with, and what of its final data comes back; blank means all of it. `timeout`, `retry_delay` and
    `time_limit` are in seconds, `memory_limit` in MiB; `None` takes the setting, or, for `timeout`, is no limit.

    Of a manual task, `quorum` is how many have to approve it; `not_starter` keeps whoever started the instance from
    deciding it, `not_same_as` whoever decided the task of that name (and the other way round, so that one of two tasks
    need say it), and `same_as` everybody else than whoever did. A stand-in decides for both: neither they nor the person
    for whom they stand in may decide the other task.
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
        """The task that `to_json` wrote; what it lacks takes its default. Raises `DefinitionTooNew`."""
        return _read(cls, {**value, "fields": fields_from_json(value)})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal task."""
        return {**_written(self), "fields": [field.to_json() for field in self.fields]}


def fields_from_json(value: Mapping[str, Any]) -> tuple[Field, ...]:
    """The `fields` of what `to_json` wrote. Raises `DefinitionTooNew`."""
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

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The row that `to_json` wrote; what it lacks takes its default. Raises `DefinitionTooNew`."""
        return _read(cls, value)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal row."""
        return _written(self)


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

    @cached_property
    def _apart(self) -> Mapping[str, frozenset[str]]:
        pairs = [(task.name, task.not_same_as) for task in self.tasks if task.manual and task.not_same_as]
        found: dict[str, set[str]] = {}
        for one, other in pairs:
            found.setdefault(one, set()).add(other)
            found.setdefault(other, set()).add(one)
        return {name: frozenset(others) for name, others in found.items()}

    @cached_property
    def asks_apart(self) -> bool:
        """Whether its code may ask people, by `approval()`, who are not to decide one of its tasks as well."""
        return any("approval" in task.code and ("not_same_as" in task.code or "**" in task.code) for task in self.tasks)

    def apart_from(self, name: str) -> frozenset[str]:
        """The tasks that other people have to decide than this one, whichever of the two says so."""
        return self._apart.get(name, frozenset())

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

    @cached_property
    def format(self) -> int:
        """The oldest format that can express this definition: an engine reads those up to its own `FORMAT`."""
        return max(
            (_since(field) for part in self._parts() for field in fields(part) if _is_used(part, field)), default=1
        )

    def _parts(self) -> Iterator[Any]:
        """The definition with everything that it is made of."""
        yield self
        yield from self.rows
        yield from self.fields
        for task in self.tasks:
            yield task
            yield from task.fields

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal definition. It names its `format` unless that is 1, which is what has none."""
        written = {
            "name": self.name,
            "tasks": [task.to_json() for task in self.tasks],
            "rows": [row.to_json() for row in self.rows],
            "fields": [field.to_json() for field in self.fields],
        }
        return written if self.format == 1 else {**written, "format": self.format}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The definition that `to_json` wrote; what it lacks takes its default.

        Raises `DefinitionTooNew` where a newer version of this software wrote it: its format is higher than `FORMAT`, or it has
        something that is unknown here. To leave that out would run another process than the one that was published.
        """
        _refuse_newer(value)
        return cls(
            name=value["name"],
            tasks=tuple(TaskDefinition.from_json(task) for task in value["tasks"]),
            rows=tuple(Row.from_json(row) for row in value["rows"]),
            fields=fields_from_json(value),
        )

    @cached_property
    def digest(self) -> str:
        """A fingerprint: equal definitions, and only those, have the same one."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _refuse_newer(value: Mapping[str, Any]) -> None:
    name, number = value["name"], value.get("format", 1)
    if not isinstance(number, int) or number > FORMAT:
        raise DefinitionTooNew(
            f"The definition of {name!r} has format {number!r}; this software reads formats up to {FORMAT}."
        )
    if unknown := value.keys() - {"name", "tasks", "rows", "fields", "format"}:
        raise DefinitionTooNew(f"The definition of {name!r} has {_listed(unknown)}, which this software doesn't know.")


def _read(part: type[_Part], value: Mapping[str, Any]) -> _Part:
    """A part of a definition from what `_written` made of it."""
    known = {field.name for field in fields(part)}  # type: ignore[arg-type]  # they are all dataclasses
    if unknown := value.keys() - known:
        raise DefinitionTooNew(
            f"The definition has a {part.__name__} with {_listed(unknown)}, which this software doesn't know."
        )
    return part(**value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names)))


def _kind(value: str) -> Kind:
    try:
        return Kind(value)
    except ValueError:
        raise DefinitionTooNew(
            f"The definition has a Field of the kind {value!r}, which this software doesn't know."
        ) from None


def _written(part: Any) -> dict[str, Any]:
    """A part's fields; without those of later formats that it does not use."""
    return {
        field.name: getattr(part, field.name) for field in fields(part) if _since(field) == 1 or _is_used(part, field)
    }


def _since(field: Any) -> int:
    """The format in which definitions got this field."""
    since: int = field.metadata.get("since", 1)
    return since


def _is_used(part: Any, field: Any) -> bool:
    return bool(getattr(part, field.name) != field.default)

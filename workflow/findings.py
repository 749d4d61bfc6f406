"""What `lint` finds: values that say what is wrong, and where.

Pure: no Django, no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Literal, Protocol

from workflow.definition import Definition
from workflow.language import gettext as _

Level = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One mistake, or with `warning` one oddity, and where it is.

    `task` is a task's name, `row` an index in `definition.rows` (and `step` its sequence), `field` the name of the
    model's field. A finding about a step stands at its first row, without a task; one about the process has neither.
    `entry` is the index of a form field, where `field` is the form that it belongs to.
    `line` and `column` (1-based) are places in the text of `field`. The message leaves the place to whoever shows
    it; `str` puts the place before it, but not the level. `unknown` is the name that a task's code uses, where there is
    nothing of that name here.
    """

    level: Level
    message: str
    task: str | None = None
    row: int | None = None
    step: int | None = None
    field: str | None = None
    entry: int | None = None
    line: int | None = None
    column: int | None = None
    unknown: str = dataclass_field(default="", compare=False)

    def __str__(self) -> str:
        place = ", ".join(self._place())
        return f"{place}: {self.message}" if place else self.message

    def _place(self) -> Iterator[str]:
        if self.row is not None:
            yield _("Step %(step)s") % {"step": self.step}
            if self.task is not None:
                yield repr(self.task)
        elif self.task is not None:
            yield _("Task %(task)r") % {"task": self.task}
        elif self.entry is not None:
            yield _("Start form")
        if self.line is not None:
            yield _("%(field)s line %(line)s, column %(column)s") % {
                "field": (self.field or "code").replace("_", " "),
                "line": self.line,
                "column": self.column,
            }


class Problem(Protocol):
    """What the checker of code finds; line and column are 1-based."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def unknown(self) -> str: ...


def at_task(name: str, field: str, message: str, level: Level = "error") -> Finding:
    """About a task itself, wherever it is used."""
    return Finding(level=level, message=message, task=name, field=field)


def at_row(definition: Definition, index: int, field: str, message: str, level: Level = "error") -> Finding:
    """About one row."""
    row = definition.rows[index]
    return Finding(level=level, message=message, task=row.task, row=index, step=row.sequence, field=field)


def at_step(definition: Definition, sequence: int, message: str) -> Finding:
    """About a step as a whole."""
    row = definition.step(sequence)[0]
    return Finding(level="error", message=message, row=row, step=sequence, field="sequence")


def at_problem(
    problem: Problem, *, field: str, task: str, row: int | None = None, step: int | None = None, shift: int = 0
) -> Finding:
    """What the checker found in code, which starts `shift` columns into its field."""
    column = problem.column + shift if problem.line == 1 else problem.column
    return Finding(
        level="error",
        message=problem.message,
        task=task,
        row=row,
        step=step,
        field=field,
        line=problem.line,
        column=column,
        unknown=problem.unknown if field == "code" else "",
    )

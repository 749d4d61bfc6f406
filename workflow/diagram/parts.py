"""What a definition says that a picture shows: kinds of task, jumps, and which steps lead on to the next."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from workflow import approvers, durations
from workflow.definition import Definition, Row, TaskDefinition
from workflow.language import gettext as _
from workflow.language import gettext_noop
from workflow.routes import Cause, has_code, routes


class Mark(Enum):
    """What became of a row in one instance."""

    WAITING = gettext_noop("waiting")
    RUNNING = gettext_noop("running")
    DONE = gettext_noop("done")
    REJECTED = gettext_noop("rejected")
    FAILED = gettext_noop("failed")
    SKIPPED = gettext_noop("skipped")
    CANCELLED = gettext_noop("cancelled")


DECIDED = frozenset({Mark.DONE, Mark.REJECTED})
"""Marks of a manual task that people have decided."""


class Kind(Enum):
    """What a row's task is; a draft's may be nothing yet, or a name that no task has."""

    MANUAL = "manual"
    CODE = "code"
    SUBPROCESS = "subprocess"
    EMPTY = "empty"
    UNKNOWN = "unknown"


class Way(Enum):
    """What a jump follows from."""

    THEN = gettext_noop("then")
    REJECTED = gettext_noop("rejected")
    ERROR = gettext_noop("error")


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A row's way to another step than the next one. `back` also holds for a jump to the row's own step."""

    way: Way
    target: int
    exists: bool
    back: bool


def kind_of(task: TaskDefinition | None) -> Kind:
    """What the picture tells apart, by shape and icon."""
    if task is None:
        return Kind.UNKNOWN
    if task.manual:
        return Kind.MANUAL
    if task.subprocess:
        return Kind.SUBPROCESS
    return Kind.CODE if has_code(task) else Kind.EMPTY


def task_of(definition: Definition, row: Row) -> TaskDefinition | None:
    """The row's task, or `None` where a draft names one that it does not have."""
    try:
        return definition.task(row.task)
    except KeyError:
        return None


def jumps(definition: Definition, row: Row) -> tuple[Jump, ...]:
    """The row's jumps; a `then` to the step that comes next anyway is none."""
    return tuple(
        Jump(way=way, target=target, exists=bool(definition.step(target)), back=target <= row.sequence)
        for way, target in _targets(definition, row)
    )


def _targets(definition: Definition, row: Row) -> Iterator[tuple[Way, int]]:
    if row.then is not None and row.then != definition.after(row.sequence):
        yield Way.THEN, row.then
    if row.on_reject is not None:
        yield Way.REJECTED, row.on_reject
    if row.on_error is not None:
        yield Way.ERROR, row.on_error


def leading_on(definition: Definition) -> frozenset[int]:
    """The steps that can go on to the next higher one, or from the highest to the end."""
    return frozenset(
        route.source
        for route in routes(definition)
        if route.cause is Cause.FINISHED and route.target == definition.after(route.source)
    )


def deciders(task: TaskDefinition) -> str:
    """Who decides a manual task, in words: "anna, managers", or "2 of finance"."""
    who = _approvers(task) or _("any member of staff")
    return _("%(quorum)s of %(who)s") % {"quorum": task.quorum, "who": who} if task.quorum > 1 else who


def _approvers(task: TaskDefinition) -> str:
    if approvers.is_expression(task.approver):
        return approvers.expression(task.approver)
    return ", ".join(dict.fromkeys(map(approvers.bare, approvers.names(task.approver))))


def time_out(task: TaskDefinition | None) -> str:
    """How long the task may take, in short; blank where it may take for ever, or what a draft holds is no time."""
    seconds = task.timeout if task is not None else None
    if seconds is None or not math.isfinite(seconds) or not 0 < seconds < timedelta.max.total_seconds():
        return ""
    return durations.written(timedelta(seconds=seconds))

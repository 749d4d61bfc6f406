"""Tasks: their names, that each is done by somebody or something, and their numbers."""

import math
from collections import Counter
from collections.abc import Callable, Iterator

from workflow.definition import Definition, TaskDefinition
from workflow.findings import Finding, at_task
from workflow.language import gettext as _
from workflow.language import gettext_noop
from workflow.routes import has_code


def findings(definition: Definition) -> Iterator[Finding]:
    yield from _names(definition)
    for task in definition.tasks:
        yield from _work(task)
        yield from _mapping(task)
        yield from _numbers(task)


def _names(definition: Definition) -> Iterator[Finding]:
    used = {row.task for row in definition.rows}
    for name, count in Counter(task.name for task in definition.tasks).items():
        if not name.strip():
            yield at_task(name, "name", _("The task has no name. Give it one."))
        if count > 1:
            message = _("%(count)s tasks have this name. Give each a name of its own.") % {"count": count}
            yield at_task(name, "name", message)
        if definition.rows and name not in used:
            message = _("This task is at no step, so it never runs. Add a transition for it, or delete it.")
            yield at_task(name, "name", message, "warning")


def _work(task: TaskDefinition) -> Iterator[Finding]:
    if task.manual and has_code(task):
        message = _("This task is manual and has code. Move its code to a task of its own, or untick manual.")
        yield at_task(task.name, "code", message)
    elif task.subprocess and (task.manual or has_code(task)):
        message = _(
            "This task %(other)s and is the process %(subprocess)r as well. Make a task of its own of one of the two."
        )
        other = _("is manual") if task.manual else _("has code")
        yield at_task(task.name, "subprocess", message % {"other": other, "subprocess": task.subprocess})
    elif not task.manual and not has_code(task) and not task.subprocess:
        message = _(
            "Nobody and nothing does this task, so its step could never end. Tick manual to have "
            "people decide it, write its code, or choose a sub-process."
        )
        yield at_task(task.name, "code", message)


def _mapping(task: TaskDefinition) -> Iterator[Finding]:
    for field in ("input", "output"):
        if getattr(task, field).strip() and not task.subprocess:
            message = _("Only a sub-process has %(field)s, and this task is none. Clear it, or choose a sub-process.")
            yield at_task(task.name, field, message % {"field": field}, "warning")


def _is_count(number: float) -> bool:
    return number >= 1


def _can_be_waited(seconds: float) -> bool:
    return 0 <= seconds < math.inf


def _is_limit(number: float | None) -> bool:
    return number is None or 0 < number < math.inf


NUMBERS: tuple[tuple[str, Callable[..., bool], str], ...] = (
    (
        "quorum",
        _is_count,
        gettext_noop("%(quorum)s people can't approve. Give 1 or more; 1 means that one is enough."),
    ),
    (
        "timeout",
        _is_limit,
        gettext_noop(
            "In %(timeout)s seconds nothing can be done. Give more than 0, or leave it blank for no time-out."
        ),
    ),
    (
        "max_attempts",
        _is_count,
        gettext_noop("%(max_attempts)s attempts can't be made. Give 1 or more; 1 means no retry."),
    ),
    (
        "retry_delay",
        _can_be_waited,
        gettext_noop("A delay of %(retry_delay)s seconds can't be waited. Give 0 or more."),
    ),
    (
        "time_limit",
        _is_limit,
        gettext_noop("In %(time_limit)s seconds no code can run. Give more than 0, or leave it blank for the default."),
    ),
    (
        "memory_limit",
        _is_limit,
        gettext_noop("In %(memory_limit)s MiB no code can run. Give 1 or more, or leave it blank for the default."),
    ),
)
"""The fields that are numbers, what makes sense of each, and what is said where it does not."""


def _numbers(task: TaskDefinition) -> Iterator[Finding]:
    for field, makes_sense, message in NUMBERS:
        number = getattr(task, field)
        if not makes_sense(number):
            written = number if isinstance(number, int) else f"{number:g}"
            yield at_task(task.name, field, _(message) % {field: written})

"""Rows: that their tasks exist, and that their jumps lead somewhere and are ever taken."""

from collections.abc import Iterator, Sequence

from workflow.definition import Definition, Row
from workflow.errors import suggestion
from workflow.findings import Finding, at_row
from workflow.language import gettext as _
from workflow.language import gettext_noop, ngettext
from workflow.routes import Cause, Route, can_be_rejected, can_fail, is_conditional

JUMPS = {
    "then": gettext_noop("when finished"),
    "on_reject": gettext_noop("when rejected"),
    "on_error": gettext_noop("when it fails"),
}
NUMBERS_SHOWN = 12


def findings(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    yield from _tasks(definition)
    yield from _jumps(definition)
    yield from _jumps_without_effect(definition, ways)


def _tasks(definition: Definition) -> Iterator[Finding]:
    names = {task.name for task in definition.tasks}
    for index, row in enumerate(definition.rows):
        if row.task not in names:
            message = _("This process has no task %(task)r.") % {"task": row.task} + suggestion(row.task, names)
            yield at_row(definition, index, "task", message)
        elif _replaces_a_result(definition, index):
            message = _(
                "%(task)r is at this step more than once: the later result replaces the earlier one. "
                "Make a task of its own for each, or give each a condition."
            )
            yield at_row(definition, index, "task", message % {"task": row.task}, "warning")


def _replaces_a_result(definition: Definition, index: int) -> bool:
    """Whether an earlier row of the step has the same task, and may run as well.

    Conditions on all of them are taken to exclude each other: that is how one task gets several ways onward.
    """
    row = definition.rows[index]
    twins = [other for other in definition.step(row.sequence) if definition.rows[other].task == row.task]
    return twins[0] < index and not all(is_conditional(definition.rows[twin]) for twin in twins)


def _jumps(definition: Definition) -> Iterator[Finding]:
    for index, row in enumerate(definition.rows):
        for field, when in JUMPS.items():
            target = getattr(row, field)
            if target is not None and not definition.step(target):
                message = _("Goes to step %(target)s %(when)s, but there is no step %(target)s. %(steps_near)s") % {
                    "target": target,
                    "when": _(when),
                    "steps_near": _steps_near(target, definition),
                }
                yield at_row(definition, index, field, message)


def _steps_near(target: int, definition: Definition) -> str:
    numbers = definition.sequences
    near = sorted(sorted(numbers, key=lambda number: abs(number - target))[:NUMBERS_SHOWN])
    listed = ", ".join(map(str, near))
    if len(near) < len(numbers):
        return _("The nearest are %(listed)s.") % {"listed": listed}
    return ngettext("There is %(listed)s.", "There are %(listed)s.", len(near)) % {"listed": listed}


def _jumps_without_effect(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    deciding = {way.row for way in ways if way.cause is Cause.FINISHED}
    for index, row in enumerate(definition.rows):
        if row.then is not None and index not in deciding:
            message = _never_decides(definition, row) % {"then": row.then}
            yield at_row(definition, index, "then", message, "warning")
        if row.on_reject is not None and not can_be_rejected(definition, row):
            message = _(
                "Never goes to step %(on_reject)s when rejected: only manual tasks are. Clear it, or use on error."
            ) % {"on_reject": row.on_reject}
            yield at_row(definition, index, "on_reject", message, "warning")
        if row.on_error is not None and not can_fail(definition, row):
            message = _(
                "Never goes to step %(on_error)s when it fails: nothing in this task can fail. Clear "
                "it, or use on reject."
            ) % {"on_error": row.on_error}
            yield at_row(definition, index, "on_error", message, "warning")


def _never_decides(definition: Definition, row: Row) -> str:
    step = [definition.rows[index] for index in definition.step(row.sequence)]
    if not row.ends_step and any(other.ends_step and not is_conditional(other) for other in step):
        return _(
            "Never goes to step %(then)s: a row that ends the step decides where to go, and one always ends this step. "
            "Clear it, or tick ends step here as well."
        )
    return _("Never goes to step %(then)s: a row above it at this step always decides. Clear one of the two.")

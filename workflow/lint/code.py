"""Code and expressions: what their checker finds, where its reader sees it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from workflow import approvers
from workflow.definition import Definition, TaskDefinition
from workflow.findings import Finding, Problem, at_problem, at_task
from workflow.language import gettext as _
from workflow.lint.people import DECIDERS
from workflow.routes import has_code, is_conditional


class CheckCode(Protocol):
    """Finds what is wrong with code, or with a single expression."""

    def __call__(self, code: str, *, expression: bool) -> Sequence[Problem]: ...


def findings(definition: Definition, check_code: CheckCode) -> Iterator[Finding]:
    for task in definition.tasks:
        yield from _task(task, check_code)
    for index, row in enumerate(definition.rows):
        if is_conditional(row):
            for problem in check_code(row.condition, expression=True):
                yield at_problem(problem, task=row.task, field="condition", row=index, step=row.sequence)


def _task(task: TaskDefinition, check_code: CheckCode) -> Iterator[Finding]:
    if has_code(task):
        for problem in check_code(task.code, expression=False):
            yield at_problem(problem, task=task.name, field="code")
    for field in DECIDERS:
        if task.manual and approvers.is_expression(getattr(task, field)):
            yield from _approver(task, field, check_code)
    for field in ("input", "output"):
        expression = getattr(task, field)
        if task.subprocess and expression.strip():
            for problem in check_code(expression, expression=True):
                yield at_problem(problem, task=task.name, field=field)


def _approver(task: TaskDefinition, field: str, check_code: CheckCode) -> Iterator[Finding]:
    text = getattr(task, field)
    expression = approvers.expression(text)
    if not expression:
        blank = _("For any member of staff") if field == "approver" else _("For nobody")
        message = _('After = comes an expression, such as =data["manager"]. %(blank)s, leave it blank.')
        yield at_task(task.name, field, message % {"blank": blank})
        return
    # The checker counts from where the expression starts; the reader counts from where the field does.
    shift = text.index(expression)
    for problem in check_code(expression, expression=True):
        yield at_problem(problem, task=task.name, field=field, shift=shift)

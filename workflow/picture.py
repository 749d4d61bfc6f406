"""Where an instance stands, as a diagram: for the admin and for pages alike."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from django.contrib.auth import get_user_model
from django.db.models import Max
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from workflow import approvers
from workflow.definition import Definition, Row, TaskDefinition
from workflow.diagram import Mark, render
from workflow.models import RunningProcesses, RunState, TaskRun
from workflow.routes import is_conditional

MARKS = {
    RunState.PENDING: Mark.RUNNING,
    RunState.RUNNING: Mark.RUNNING,
    RunState.RETRYING: Mark.WAITING,
    RunState.WAITING: Mark.WAITING,
    RunState.SUSPENDED: Mark.WAITING,
    RunState.FINISHED: Mark.DONE,
    RunState.REJECTED: Mark.REJECTED,
    RunState.FAILED: Mark.FAILED,
    RunState.SKIPPED: Mark.SKIPPED,
    RunState.CANCELLED: Mark.CANCELLED,
}


def picture(
    definition: Definition,
    *,
    marks: Mapping[int, Mark] | None = None,
    current: int | None = None,
    problems: Collection[int] = (),
    links: Mapping[int, str] | None = None,
    decided_by: Mapping[int, str] | None = None,
    inside: bool = True,
) -> SafeString:
    """The process as a diagram, which escapes all text itself. Without sight of its `inside`, words stand in the place of
    conditions and other expressions.
    """
    drawn = render(
        definition if inside else _for_people(definition),
        marks=marks or {},
        current=current,
        problems=problems,
        links=links or {},
        decided_by=decided_by or {},
    )
    return mark_safe(drawn)  # noqa: S308


def picture_of(
    instance: RunningProcesses,
    newest: Iterable[TaskRun],
    *,
    links: Mapping[int, str] | None = None,
    inside: bool = True,
) -> SafeString:
    """The diagram of an instance, with the state of each row's newest task run, and where it is now."""
    definition, runs = instance.version.frozen, list(newest)
    return picture(
        definition,
        marks={run.row: MARKS[RunState(run.state)] for run in runs},
        current=instance.step if instance.ended_at is None else None,
        links=links,
        decided_by=_deciders(definition, runs),
        inside=inside,
    )


def _for_people(definition: Definition) -> Definition:
    """The definition with words for what is written in Python: what is compared there is nobody's business."""
    return replace(
        definition,
        rows=tuple(map(_row_for_people, definition.rows)),
        tasks=tuple(map(_task_for_people, definition.tasks)),
    )


def _row_for_people(row: Row) -> Row:
    return replace(row, condition=_("a condition is met")) if is_conditional(row) else row


def _task_for_people(task: TaskDefinition) -> TaskDefinition:
    return replace(task, approver=_("people chosen by a rule")) if approvers.is_expression(task.approver) else task


def _deciders(definition: Definition, runs: Iterable[TaskRun]) -> dict[int, str]:
    """Who has decided what one person decides: of several, a task run knows only the last."""
    return {
        run.row: user.username
        for run in runs
        if (user := run.decision.user) is not None and definition.task(definition.rows[run.row].task).quorum == 1
    }


def newest_of_each_row(instance: RunningProcesses) -> list[TaskRun]:
    """What the diagram shows of an instance: each row's newest task run, with its row, its state and who decided it."""
    newest = instance.task_runs.order_by().values("row").annotate(newest=Max("pk")).values("newest")
    name = f"decided_by__{get_user_model().USERNAME_FIELD}"
    return list(
        TaskRun.objects.filter(pk__in=newest).select_related("decided_by").only("row", "state", "decision_origin", name)
    )

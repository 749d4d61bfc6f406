"""Where an instance stands, as a diagram: for the admin and for pages alike."""

from collections.abc import Collection, Iterable, Mapping

from django.db.models import Max
from django.utils.safestring import SafeString, mark_safe

from workflow.definition import Definition
from workflow.diagram import Mark, render
from workflow.models import RunningProcesses, RunState, TaskRun

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
) -> SafeString:
    """The process as a diagram, which escapes all text itself."""
    drawn = render(definition, marks=marks or {}, current=current, problems=problems, links=links or {})
    return mark_safe(drawn)  # noqa: S308


def picture_of(
    instance: RunningProcesses, newest: Iterable[TaskRun], *, links: Mapping[int, str] | None = None
) -> SafeString:
    """The diagram of an instance, with the state of each row's newest task run, and where it is now."""
    return picture(
        instance.version.frozen,
        marks={run.row: MARKS[RunState(run.state)] for run in newest},
        current=instance.step if instance.ended_at is None else None,
        links=links,
    )


def newest_of_each_row(instance: RunningProcesses) -> list[TaskRun]:
    """What the diagram shows of an instance: each row's newest task run, with its row and state alone."""
    newest = instance.task_runs.order_by().values("row").annotate(newest=Max("pk")).values("newest")
    return list(TaskRun.objects.filter(pk__in=newest).only("row", "state"))

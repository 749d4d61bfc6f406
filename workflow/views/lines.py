"""The lines of a list of instances: each with where it stands, since when, and what it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from workflow.models import RunningProcesses, RunState, TaskRun, WaitingForApproval
from workflow.models.states import OPEN
from workflow.models.waiting import LONGEST_NUMBER
from workflow.people.visible import sees_inside
from workflow.views.facts import Fact, summary
from workflow.views.rows import in_brief, subject_label

PAGE = 25
TASKS_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Task:
    """An open task of an instance: what it waits for, and since when."""

    name: str
    why: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Line:
    """One instance in a list."""

    instance: RunningProcesses
    subject: str
    summary: Sequence[Fact]
    tasks: Sequence[Task]
    has_more_tasks: bool

    @property
    def since(self) -> datetime:
        """Since when it stands where it is."""
        return min((task.since for task in self.tasks), default=self.instance.ended_at or self.instance.started_at)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A page of the list, newest first. It is not counted, so that the last page is as quick as the first."""

    lines: Sequence[Line]
    older: int | None
    """The key after which the next page begins."""


def read(instances: QuerySet[RunningProcesses], *, before: str, user: Any) -> Lines:
    """The page that begins `before` a key, as an address has it, with as much as the user may see. Five queries, however
    long the list.
    """
    if before.isdecimal() and before.isascii() and len(before) < LONGEST_NUMBER:
        instances = instances.filter(pk__lt=int(before))
    keys = list(instances.order_by("-pk").values_list("pk", flat=True)[: PAGE + 1])
    found = in_brief(keys[:PAGE])
    page = [found[key] for key in keys if key in found]
    tasks = _tasks([one.pk for one in page if one.ended_at is None])
    inside = sees_inside(user)
    return Lines(
        lines=[_line(one, tasks.get(one.pk, ()), inside=inside) for one in page],
        older=keys[PAGE - 1] if len(keys) > PAGE else None,
    )


def _line(instance: RunningProcesses, tasks: Sequence[Task], *, inside: bool) -> Line:
    return Line(
        instance=instance,
        subject=subject_label(instance),
        summary=summary(instance.brief, instance.version.shown, inside=inside),  # type: ignore[attr-defined]  # annotated
        tasks=tasks[:TASKS_NAMED],
        has_more_tasks=len(tasks) > TASKS_NAMED,
    )


def _tasks(keys: Sequence[int]) -> Mapping[int, Sequence[Task]]:
    """The open tasks of these instances, in row order."""
    if not keys:
        return {}
    open_runs = TaskRun.objects.filter(instance__in=keys, visit=F("instance__visit"), state__in=OPEN)
    waiting = {
        one.task_run_id: one
        for one in WaitingForApproval.objects.filter(rpid__in=keys)
        .select_related("claimed_by")
        .with_asked()
        .order_by("pk")
    }
    found: dict[int, list[Task]] = {}
    wanted = ("instance_id", "task_name", "state", "started_at", "due_at")
    for run in open_runs.only(*wanted).order_by("instance", "row"):
        found.setdefault(run.instance_id, []).append(_task(run, waiting.get(run.pk)))
    return found


def _task(run: TaskRun, waiting: WaitingForApproval | None) -> Task:
    if waiting is not None:
        return Task(name=run.task_name, why=_who(waiting), since=waiting.queued_at)
    return Task(name=run.task_name, why=_why(run), since=run.started_at)


def _who(waiting: WaitingForApproval) -> str:
    if waiting.claimed_by is not None:
        return _("claimed by %(who)s") % {"who": waiting.claimed_by.get_username()}
    who = _("waits for %(who)s") % {"who": waiting.asked}
    if waiting.quorum > 1:
        return _("%(who)s; %(votes)d of %(quorum)d have approved") % {
            "who": who,
            "votes": waiting.votes,
            "quorum": waiting.quorum,
        }
    return who


def _why(run: TaskRun) -> Any:
    match run.state:
        case RunState.RETRYING:
            return _("failed, and is tried again")
        case RunState.SUSPENDED if run.due_at is not None:
            return _("sleeps")
        case RunState.SUSPENDED:
            return _("waits for something else")
    return _("at work")

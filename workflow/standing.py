"""Where an instance stands, in plain sentences: what it does now, or why it does not move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflow import moments
from workflow.models import (
    ActionCall,
    InstanceState,
    RunningProcesses,
    RunState,
    TaskRun,
    WaitingForApproval,
)
from workflow.models.states import ENDED, OPEN
from workflow.models.waiting import WaitingQuerySet

UNTIL = {
    RunState.RETRYING: gettext_lazy("until %(time)s to try “%(task)s” again"),
    RunState.SUSPENDED: gettext_lazy("until %(time)s to go on with “%(task)s”"),
}
CHILDREN_NAMED = 3
PATIENCE = timedelta(seconds=30)
"""A ready instance that nobody has taken for so long probably has no engine to take it."""


@dataclass(frozen=True, kw_only=True)
class Waits:
    """What an instance waits for: people, signals, what it has started and has not ended, and its step's open runs."""

    people: Sequence[WaitingForApproval]
    signals: Sequence[str]
    children: Sequence[RunningProcesses]
    runs: Sequence[TaskRun]


def waits_of(instance: RunningProcesses) -> Waits:
    """As the database has it now."""
    calls = ActionCall.objects.filter(run__instance=instance, run__state=RunState.SUSPENDED, ended_at=None)
    children = RunningProcesses.objects.filter(parent__run__instance=instance).exclude(state__in=ENDED)
    runs = instance.task_runs.filter(visit=instance.visit, state__in=OPEN)
    return Waits(
        people=list(people_of(instance)),
        signals=list(calls.exclude(signal="").order_by("pk").values_list("signal", flat=True)),
        children=list(children.only("process_name").order_by("pk")[: CHILDREN_NAMED + 1]),
        runs=list(runs.only("state", "task_name", "due_at", "deadline").order_by("row")),
    )


def people_of(instance: RunningProcesses) -> WaitingQuerySet:
    """What of the instance waits for people; `is_stuck` tells whether nobody is left who could decide it."""
    stuck = instance.waiting.undecidable().filter(pk=OuterRef("pk"))
    found: WaitingQuerySet = instance.waiting.annotate(is_stuck=Exists(stuck)).with_asked().order_by("pk")
    return found


def standing(
    instance: RunningProcesses, *, now: datetime, waits: Waits | None = None, for_operators: bool = True
) -> str:
    """One or two sentences about the instance as it is at `now`, in operators' words or in everybody's.

    `waits` is what it waits for, where that is known already.
    """
    match InstanceState(instance.state):
        case InstanceState.READY:
            return _ready(instance, now, for_operators=for_operators)
        case InstanceState.RUNNING:
            return _running(instance, now, for_operators=for_operators)
        case InstanceState.WAITING:
            return _waiting(waits or waits_of(instance), now, for_operators=for_operators)
        case InstanceState.PAUSED:
            return _("An operator has paused it.")
        case InstanceState.FINISHED:
            return _("It has come to its end.")
        case InstanceState.REJECTED:
            return _("It has ended, because a task was rejected.")
        case InstanceState.CANCELLED:
            return _("It was cancelled.")
        case InstanceState.FAILED:
            message = (instance.error or {}).get("message", "")
            return _("It failed: %(message)s") % {"message": message}


def _ready(instance: RunningProcesses, now: datetime, *, for_operators: bool) -> str:
    is_late = instance.due_at is not None and now - instance.due_at > PATIENCE
    match is_late, for_operators:
        case True, True:
            text = _(
                "It has been ready since %(time)s, and no engine has taken it. Is one running (manage.py runengine)?"
            )
        case True, False:
            text = _("It has been ready to go on since %(time)s, and nothing has taken it up yet.")
        case False, True:
            text = _("It is ready: the next engine that looks for work takes it.")
        case _:
            text = _("It goes on in a moment.")
    return text % {"time": _time(instance.due_at)}


def _running(instance: RunningProcesses, now: datetime, *, for_operators: bool) -> str:
    is_silent = instance.due_at is not None and instance.due_at < now
    match is_silent, for_operators:
        case True, True:
            text = _("The engine %(engine)s held it and has been silent since; another engine takes it over.")
        case True, False:
            text = _("Its work was interrupted, and is taken up again in a moment.")
        case False, True:
            text = _("The engine %(engine)s is running it.")
        case _:
            text = _("It is at work.")
    return text % {"engine": instance.owner}


def _waiting(waits: Waits, now: datetime, *, for_operators: bool) -> str:
    reasons = list(_reasons(waits))
    text = _("It waits %(reasons)s.") % {"reasons": get_text_list(reasons, _("and"))} if reasons else _("It waits.")
    alerts = _alerts(waits, for_operators=for_operators)
    return " ".join([text, *alerts, *_overdue(waits, now), *_deadlines(waits)])


def _alerts(waits: Waits, *, for_operators: bool) -> Iterator[str]:
    if for_operators:
        alert = _("Nobody is left who can decide “%(task)s”: delegate it, or have it asked again.")
    else:
        alert = _("Nobody is left who can decide “%(task)s”: an operator has to hand it on.")
    for waiting in waits.people:
        if waiting.is_stuck:  # type: ignore[attr-defined]  # annotated
            yield alert % {"task": waiting.task_name}


def _overdue(waits: Waits, now: datetime) -> Iterator[str]:
    overdue = [(one.due_at, one.task_name) for one in waits.people if one.due_at is not None and one.due_at <= now]
    for due, task in sorted(overdue):
        yield _("“%(task)s” has been overdue since %(time)s.") % {"task": task, "time": _time(due)}


def _reasons(waits: Waits) -> Iterator[str]:
    for waiting in waits.people:
        yield _("for %(who)s to decide “%(task)s”") % {
            "who": waiting.asked,
            "task": waiting.task_name,
        }
    for signal in waits.signals:
        yield _("for the signal “%(signal)s”") % {"signal": signal}
    for child in waits.children[:CHILDREN_NAMED]:
        yield _("for “%(child)s” to end") % {"child": child}
    if len(waits.children) > CHILDREN_NAMED:
        yield _("for more that it has started")
    for run in waits.runs:
        if run.due_at is not None and run.state in UNTIL:
            yield UNTIL[RunState(run.state)] % {"time": _time(run.due_at), "task": run.task_name}


def _deadlines(waits: Waits) -> Iterator[str]:
    limited = [(run.deadline, run.task_name) for run in waits.runs if run.deadline is not None]
    for deadline, task in sorted(limited):
        yield _("“%(task)s” fails unless it is done by %(time)s.") % {"task": task, "time": _time(deadline)}


def _time(moment: datetime | None) -> str:
    return moments.to_the_second(moment) if moment else ""

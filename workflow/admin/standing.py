"""Where an instance stands, in plain sentences: what it does now, or why it does not move."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState
from workflow.models.states import ENDED, OPEN

UNTIL = {
    RunState.RETRYING: gettext_lazy("until %(time)s to try “%(task)s” again"),
    RunState.SUSPENDED: gettext_lazy("until %(time)s to go on with “%(task)s”"),
}
CHILDREN_NAMED = 3
PATIENCE = timedelta(seconds=30)
"""A ready instance that nobody has taken for so long probably has no engine to take it."""


def standing(instance: RunningProcesses, *, now: datetime) -> str:
    """One or two sentences about the instance as it is at `now`."""
    match InstanceState(instance.state):
        case InstanceState.READY:
            return _ready(instance, now)
        case InstanceState.RUNNING:
            return _running(instance, now)
        case InstanceState.WAITING:
            return _waiting(instance, now)
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


def _ready(instance: RunningProcesses, now: datetime) -> str:
    if instance.due_at is not None and now - instance.due_at > PATIENCE:
        return _(
            "It has been ready since %(time)s, and no engine has taken it. Is one running (manage.py runengine)?"
        ) % {"time": _time(instance.due_at)}
    return _("It is ready: the next engine that looks for work takes it.")


def _running(instance: RunningProcesses, now: datetime) -> str:
    if instance.due_at is not None and instance.due_at < now:
        return _("The engine %(engine)s held it and has been silent since; another engine takes it over.") % {
            "engine": instance.owner
        }
    return _("The engine %(engine)s is running it.") % {"engine": instance.owner}


def _waiting(instance: RunningProcesses, now: datetime) -> str:
    reasons = list(_reasons(instance))
    waits = _("It waits %(reasons)s.") % {"reasons": get_text_list(reasons, _("and"))} if reasons else _("It waits.")
    return " ".join([waits, *_alerts(instance), *_overdue(instance, now), *_deadlines(instance)])


def _alerts(instance: RunningProcesses) -> Iterator[str]:
    for task in instance.waiting.undecidable().order_by("pk").values_list("task_name", flat=True):
        yield _("Nobody is left who can decide “%(task)s”: delegate it, or have it asked again.") % {"task": task}


def _overdue(instance: RunningProcesses, now: datetime) -> Iterator[str]:
    overdue = instance.waiting.overdue(now).order_by("due_at", "pk")
    for task, due in overdue.values_list("task_name", "due_at"):
        yield _("“%(task)s” has been overdue since %(time)s.") % {"task": task, "time": _time(due)}


def _reasons(instance: RunningProcesses) -> Iterator[str]:
    for waiting in instance.waiting.order_by("pk"):
        yield _("for %(who)s to decide “%(task)s”") % {
            "who": waiting.approver or _("a member of staff"),
            "task": waiting.task_name,
        }
    waiting_calls = ActionCall.objects.filter(run__instance=instance, run__state=RunState.SUSPENDED, ended_at=None)
    for call in waiting_calls.exclude(signal="").order_by("pk"):
        yield _("for the signal “%(signal)s”") % {"signal": call.signal}
    yield from _children(instance)
    runs = instance.task_runs.filter(visit=instance.visit, due_at__isnull=False).defer("snapshot")
    for run in runs.filter(state__in=UNTIL).order_by("row"):
        yield UNTIL[RunState(run.state)] % {"time": _time(run.due_at), "task": run.task_name}


def _children(instance: RunningProcesses) -> Iterator[str]:
    running = RunningProcesses.objects.filter(parent__run__instance=instance).exclude(state__in=ENDED)
    found = list(running.order_by("pk").values_list("process_name", "pk")[: CHILDREN_NAMED + 1])
    for name, key in found[:CHILDREN_NAMED]:
        yield _("for “%(child)s” to end") % {"child": f"{name} {key}"}
    if len(found) > CHILDREN_NAMED:
        yield _("for more that it has started")


def _deadlines(instance: RunningProcesses) -> Iterator[str]:
    runs = instance.task_runs.filter(visit=instance.visit, deadline__isnull=False, state__in=OPEN)
    for task, deadline in runs.order_by("deadline", "row").values_list("task_name", "deadline"):
        yield _("“%(task)s” fails unless it is done by %(time)s.") % {"task": task, "time": _time(deadline)}


def _time(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else ""

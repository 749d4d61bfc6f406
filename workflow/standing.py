"""Where an instance stands, in plain sentences: what it does now, or why it does not move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflow import clock, delays, moments
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
    """What of the instance waits for people; `is_stuck` tells whether too few are `left` who could decide it."""
    stuck = instance.waiting.undecidable().filter(pk=OuterRef("pk"))
    found: WaitingQuerySet = instance.waiting.annotate(is_stuck=Exists(stuck)).with_people_left().with_asked()
    return found.order_by("pk")


def standing(
    instance: RunningProcesses, *, now: datetime | None = None, waits: Waits | None = None, for_operators: bool = True
) -> str:
    """One or two sentences about the instance as it is `now`, in operators' words or in everybody's.

    `now` is by the database's clock, which is asked where it is not given; `waits` is what the instance waits for, where
    that is known already.
    """
    match InstanceState(instance.state):
        case InstanceState.READY:
            return _ready(instance, now or clock.ask_database(), for_operators=for_operators)
        case InstanceState.RUNNING:
            return _running(instance, now or clock.ask_database(), for_operators=for_operators)
        case InstanceState.WAITING:
            return _waiting(
                instance, waits or waits_of(instance), now or clock.ask_database(), for_operators=for_operators
            )
        case InstanceState.PAUSED:
            return _("An operator has paused it.")
        case InstanceState.FINISHED:
            return _("It has come to its end.")
        case InstanceState.REJECTED:
            return _("It has ended, because a task was rejected.")
        case InstanceState.CANCELLED:
            return _("It was cancelled.")
        case InstanceState.FAILED if not for_operators:
            return _("It failed. An operator has to look at it.")
        case InstanceState.FAILED:
            message = (instance.error or {}).get("message", "")
            return _("It failed: %(message)s") % {"message": message}


def _ready(instance: RunningProcesses, now: datetime, *, for_operators: bool) -> str:
    if for_operators and (why := delays.why_not_taken(instance, now)):
        return _("Ready since %(time)s. %(why)s") % {"time": _time(instance.due_at), "why": why}
    if for_operators:
        return _("Ready. An engine will pick it up in a moment.")
    if _is_late(instance, now):
        return _(
            "It has been ready to continue since %(time)s, but something holds it up. An operator can see what."
        ) % {"time": _time(instance.due_at)}
    return _("Continuing shortly.")


def _running(instance: RunningProcesses, now: datetime, *, for_operators: bool) -> str:
    if for_operators:
        return delays.what_its_engine_does(instance, now)
    if instance.due_at is not None and instance.due_at < now:
        return _("It was interrupted, and will continue from where it was.")
    return _("Running.")


def _is_late(instance: RunningProcesses, now: datetime) -> bool:
    return instance.due_at is not None and now - instance.due_at > delays.PATIENCE


def _waiting(instance: RunningProcesses, waits: Waits, now: datetime, *, for_operators: bool) -> str:
    reasons = list(_reasons(waits, now))
    text = _("It waits %(reasons)s.") % {"reasons": get_text_list(reasons, _("and"))} if reasons else ""
    is_due = instance.due_at is not None and instance.due_at <= now
    due = _ready(instance, now, for_operators=for_operators) if is_due else ""
    told = [part for part in (text, due) if part] or [_("It waits.")]
    alerts = _alerts(waits, for_operators=for_operators)
    return " ".join([*told, *alerts, *_overdue(waits, now), *_deadlines(waits)])


def _alerts(waits: Waits, *, for_operators: bool) -> Iterator[str]:
    for waiting in waits.people:
        if waiting.is_stuck:  # type: ignore[attr-defined]  # annotated
            yield _alert(waiting, for_operators=for_operators)


def _alert(waiting: WaitingForApproval, *, for_operators: bool) -> str:
    left, needed = waiting.left, waiting.quorum - waiting.votes  # type: ignore[attr-defined]  # annotated
    match left, for_operators:
        case 0, True:
            text = _("Nobody is left who can decide “%(task)s”: delegate it, or have it asked again.")
        case 0, False:
            text = _("Nobody is left who can decide “%(task)s”: an operator has to hand it on.")
        case _, True:
            text = _(
                "“%(task)s” needs %(needed)s more approvals, but only %(left)s of the people it asks can still give one. "
                "Add people to its groups, or delegate it to others."
            )
        case _:
            text = _(
                "“%(task)s” needs %(needed)s more approvals, but only %(left)s of the people it asks can still give one. "
                "An operator has to ask others as well."
            )
    return text % {"task": waiting.task_name, "needed": needed, "left": left}


def _overdue(waits: Waits, now: datetime) -> Iterator[str]:
    overdue = [(one.due_at, one.task_name) for one in waits.people if one.due_at is not None and one.due_at <= now]
    for due, task in sorted(overdue):
        yield _("“%(task)s” has been overdue since %(time)s.") % {"task": task, "time": _time(due)}


def _reasons(waits: Waits, now: datetime) -> Iterator[str]:
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
        if run.due_at is not None and run.due_at > now and run.state in UNTIL:
            yield UNTIL[RunState(run.state)] % {"time": _time(run.due_at), "task": run.task_name}


def _deadlines(waits: Waits) -> Iterator[str]:
    limited = [(run.deadline, run.task_name) for run in waits.runs if run.deadline is not None]
    for deadline, task in sorted(limited):
        yield _("“%(task)s” fails unless it is done by %(time)s.") % {"task": task, "time": _time(deadline)}


def _time(moment: datetime | None) -> str:
    return moments.to_the_second(moment) if moment else ""

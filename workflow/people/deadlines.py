"""Deadlines of what waits for people: set when it is queued, and kept by the engine when nobody decides in time."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from workflow import deadlines, notices, transitions
from workflow.circle import widen
from workflow.deadlines import Event, Kind
from workflow.definition import ByDefault, TaskDefinition
from workflow.models import Intervention, NoticeKind, RunState, TaskRun, WaitingForApproval
from workflow.models.calendars import calendar_named
from workflow.origin import DEFAULT, Origin
from workflow.people.decide import decide_by_default
from workflow.transitions import Lease


def set_deadlines(waiting: WaitingForApproval, run: TaskRun, task: TaskDefinition, escalate_to: Sequence[str]) -> None:
    """Say when a task is due that begins to wait, and when the engine is to look at its run first. Neither is written yet."""
    calendar, problem = calendar_named(task.calendar)
    found = deadlines.schedule(task, waiting.queued_at, calendar, escalate_to=escalate_to, until=run.deadline)
    waiting.due_at, waiting.due_why = found.due_at, problem + found.why
    _put(waiting, run, found.events)


def why_due(waiting: WaitingForApproval) -> str:
    """How it was counted when a task is due, in the language and the zone of whoever asks.

    That was written down in those of the site. Where the calendar still says the same, it can be told anew.
    """
    if waiting.due_at is None or waiting.question:
        return waiting.due_why
    calendar, problem = calendar_named(waiting.definition.calendar)
    here = timezone.get_current_timezone()
    counted = deadlines.counted_due(waiting.definition, waiting.queued_at, calendar, told_in=here)
    return problem + counted.why if counted.at == waiting.due_at else waiting.due_why


def keep_deadlines(lease: Lease, now: datetime) -> list[Intervention]:
    """Do what is due, of all that waits in an instance: remind, escalate, decide by default. Returns what was done, as the
    instance's history tells it. Raises `LeaseLost`.

    What was done and what is still to come are written together, under the instance's lock: so each thing is done once,
    whatever becomes of this engine, and nothing after somebody has decided.
    """
    done: list[Intervention] = []
    with transaction.atomic():
        transitions.hold(lease)
        while (waiting := _late(lease.instance, now)) is not None:
            due, to_come = deadlines.take_due(waiting.events, now)
            _put(waiting, waiting.task_run, to_come)
            waiting.save(update_fields=["schedule"])
            waiting.task_run.save(update_fields=["due_at"])
            done += [_KEPT[event.kind](waiting, event, now) for event in due]
        # Whatever else stands there: an engine that was told again and again would never go on.
        TaskRun.objects.filter(instance=lease.instance, state=RunState.WAITING, due_at__lte=now).update(due_at=None)
    return done


def what_comes(event: Event) -> str:
    """What is to happen at a deadline, in words."""
    match event.kind:
        case Kind.REMIND:
            return _("they are reminded")
        case Kind.ESCALATE:
            return _("%(who)s are asked as well") % {"who": ", ".join(event.to)}
        case Kind.DECIDE if event.decision == ByDefault.APPROVE:
            return _("it is approved by default")
        case Kind.DECIDE:
            return _("it is rejected by default")


def _put(waiting: WaitingForApproval, run: TaskRun, events: Sequence[Event]) -> None:
    waiting.events = list(events)
    run.due_at = events[0].at if events else None


def _late(instance: int, now: datetime) -> WaitingForApproval | None:
    """What waits of which something is due. Asked anew each time: a decision by default may have ended the others."""
    late = WaitingForApproval.objects.filter(rpid=instance, task_run__state=RunState.WAITING, task_run__due_at__lte=now)
    return late.select_related("task_run", "rpid__version").order_by("pk").first()


def _remind(waiting: WaitingForApproval, event: Event, now: datetime) -> Intervention:
    notices.queue(NoticeKind.REMINDER, [waiting], now=now, mark=event.at.isoformat())
    return _note("remind", waiting, event, now)


def _escalate(waiting: WaitingForApproval, event: Event, now: datetime) -> Intervention:
    found = widen(waiting, event.to)
    # Who has claimed it has not decided it; those who are asked now could not.
    WaitingForApproval.objects.filter(pk=waiting.pk).update(claimed_by=None, claimed_at=None)
    notices.queue(NoticeKind.ESCALATED, [waiting], now=now)
    asked = [name for name in event.to if name not in found.unknown]
    return _note("escalate", waiting, event, now, " " + _("to %(to)s") % {"to": ", ".join(asked) or _("nobody")})


def _decide(waiting: WaitingForApproval, event: Event, now: datetime) -> Intervention:
    notices.queue(NoticeKind.DECIDED, [waiting], now=now)
    told = _note("decide by default", waiting, event, now, ": " + _(event.decision))
    comment = _("Nobody had decided in time.") + f" {event.why}"
    decide_by_default(waiting, approved=event.decision == ByDefault.APPROVE, comment=comment, now=now)
    return told


_KEPT = {Kind.REMIND: _remind, Kind.ESCALATE: _escalate, Kind.DECIDE: _decide}


def _note(action: str, waiting: WaitingForApproval, event: Event, now: datetime, more: str = "") -> Intervention:
    """Tell it in the instance's history, with how its time was counted."""
    return Intervention.objects.create(
        instance=waiting.rpid,
        action=action,
        details=f"{waiting.task_name!r}{more}"[:500],
        origin=Origin(via=DEFAULT).to_json(),
        reason=event.why,
        at=now,
    )

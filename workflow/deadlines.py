"""A manual task's deadlines: when it is due, and what happens before and after if nobody decides (DESIGN.md 6).

Pure: `(task, when it was queued, calendar) -> schedule`, and `(schedule, now) -> what is to happen, and what is still to come`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any, Literal, Self

from workflow import worktime
from workflow.definition import ByDefault, TaskDefinition
from workflow.language import gettext as _
from workflow.language import gettext_noop
from workflow.worktime import Calendar, NoWorkingTime, Span


class Kind(StrEnum):
    """What happens where people let a deadline pass. Of the same moment, in this order."""

    REMIND = "remind"
    ESCALATE = "escalate"
    DECIDE = "decide"


ORDER = list(Kind)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that is to happen at a time. `to` is whom it is escalated to, `decision` what is decided by default."""

    kind: Kind
    at: datetime
    why: str = ""
    to: tuple[str, ...] = ()
    decision: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal event."""
        return {**vars(self), "at": self.at.isoformat(), "to": list(self.to)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The event that `to_json` wrote."""
        at, to = datetime.fromisoformat(value["at"]), tuple(value["to"])
        return cls(**{**value, "kind": Kind(value["kind"]), "at": at, "to": to})


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a task is due, how that was counted, and what is to come, in order."""

    due_at: datetime
    why: str
    events: tuple[Event, ...] = ()


def schedule(
    task: TaskDefinition,
    since: datetime,
    calendar: Calendar,
    *,
    escalate_to: Sequence[str] = (),
    until: datetime | None = None,
) -> Schedule:
    """The deadlines of a task that has one and begins to wait, where it fails if nobody decides `until` then.

    `escalate_to` are the names that the task's own `escalate_to` gives.
    """
    due = counted_due(task, since, calendar)
    found = sorted(_events(task, due.at, calendar, escalate_to), key=lambda event: (event.at, ORDER.index(event.kind)))
    ends = [number for number, event in enumerate(found, 1) if event.kind is Kind.DECIDE]
    events = [event for event in found[: min(ends, default=None)] if event.at > since]
    return Schedule(
        due_at=due.at, why=due.why, events=tuple(event for event in events if until is None or event.at < until)
    )


def counted_due(
    task: TaskDefinition, since: datetime, calendar: Calendar, *, told_in: tzinfo | None = None
) -> worktime.Counted:
    """When such a task is due, and how that is counted; where there is no calendar, told by the clocks of that zone."""
    return _counted(calendar, since, worktime.span(task.due), told_in)


def _events(task: TaskDefinition, due: datetime, calendar: Calendar, escalate_to: Sequence[str]) -> Iterator[Event]:
    for span in worktime.spans(task.remind):
        counted = _counted(calendar, due, span)
        yield Event(kind=Kind.REMIND, at=counted.at, why=counted.why)
    if escalate_to:
        counted = _counted(calendar, due, _after(task.escalate_after))
        yield Event(kind=Kind.ESCALATE, at=counted.at, why=counted.why, to=tuple(escalate_to))
    if task.by_default:
        counted = _counted(calendar, due, _after(task.by_default_after))
        yield Event(kind=Kind.DECIDE, at=counted.at, why=counted.why, decision=task.by_default)


def _after(text: str) -> Span:
    """Blank is as soon as it is due."""
    return worktime.span(text) if text.strip() else Span()


def _counted(calendar: Calendar, moment: datetime, span: Span, told_in: tzinfo | None = None) -> worktime.Counted:
    """All time counts where a calendar has not enough: a mistake in it must not keep people from deciding."""
    try:
        return worktime.add(calendar, moment, span, told_in=told_in)
    except NoWorkingTime as error:
        counted = worktime.add(Calendar.of_all_time(calendar.zone), moment, span, told_in=told_in)
        return worktime.Counted(
            at=counted.at, why=_("%(error)s So all time counts: %(why)s") % {"error": error, "why": counted.why}
        )


def take_due(events: Sequence[Event], now: datetime) -> tuple[list[Event], list[Event]]:
    """What is to happen now, and what is still to come.

    Of several reminders that were missed, because no engine ran or the instance was paused, only the last is left; and
    where it is to be decided by default, nothing but that.
    """
    late = [event for event in events if event.at <= now]
    if late and late[-1].kind is Kind.DECIDE:
        return [late[-1]], []
    reminders = [event for event in late if event.kind is Kind.REMIND]
    due = [event for event in late if event.kind is not Kind.REMIND or event is reminders[-1]]
    return due, [event for event in events if event.at > now]


# What is wrong with them


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with one field of a task."""

    field: str
    message: str
    level: Literal["error", "warning"] = "error"


def faults(task: TaskDefinition) -> Iterator[Fault]:
    """What is wrong with the deadlines of a manual task."""
    if not task.due.strip():
        yield from _without_due(task)
        return
    yield from _spans(task)
    if task.escalate_after.strip() and not task.escalate_to.strip():
        message = _("It is said when it is escalated, but not to whom. Name users or groups, or clear this.")
        yield Fault(field="escalate_after", message=message)
    if task.by_default_after.strip() and not task.by_default:
        message = _("It is said when it is decided by default, but not what. Choose that, or clear this.")
        yield Fault(field="by_default_after", message=message)
    if task.by_default and task.by_default not in list(ByDefault):
        message = _("%(by_default)r can't be decided. Choose %(listed)s, or clear it.") % {
            "by_default": task.by_default,
            "listed": (" " + _("or") + " ").join(ByDefault),
        }
        yield Fault(field="by_default", message=message)
    needed = [field.name for field in task.fields if field.required]
    if task.by_default == ByDefault.APPROVE and needed:
        message = _("Approved by default, it leaves %(listed)s out of the data, which its form needs.") % {
            "listed": ", ".join(map(repr, needed))
        }
        yield Fault(field="by_default", level="warning", message=message)


def _without_due(task: TaskDefinition) -> Iterator[Fault]:
    for field in ("remind", "escalate_to", "escalate_after", "by_default", "by_default_after"):
        if getattr(task, field).strip():
            message = _(
                "This counts from when the task is due, and it never is. Say after which time, such as 2d, or clear it."
            )
            yield Fault(field=field, message=message)
    if task.calendar:
        message = _("The task is never due, so no calendar counts for it. Say after which time it is due, or clear it.")
        yield Fault(field="calendar", level="warning", message=message)


SPANS = {
    "due": gettext_noop("Due after"),
    "escalate_after": gettext_noop("Escalate after"),
    "by_default_after": gettext_noop("Decide after"),
}


def _spans(task: TaskDefinition) -> Iterator[Fault]:
    for field, name in SPANS.items():
        try:
            given = _after(getattr(task, field))
        except ValueError as error:
            yield Fault(field=field, message=f"{_(name)}: {error}")
        else:
            if given.is_before or (field == "due" and given == Span()):
                least = _("more than 0") if field == "due" else _("0 or more")
                yield Fault(
                    field=field,
                    message=_("%(name)s: %(given)s is too early. Give %(least)s.")
                    % {"name": _(name), "given": given, "least": least},
                )
    try:
        worktime.spans(task.remind)
    except ValueError as error:
        yield Fault(field="remind", message=_("Remind") + f": {error}")

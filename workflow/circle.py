"""Whom a task asks: from what its definition says to the rows that an inbox finds it by (DESIGN.md 6)."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from workflow import approvers
from workflow.code.job import Errored, Outcome
from workflow.deciding import Bar, Circle, Execution, Reason, bars, newest_round
from workflow.definition import Definition
from workflow.models import ActionCall, Assignee, Barred, RunningProcesses, WaitingForApproval, bulk
from workflow.models.people import Named, eligible, find, starter_of, voters_on_questions, votes_on
from workflow.models.people import open_now as open_now_of


class NotDecidable(Exception):
    """The approver of a task can't be worked out, or names nobody; `details` tells where an expression failed."""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}


def circle_of(
    execution: Execution,
    definition: Definition,
    instance: RunningProcesses,
    evaluate: Callable[[str], Outcome],
    *,
    open_now: Collection[Execution],
) -> Circle:
    """Whom a manual task of the instance asks now; `open_now` is what the instance puts to people beside it. Raises
    `NotDecidable`.
    """
    task = definition.task(execution.task)
    apart_from = definition.apart_from(task.name)
    cast = votes_on(instance.pk, apart_from | ({task.same_as} if task.same_as else set()))
    starter = starter_of(instance) if task.not_starter else None
    barred = {
        **dict.fromkeys(voters_apart(definition, instance, task.name), Bar.DID),
        **bars(execution, apart_from=apart_from, cast=cast, open_now=open_now, starter=starter),
    }
    if task.same_as:
        did = {vote.user for vote in newest_round(task.same_as, cast=cast, open_now=open_now) if vote.user is not None}
        same = dict.fromkeys(did, Reason.SAME)
        asked = Circle(text=_("whoever decided %(same_as)r") % {"same_as": task.same_as}, users=same)
    else:
        asked = _named(_names("approver", task.approver, evaluate))
    escalate_to = _names(_("one to escalate to"), task.escalate_to, evaluate) if task.escalate_to else ()
    return _counted(replace(asked, barred=barred, escalate_to=escalate_to), task.quorum)


def circle_asked(names: Sequence[str], apart: "Apart", instance: RunningProcesses) -> Circle:
    """Whom code asks by `approval()`. Names that mean nobody any more are left out: they were known when it called."""
    return _counted(replace(_circle(names, find(names)), barred=apart.bars(instance)), 1)


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Who may not decide what code asks: as `ForPeople` has it."""

    not_starter: bool = False
    not_same_as: str = ""

    def bars(self, instance: RunningProcesses) -> dict[Any, Bar]:
        """The keys of those people, as they are known now."""
        others = {self.not_same_as} if self.not_same_as else set()
        return bars(
            Execution(task="", visit=0, row=0),  # code asks, and no task: nobody has voted on it before
            apart_from=others,
            cast=votes_on(instance.pk, others),
            open_now=open_now_of(instance.pk) if others else (),
            starter=starter_of(instance) if self.not_starter else None,
        )


def apart_of(question: WaitingForApproval) -> Apart:
    """Who may not decide a question, as the recorded call says that asked it."""
    run = question.task_run
    calls = ActionCall.objects.filter(run=run, number=run.call_number, name="approval").order_by("-attempt")
    arguments = calls.values_list("arguments", flat=True).first()
    given = arguments["kwargs"] if arguments else {}
    return Apart(not_starter=given.get("not_starter", False), not_same_as=given.get("not_same_as", ""))


def voters_apart(definition: Definition, instance: RunningProcesses, task: str) -> set[Any]:
    """The keys of those who may not decide a task because they decided what code asked, which keeps them apart."""
    return voters_on_questions(instance.pk, task) if definition.asks_apart else set()


def widen(waiting: WaitingForApproval, names: Sequence[str]) -> Named:
    """Have a task ask these users and groups as well, as it is late; returns whom the names stand for. To be called in a
    transaction in which its instance is locked.
    """
    found = find(names)
    users = [Assignee(waiting=waiting, user_id=user, reason=Reason.ESCALATED) for user in found.users.values()]
    groups = [Assignee(waiting=waiting, group_id=group, reason=Reason.ESCALATED) for group in found.groups.values()]
    bulk.insert([*users, *groups], unique=("waiting_id", "user_id", "group_id"))
    return found


def insert(asked: Sequence[tuple[WaitingForApproval, Circle]]) -> None:
    """Write whom tasks ask that are in the database already. To be called in a transaction."""
    assignees = [one for waiting, circle in asked for one in _assignees(waiting, circle)]
    barred = [
        Barred(waiting=waiting, user_id=user, why=why)
        for waiting, circle in asked
        for user, why in circle.barred.items()
    ]
    bulk.insert(assignees, unique=("waiting_id", "user_id", "group_id"))
    bulk.insert(barred, unique=("waiting_id", "user_id"))


def _assignees(waiting: WaitingForApproval, circle: Circle) -> list[Assignee]:
    found = [Assignee(waiting=waiting, user_id=user, reason=reason) for user, reason in circle.users.items()]
    found += [Assignee(waiting=waiting, group_id=group, reason=Reason.NAMED) for group in circle.groups]
    if circle.staff:
        found.append(Assignee(waiting=waiting, reason=Reason.NAMED))
    return found


def _names(what: str, text: str, evaluate: Callable[[str], Outcome]) -> tuple[str, ...]:
    if not approvers.is_expression(text):
        return approvers.names(text)
    outcome = evaluate(approvers.expression(text))
    if isinstance(outcome, Errored):
        error = outcome.error
        raise NotDecidable(
            _("The %(what)s could not be evaluated: %(message)s") % {"what": what, "message": error.message},
            error.to_json(),
        )
    try:
        return approvers.names_from_value(outcome.result)
    except ValueError as error:
        raise NotDecidable(
            _("The %(what)s %(text)s is not right: %(error)s") % {"what": what, "text": text, "error": error}
        ) from error


def _named(names: Sequence[str]) -> Circle:
    found = find(names)
    if found.unknown:
        unknown = ", ".join(map(repr, found.unknown))
        raise NotDecidable(
            _("The approver is %(unknown)s, but no active user or group has that name.") % {"unknown": unknown}
        )
    return _circle(names, found)


def _circle(names: Sequence[str], found: Named) -> Circle:
    return Circle(
        text=", ".join(names),
        users=dict.fromkeys(found.users.values(), Reason.NAMED),
        groups=tuple(dict.fromkeys(found.groups.values())),
        staff=not names,
    )


def _counted(circle: Circle, quorum: int) -> Circle:
    return replace(circle, too_few=eligible(circle) < quorum)

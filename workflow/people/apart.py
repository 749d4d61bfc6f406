"""Separation of duties: who may not decide a task because of what they have decided, or started, of the same instance."""

from typing import Any

from django.utils.translation import gettext as _

from workflow import notices
from workflow.circle import apart_of, voters_apart
from workflow.deciding import Bar, Execution, May, Reason, bars
from workflow.models import Assignee, Barred, Decision, Intervention, NoticeKind, WaitingForApproval
from workflow.models.people import key_from, open_now, starter_of, votes_on
from workflow.origin import Origin, name_of
from workflow.people.rights import Rights


def execution_of(waiting: WaitingForApproval) -> Execution:
    """What the rules know a waiting manual task by."""
    run = waiting.task_run
    return Execution(task=run.task_name, visit=run.visit, row=run.row, attempt=run.attempt)


def barred_now(waiting: WaitingForApproval) -> dict[Any, Bar]:
    """Who may not decide it, as its definition and the votes on its instance say, whatever was written when it was queued.

    To be called in a transaction in which the instance is locked. What an engine or a web server of an earlier version wrote
    knows less: it saw a relation from one of its two sides, and no stand-ins.
    """
    if waiting.question:
        return apart_of(waiting).bars(waiting.rpid)
    instance, task = waiting.rpid, waiting.definition
    apart_from = instance.version.frozen.apart_from(task.name)
    starter = starter_of(instance) if task.not_starter else None
    of_several = {task.name} if task.quorum > 1 else set()
    asked = dict.fromkeys(voters_apart(instance.version.frozen, instance, task.name), Bar.DID)
    if not apart_from and not of_several and starter is None:
        return asked
    return {
        **asked,
        **bars(
            execution_of(waiting),
            apart_from=apart_from,
            cast=votes_on(instance.pk, apart_from | of_several),
            open_now=open_now(instance.pk) if apart_from else (),
            starter=starter,
        ),
    }


def keep_apart(vote: Decision, waiting: WaitingForApproval) -> None:
    """Write down who may not decide what waits beside this, and who alone may: that is known only since this vote.

    To be called in the transaction of the vote, in which the instance is locked: so of two votes by one person on both tasks,
    at the same moment, the second is refused.
    """
    if vote.user_id is None:
        return
    definition = waiting.rpid.version.frozen
    if definition.asks_apart:
        _keep_questions_apart(vote, waiting)
    if waiting.question:
        return
    apart = definition.apart_from(waiting.task_name)
    together = {task.name for task in definition.tasks if task.same_as == waiting.task_name}
    if not apart and not together:
        return
    beside = WaitingForApproval.objects.filter(rpid=waiting.rpid_id, task_name__in=apart | together, question="")
    for other in beside.exclude(pk=waiting.pk).select_related("claimed_by"):
        if other.task_name in apart:
            _bar(other, vote)
        if other.task_name in together:
            Assignee.objects.get_or_create(waiting=other, user_id=vote.user_id, defaults={"reason": Reason.SAME})
            notices.queue_to([vote.user_id], NoticeKind.WAITS, other, now=vote.at)


def _keep_questions_apart(vote: Decision, waiting: WaitingForApproval) -> None:
    """The same for what code asks, and the task whose decider it keeps apart from it: whichever of the two was decided."""
    beside = WaitingForApproval.objects.filter(rpid=waiting.rpid_id).exclude(pk=waiting.pk)
    beside = beside.select_related("claimed_by", "task_run")
    if waiting.question:
        other = apart_of(waiting).not_same_as
        for one in beside.filter(question="", task_name=other) if other else ():
            _bar(one, vote)
        return
    for one in beside.exclude(question=""):
        if apart_of(one).not_same_as == waiting.task_name:
            _bar(one, vote)


def _bar(waiting: WaitingForApproval, vote: Decision) -> None:
    for user in voters(vote):
        Barred.objects.get_or_create(waiting=waiting, user_id=user, defaults={"why": Bar.DID})
    if waiting.claimed_by is not None and not isinstance(Rights(waiting.claimed_by).to(waiting), May):
        _take_from_holder(waiting, vote)


def _take_from_holder(waiting: WaitingForApproval, vote: Decision) -> None:
    """Release a task whose holder may not decide it any more: nobody else could."""
    WaitingForApproval.objects.filter(pk=waiting.pk).update(claimed_by=None, claimed_at=None)
    Intervention.objects.create(
        instance_id=waiting.rpid_id,
        action="release",
        details=repr(waiting.task_name)[:500],
        by=waiting.claimed_by,
        origin=Origin(via=vote.made.via, user=name_of(waiting.claimed_by)).to_json(),
        reason=_("They may not decide it any more: %(user)s has decided %(task)r.")
        % {"user": vote.user, "task": vote.task_run.task_name},
        at=vote.at,
    )


def voters(vote: Decision) -> set[Any]:
    """The keys of everybody who takes part in a vote: the decider, the person for whom they stood in, and those between them."""
    between = [key_from(one.key) for one in vote.made.through]
    return {user for user in (vote.user_id, vote.on_behalf_of_id, *between) if user is not None}

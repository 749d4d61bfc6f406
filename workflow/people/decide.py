"""Decisions: one vote at a time, under the lock of its instance, until they amount to something."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from workflow import clock, conf, flow, history, moments, transitions, values
from workflow.deciding import Bar, May, Verdict, Vote, verdict
from workflow.errors import AlreadyDecided, BadData, NoSuchInstance, NotAllowed
from workflow.models import (
    Barred,
    Decision,
    RunningProcesses,
    RunState,
    TaskRun,
    WaitingForApproval,
)
from workflow.origin import CODE, DEFAULT, Channel, Name, Origin, Via, name_of
from workflow.people.answers import answers_from, refuse_unasked
from workflow.people.apart import barred_now, keep_apart, voters
from workflow.people.rights import Rights, reason
from workflow.people.seen import refuse_stale, what_is_seen
from workflow.people.uploads import attach

MAX_COMMENT = 2_000
"""Characters of a comment on a decision."""


def who_was_quicker(run: TaskRun) -> str:
    """Who decided a task run that waits no more, what, and when."""
    what = _("%(task_name)r of instance %(instance_id)s") % {"task_name": run.task_name, "instance_id": run.instance_id}
    asked_by_code = run.call_number > 0
    if asked_by_code or run.ended_at is None or run.state not in {RunState.FINISHED, RunState.REJECTED}:
        return _("%(what)s waits no more: the instance has moved on. Nothing was changed.") % {"what": what}
    did = _("approved") if run.state == RunState.FINISHED else _("rejected")
    when = moments.to_the_minute(run.ended_at)
    origin = run.decision
    by_default = run.decisions.filter(by_default=True, attempt=run.attempt)
    if origin.via == DEFAULT or (origin.user is None and origin.via is None and by_default.exists()):
        return _(
            "Nobody had decided %(what)s in time, so it was %(did)s by default at %(when)s. Nothing was changed."
        ) % {"what": what, "did": did, "when": when}
    return _("%(who)s %(did)s %(what)s at %(when)s. Nothing was changed.") % {
        "who": origin.who,
        "did": did,
        "what": what,
        "when": when,
    }


def approve(
    waiting: WaitingForApproval,
    *,
    by: Any = None,
    comment: str = "",
    answers: Mapping[str, Any] | None = None,
    seen: str | None = None,
    via: Via = CODE,
) -> TaskRun:
    """Approve a waiting task. `by` is who decides; `None` is the operator at the command line, whose word is final.

    `answers` are those to the task's form, as `answers_from` takes them; `seen` is the token of what was looked at.
    `via` says how it is decided, for the history.
    Where a quorum is needed, this counts as one of it, and the task waits on until that is reached.
    Raises `AlreadyDecided`, `NotAllowed`, `Stale` or `BadData`.
    """
    return decide(
        waiting, approved=True, rights=_rights(by), comment=comment, answers=answers or {}, seen=seen, via=via
    )


def reject(
    waiting: WaitingForApproval,
    *,
    by: Any = None,
    comment: str = "",
    answers: Mapping[str, Any] | None = None,
    seen: str | None = None,
    via: Via = CODE,
) -> TaskRun:
    """Reject a waiting task, as `approve` approves it: at once, whatever the quorum, and with no field that is needed."""
    return decide(
        waiting, approved=False, rights=_rights(by), comment=comment, answers=answers or {}, seen=seen, via=via
    )


def refuse_comment(comment: str) -> None:
    """Raises `BadData` for a comment that is too long, or that no database can keep."""
    if len(comment) > MAX_COMMENT:
        raise BadData(
            _("The comment has %(count)s characters; the most is %(most)s.")
            % {"count": f"{len(comment):,}", "most": f"{MAX_COMMENT:,}"}
        )
    try:
        values.check(comment, _("The comment"))
    except values.ValueProblem as problem:
        raise BadData(str(problem)) from problem


def _rights(by: Any) -> Rights | None:
    return None if by is None else Rights(by)


def decide(
    waiting: WaitingForApproval,
    *,
    approved: bool,
    rights: Rights | None,
    comment: str,
    answers: Mapping[str, Any],
    seen: str | None = None,
    via: Via = CODE,
) -> TaskRun:
    """Approve or reject, as those say; `rights` are those of who decides."""
    refuse_comment(comment)
    now = clock.now()
    with transaction.atomic():
        instance, current = locked(waiting)
        absent, through = _granted(rights, current, barred_now(current)) if rights else (None, ())
        if seen is not None:
            refuse_stale(current, seen)
        by = rights.user if rights else None
        vote = Decision(
            task_run=current.task_run,
            attempt=current.task_run.attempt,
            call=current.task_run.call_number if current.question else 0,
            user=by,
            on_behalf_of=absent,
            origin=Origin(via=via, user=name_of(by), on_behalf_of=name_of(absent), through=through).to_json(),
            by_link=via.channel is Channel.LINK,  # for servers of an earlier version
            approved=approved,
            comment=comment,
            answers=_checked(current, answers, by=by, approved=approved),
            saw=what_is_seen(current, by),
            at=now,
        )
        _cast(vote, current, instance)
    return TaskRun.objects.get(pk=waiting.task_run_id)


def decide_by_default(waiting: WaitingForApproval, *, approved: bool, comment: str, now: datetime) -> None:
    """Decide what nobody has decided in time, whatever the quorum. To be called in a transaction in which its instance is
    locked; `comment` says why.
    """
    vote = Decision(
        task_run=waiting.task_run,
        attempt=waiting.task_run.attempt,
        origin=Origin(via=DEFAULT).to_json(),
        by_default=True,
        approved=approved,
        comment=comment,
        saw=what_is_seen(waiting),
        at=now,
    )
    _cast(vote, waiting, waiting.rpid)


def locked(waiting: WaitingForApproval) -> tuple[RunningProcesses, WaitingForApproval]:
    """The instance, locked, and what waits of it as it is now. Raises `AlreadyDecided` where it waits no more."""
    try:
        instance = transitions.locked(waiting.rpid_id)
    except RunningProcesses.DoesNotExist:
        raise NoSuchInstance(waiting.rpid_id) from None
    current = WaitingForApproval.objects.select_related("task_run", "claimed_by").filter(pk=waiting.pk).first()
    if current is None:
        run = TaskRun.objects.select_related("decided_by").filter(pk=waiting.task_run_id).first()
        raise AlreadyDecided(who_was_quicker(run or waiting.task_run))
    current.rpid = instance
    return instance, current


def _granted(rights: Rights, waiting: WaitingForApproval, barred: Mapping[Any, Bar]) -> tuple[Any, tuple[Name, ...]]:
    """The user on whose behalf the vote is, if it is not the user's own, and through whom. Raises what refuses it."""
    match rights.to(waiting, barred=barred):
        case May(on_behalf_of=None):
            return None, ()
        case May(on_behalf_of=principal, through=through):
            absent = {user.pk: user for user in rights.absent}
            return absent[principal], tuple(filter(None, (name_of(absent.get(key)) for key in through)))
        case Bar.VOTED as found:
            raise AlreadyDecided(reason(found, rights.user, waiting))
        case found:
            raise NotAllowed(reason(found, rights.user, waiting))


def _checked(waiting: WaitingForApproval, answers: Mapping[str, Any], *, by: Any, approved: bool) -> dict[str, Any]:
    form = waiting.fields
    refuse_unasked(form, answers)
    given = answers_from(form, answers, by=by, partial=not approved)
    attach(form, given, waiting.rpid, by=by)
    return given


def _cast(vote: Decision, waiting: WaitingForApproval, instance: RunningProcesses) -> None:
    """Count a vote, and let the instance go on where that decides."""
    vote.save(force_insert=True)
    before = [Vote(approved=True)] * waiting.votes
    found = verdict([*before, Vote(approved=vote.approved, is_final=vote.user_id is None)], quorum=waiting.quorum)
    if found is Verdict.OPEN:
        _count(vote, waiting)
        keep_apart(vote, waiting)
        return
    if not _write(vote, waiting, found):
        raise AlreadyDecided(who_was_quicker(waiting.task_run))
    keep_apart(vote, waiting)
    _close_step(instance, vote.at)
    transitions.wake(instance)


def _count(vote: Decision, waiting: WaitingForApproval) -> None:
    """One of several. Neither who voted nor whom they stood in for votes again; who held it holds it no more."""
    WaitingForApproval.objects.filter(pk=waiting.pk).update(votes=waiting.votes + 1, claimed_by=None, claimed_at=None)
    Barred.objects.bulk_create([Barred(waiting=waiting, user_id=user, why=Bar.VOTED) for user in voters(vote)])


def _write(vote: Decision, waiting: WaitingForApproval, found: Verdict) -> bool:
    """Whether it still waited: as a manual task, or as code that stands at `approval()`."""
    votes = _votes(vote) if waiting.quorum > 1 else [vote]
    answers = _together(votes)
    result: dict[str, Any] = {"approved": found is Verdict.APPROVED, **_told(vote)}
    if waiting.question:
        return transitions.answer_call(waiting.task_run, {**result, "data": answers}, now=vote.at)
    if waiting.quorum > 1:
        result["votes"] = [{"approved": one.approved, **_told(one)} for one in votes]
    return transitions.decide_run(
        waiting.task_run,
        state=RunState.FINISHED if found is Verdict.APPROVED else RunState.REJECTED,
        result=result,
        changes=history.changes_to_json(flow.Changes(set=answers)) if answers else None,
        by=vote.user,
        origin=vote.made.to_json(),
        now=vote.at,
    )


def _together(votes: Sequence[Decision]) -> dict[str, Any]:
    """What several have answered to one form: what one leaves blank stays as another before said."""
    found: dict[str, Any] = {}
    for vote in votes:
        found |= {
            name: value
            for name, value in vote.answers.items()
            if (value is not None and value != "") or name not in found
        }
    return found


def _votes(last: Decision) -> list[Decision]:
    """All votes on the same question, in order."""
    cast = Decision.objects.filter(task_run=last.task_run_id, attempt=last.attempt, call=last.call)
    return list(cast.select_related("user").order_by("pk"))


def _told(vote: Decision) -> dict[str, Any]:
    user = vote.made.user
    told = {"user": user.username if user else None, "comment": vote.comment}
    return {**told, "by_default": True} if vote.by_default else told


def _close_step(instance: RunningProcesses, now: datetime) -> None:
    """Cancel what this decision leaves without effect at once, so that nobody decides it in vain."""
    position = history.position_of(instance, history.runs_of_step(instance).values())
    decision = flow.decide(instance.version.frozen, position, conf.limits())
    if not isinstance(decision, flow.Stay):
        transitions.cancel_runs(instance, decision.cancelled, now=now)

"""Who takes on what waits: claimed, released, handed on to somebody, or asked of whomever it concerns by now.

Operators may do some of it without being asked, but never so that they come to decide it themselves.
"""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from workflow import approvers, clock, conf, notices
from workflow.circle import NotDecidable, apart_of, circle_asked, circle_of, insert
from workflow.code.runner import get_runner
from workflow.deciding import Bar, Circle, May, Reason, Refused, Right
from workflow.errors import BadData, NotAllowed, NotPermitted
from workflow.models import Assignee, Barred, Intervention, NoticeKind, WaitingForApproval
from workflow.models.people import open_now
from workflow.origin import CODE, Origin, Via, name_of
from workflow.people.apart import execution_of
from workflow.people.decide import locked, refuse_comment
from workflow.people.rights import OPERATE, Rights, reason, why_not_operate


def claim(waiting: WaitingForApproval, by: Any, *, via: Via = CODE) -> None:
    """Take it on: nobody else decides it until it is released. Here and below, `via` says how, for the history. Raises `NotAllowed`, `NotPermitted` or `AlreadyDecided`."""
    with transaction.atomic():
        current = locked(waiting)[1]
        _refuse(Rights(by).to(current), by, current)
        if current.quorum > 1:
            raise NotPermitted(
                _("%(what)s takes %(quorum)s people, so nobody can have it alone.")
                % {"what": _what(current), "quorum": current.quorum}
            )
        if current.claimed_by_id != by.pk:
            _hold(current, by)
            _note("claim", current, by, via)


def release(waiting: WaitingForApproval, by: Any = None, *, via: Via = CODE) -> None:
    """Give back what was claimed, for whoever it asks: by who holds it, by an operator, or (`None`) by the program.

    Raises `NotAllowed`, `NotPermitted` or `AlreadyDecided`.
    """
    with transaction.atomic():
        current = locked(waiting)[1]
        if current.claimed_by is None:
            raise NotPermitted(_("Nobody has claimed %(what)s.") % {"what": _what(current)})
        if by is not None and current.claimed_by_id != by.pk:
            _refuse_release(by, current)
        _hold(current, None)
        _note("release", current, by, via)


def delegate(waiting: WaitingForApproval, to: Any, by: Any = None, comment: str = "", *, via: Via = CODE) -> None:
    """Hand it on to a user, who then holds it; by who may decide it, by an operator, or (`None`) by the program.

    Operators hand on only what nobody can decide, and never to themselves, nor to somebody for whom they stand in. Where several
    people decide, it is one vote that is handed on, to somebody who has none yet. Raises `NotAllowed`, `NotPermitted`,
    `BadData` or `AlreadyDecided`.
    """
    refuse_comment(comment)
    with transaction.atomic():
        current = locked(waiting)[1]
        rights = None if by is None else Rights(by)
        right = None if rights is None else rights.to(current)
        if rights is not None:
            _refuse_to_themselves(rights, to, current)
            if not isinstance(right, May):
                _refuse_as_operator(rights, to, current)
        _refuse_receiver(to, current)
        Assignee.objects.get_or_create(waiting=current, user=to, defaults={"reason": Reason.DELEGATED})
        if current.quorum == 1:
            _hold(current, to)
            _assign_anew(current)
        elif isinstance(right, May) and (right.on_behalf_of or _is_asked(by, current)):
            Barred.objects.create(waiting=current, user_id=right.on_behalf_of or by.pk, why=Bar.DELEGATED)
        notices.queue_to([to.pk], NoticeKind.DELEGATED, current, now=clock.now(), text=_said(by, comment))
        _note("delegate", current, by, via, " " + _("to %(to)s") % {"to": to.get_username()}, comment=comment)


def resolve_again(waiting: WaitingForApproval, by: Any = None, *, via: Via = CODE) -> None:
    """Ask whomever its approver names by now; who was handed it or held it, does no more. For operators, or the program.

    Votes that were cast stay, and so does whom it was escalated to. Raises `NotAllowed`, `BadData` or `AlreadyDecided`.
    """
    if by is not None:
        if not _operates(by):
            raise NotAllowed(
                _("%(user)s may not have it resolved again: it takes the permission %(permission)s.")
                % {"user": by.get_username(), "permission": OPERATE}
            )
        _refuse_own(by, waiting)
    asked = _resolved(waiting)
    with transaction.atomic():
        current = locked(waiting)[1]
        current.assignees.exclude(reason=Reason.ESCALATED).delete()
        current.barred.exclude(why=Bar.VOTED).delete()
        WaitingForApproval.objects.filter(pk=current.pk).update(approver=asked.text, claimed_by=None, claimed_at=None)
        _assign_anew(current)
        insert([(current, asked)])
        notices.queue(NoticeKind.WAITS, [current], now=clock.now())
        _note("resolve again", current, by, via, ": " + (asked.text or _("any member of staff")))


def _resolved(waiting: WaitingForApproval) -> Circle:
    if waiting.question:
        return circle_asked(approvers.names(waiting.approver), apart_of(waiting), waiting.rpid)
    instance, runner = waiting.rpid, get_runner()
    try:
        return circle_of(
            execution_of(waiting),
            instance.version.frozen,
            instance,
            lambda text: runner.evaluate(
                text,
                data=dict(instance.data),
                results=dict(instance.results),
                time_limit=conf.get("TIME_LIMIT"),
                memory_limit=conf.get("MEMORY_LIMIT"),
            ),
            open_now=open_now(instance.pk),
        )
    except NotDecidable as error:
        raise BadData(f"{error} " + _("Nothing was changed.")) from error


def _refuse(right: Right, user: Any, waiting: WaitingForApproval) -> None:
    if not isinstance(right, May):
        raise NotAllowed(reason(right, user, waiting))


def _refuse_to_themselves(rights: Rights, to: Any, waiting: WaitingForApproval) -> None:
    """Who is asked has it already. For anybody else, also a superuser, it would be a way to become one who is asked."""
    by = rights.user
    if to.pk != by.pk:
        return
    if waiting.claimed_by_id == by.pk or _is_asked(by, waiting):
        raise NotPermitted(_("It is yours already."))
    raise NotPermitted(
        _("%(user)s may not delegate %(what)s to themselves.") % {"user": by.get_username(), "what": _what(waiting)}
    )


def _refuse_as_operator(rights: Rights, to: Any, waiting: WaitingForApproval) -> None:
    """Whoever may not decide it themselves hands it on only as an operator, and only what would else wait for ever."""
    by = rights.user
    if not _operates(by):
        _refuse(rights.to(waiting), by, waiting)
    _refuse_own(by, waiting)
    if to.pk in {absent.pk for absent in rights.absent}:
        raise NotPermitted(
            _("%(user)s may not delegate %(what)s to %(to)s, for whom they stand in.")
            % {"user": by.get_username(), "what": _what(waiting), "to": to.get_username()}
        )
    if not WaitingForApproval.objects.undecidable().filter(pk=waiting.pk).exists():
        raise NotAllowed(
            _(
                "%(user)s may not delegate %(what)s: operators delegate only what nobody can decide, and it waits for "
                "%(who)s. Release it if somebody holds it, or have it asked again."
            )
            % {"user": by.get_username(), "what": _what(waiting), "who": waiting.asked}
        )


def _refuse_release(by: Any, waiting: WaitingForApproval) -> None:
    """What somebody else holds, only operators release."""
    if not _operates(by):
        holder = waiting.claimed_by
        assert holder is not None
        raise NotAllowed(
            _("%(user)s can't release %(what)s: %(holder)s has claimed it.")
            % {"user": by.get_username(), "what": _what(waiting), "holder": holder.get_username()}
        )
    _refuse_own(by, waiting)


def _refuse_own(operator: Any, waiting: WaitingForApproval) -> None:
    """Raises `NotAllowed` where operators would operate on an instance that they started."""
    if why_not := why_not_operate(operator, waiting.rpid):
        raise NotAllowed(why_not)


def _refuse_receiver(to: Any, waiting: WaitingForApproval) -> None:
    match Rights(to).to(waiting):
        case Bar.DELEGATED:  # it comes back
            waiting.barred.filter(user=to, why=Bar.DELEGATED).delete()
            _assign_anew(waiting)
        case (Refused.INACTIVE | Bar()) as found:
            raise NotPermitted(reason(found, to, waiting))
        case May() if waiting.quorum > 1 and _is_asked(to, waiting):
            raise NotPermitted(
                _("%(to)s is asked to decide %(what)s already.") % {"to": to.get_username(), "what": _what(waiting)}
            )


def _is_asked(user: Any, waiting: WaitingForApproval) -> bool:
    """Whether the user has a vote of their own: superusers may decide what they are not asked."""
    return Assignee.objects.naming(user).filter(waiting=waiting).exists()


def _hold(waiting: WaitingForApproval, user: Any) -> None:
    at = clock.now() if user else None
    WaitingForApproval.objects.filter(pk=waiting.pk).update(claimed_by=user, claimed_at=at)


def _assign_anew(waiting: WaitingForApproval) -> None:
    """Make the links void that were sent before: who is asked again gets a new one."""
    waiting.assignment += 1
    WaitingForApproval.objects.filter(pk=waiting.pk).update(assignment=waiting.assignment)


def _said(by: Any, comment: str) -> str:
    return f"{by.get_username()}: {comment}" if by and comment else comment


def _operates(user: Any) -> bool:
    return bool(user.has_perm(OPERATE))


def _what(waiting: WaitingForApproval) -> str:
    return _("%(task_name)r of instance %(rpid_id)s") % {"task_name": waiting.task_name, "rpid_id": waiting.rpid_id}


def _note(action: str, waiting: WaitingForApproval, by: Any, via: Via, more: str = "", *, comment: str = "") -> None:
    """Tell it in the instance's history."""
    Intervention.objects.create(
        instance=waiting.rpid,
        action=action,
        details=f"{waiting.task_name!r}{more}"[:500],
        by=by,
        origin=Origin(via=via, user=name_of(by)).to_json(),
        reason=comment,
        at=clock.now(),
    )

"""Writes an e-mail: what a notice tells one person, in their language, as text and HTML."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db.models import F
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflow.deciding import May
from workflow.mail import links
from workflow.mail.wishes import Wish, plan_digest, wish_of
from workflow.models import AbsenceChange, MailWish, Notice, NoticeKind, RunState, TaskRun, WaitingForApproval
from workflow.people import absences
from workflow.people.instructions import instructions_html, instructions_text
from workflow.people.rights import Rights, inbox, reason

LONGEST_DIGEST = 50
"""Tasks that a day's message lists; that there are more is all that it says of others."""


@dataclass(frozen=True)
class Dropped:
    """There is nothing to send any more, and why."""

    why: str


Letter = EmailMultiAlternatives | Dropped


def compose(notice: Notice, now: datetime) -> Letter:
    """The e-mail that tells a person what a notice says, as things are now."""
    user = notice.user
    assert user is not None  # the query for letters has only such
    wish = wish_of(user)
    if notice.kind == NoticeKind.DIGEST and wish.wish is MailWish.DIGEST and user.is_active:
        plan_digest(user, wish, now)  # the next one: also where there is nothing to tell today
    if found := _unwanted(notice, wish, now):
        return found
    with wish.spoken():
        match notice.kind:
            case NoticeKind.DIGEST:
                return _digest(notice, now)
            case NoticeKind.DECIDED:
                return _decided(notice, now)
            case NoticeKind.ABSENCE:
                return _absence(notice, now)
        return _waits(notice, now)


def _unwanted(notice: Notice, wish: Wish, now: datetime) -> Dropped | None:
    user: Any = notice.user
    if not user.is_active:
        return Dropped(_("The user is not active."))
    if not _is_address(_address(user)):
        return Dropped(_("The user has no e-mail address that mail could be sent to."))
    if notice.kind == NoticeKind.ABSENCE:
        return None  # who acts in somebody's place is nothing to be kept from them: what they wish is about their tasks
    if notice.kind == NoticeKind.DIGEST:
        return None if wish.wish is MailWish.DIGEST else Dropped(_("The user wants no daily message any more."))
    if wish.wish is MailWish.NONE:
        return Dropped(_("The user wants no messages."))
    if wish.wish is MailWish.DIGEST and notice.kind != NoticeKind.DECIDED:
        plan_digest(user, wish, now)
        return Dropped(_("It is for the user's daily message."))
    return None


def _waits(notice: Notice, now: datetime) -> Letter:
    found = WaitingForApproval.objects.select_related("rpid__version", "task_run", "claimed_by")
    waiting = found.filter(pk=notice.waiting_id or 0).first()
    if waiting is None:
        return Dropped(_("It waits no more."))
    waiting.task_run.instance = waiting.rpid
    right = Rights(notice.user).to(waiting)
    if not isinstance(right, May):
        return Dropped(reason(right, notice.user, waiting))
    subject, lead = _subject_and_lead(notice, is_overdue=waiting.is_overdue(now))
    what = {"process": waiting.process_name, "task": waiting.task_name, "instance": waiting.rpid_id}
    return _letter(
        notice,
        now,
        subject=subject % what,
        template="waits",
        of=waiting.task_run,
        item=_item(waiting, notice.user, now),
        lead=lead,
        said=notice.text,
        instructions_html=instructions_html(waiting),
        instructions_text=waiting.question or instructions_text(waiting),
    )


def _subject_and_lead(notice: Notice, *, is_overdue: bool) -> tuple[str, str]:
    match notice.kind:
        case NoticeKind.REMINDER if is_overdue:
            return (
                _("Overdue: %(process)s: %(task)s (instance %(instance)s)"),
                _("This is overdue, and still waits for your decision:"),
            )
        case NoticeKind.REMINDER:
            return (
                _("Reminder: %(process)s: %(task)s (instance %(instance)s)"),
                _("This still waits for your decision:"),
            )
        case NoticeKind.ESCALATED:
            return (
                _("Escalated to you: %(process)s: %(task)s (instance %(instance)s)"),
                _("Nobody has decided this in time. You are asked now, as well:"),
            )
        case NoticeKind.DELEGATED:
            return (
                _("Handed on to you: %(process)s: %(task)s (instance %(instance)s)"),
                _("This was handed on to you, to decide it:"),
            )
    return (
        _("Waits for you: %(process)s: %(task)s (instance %(instance)s)"),
        _("This waits for your decision:"),
    )


def _decided(notice: Notice, now: datetime) -> Letter:
    run = TaskRun.objects.select_related("instance").filter(pk=notice.task_run_id or 0).first()
    if run is None:
        return Dropped(_("The instance was deleted."))
    what = {"process": run.instance.process_name, "task": run.task_name, "instance": run.instance_id}
    return _letter(
        notice,
        now,
        subject=_("Decided by default: %(process)s: %(task)s (instance %(instance)s)") % what,
        template="decided",
        of=run,
        run=run,
        was_approved=run.state == RunState.FINISHED,
        **what,
    )


def _absence(notice: Notice, now: datetime) -> Letter:
    change = notice.absence_change
    assert change is not None  # a notice of this kind is about one
    lead = {
        AbsenceChange.Action.ADDED: _("%(who)s has entered an absence for you."),
        AbsenceChange.Action.CHANGED: _("%(who)s has changed an absence of yours."),
        AbsenceChange.Action.DELETED: _("%(who)s has deleted an absence of yours."),
    }[AbsenceChange.Action(change.action)]
    return _letter(
        notice,
        now,
        subject=_("Your absence: %(who)s has changed who stands in for you") % {"who": change.made.who},
        template="absence",
        lead=lead % {"who": change.made.who},
        change=change,
        before=absences.described(change.before),
        after=absences.described(change.after),
    )


def _digest(notice: Notice, now: datetime) -> Letter:
    waiting = inbox(notice.user).select_related("rpid__version", "task_run")
    found = list(waiting.order_by(F("due_at").asc(nulls_last=True), "queued_at", "pk")[: LONGEST_DIGEST + 1])
    if not found:
        return Dropped(_("Nothing waited for the user."))
    listed, is_cut = found[:LONGEST_DIGEST], len(found) > LONGEST_DIGEST
    if is_cut:
        subject = _("More than %(count)d tasks wait for you") % {"count": len(listed)}
    else:
        subject = ngettext("%(count)d task waits for you", "%(count)d tasks wait for you", len(listed))
        subject %= {"count": len(listed)}
    items = [_item(one, notice.user, now) for one in listed]
    return _letter(notice, now, subject=subject, template="digest", items=items, is_cut=is_cut)


def _item(waiting: WaitingForApproval, user: Any, now: datetime) -> dict[str, Any]:
    return {
        "waiting": waiting,
        "is_overdue": waiting.is_overdue(now),
        "address": links.decide_address(user, waiting),
    }


def _letter(
    notice: Notice, now: datetime, *, subject: str, template: str, of: TaskRun | None = None, **facts: Any
) -> EmailMultiAlternatives:
    context = {
        **facts,
        "user": notice.user,
        "inbox_address": links.address_of("inbox"),
        "preferences_address": links.address_of("mail_preferences"),
        "until": links.good_until(now),
    }
    text = render_to_string(f"workflow/mail/{template}.txt", context).strip()
    letter = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=re.sub(r"\n{3,}", "\n\n", text) + "\n",
        to=[_address(notice.user)],
        headers=_headers(notice, of),
    )
    html = render_to_string(f"workflow/mail/{template}.html", {**context, "subject": letter.subject})
    letter.attach_alternative(html, "text/html")
    return letter


def _headers(notice: Notice, run: TaskRun | None) -> dict[str, str]:
    # This site's, not this machine's: another may send it again, and mail programs then show it once.
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    name = notice.key.replace(":", "-")
    headers = {
        "Message-ID": f"<workflow-{name}-{notice.created_at:%Y%m%d%H%M%S}@{domain}>",
        "Auto-Submitted": "auto-generated",  # so that nobody's holiday answers
    }
    if run is not None:
        # One thread for each task; also for those that began their threads when there were no tokens.
        thread = run.external_key if run.instance.token else run.pk
        headers["References"] = f"<workflow-task-{thread}@{domain}>"
    return headers


def _address(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), "") or "")


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True

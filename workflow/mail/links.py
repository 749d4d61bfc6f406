"""Links in e-mails, by which a person comes to decide: signed, for one person and one assignment, and only for a while.

A link says who came by it and to what; whether they may decide is asked when it is opened, and again when they decide.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.core import signing
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from workflow import conf
from workflow.deciding import May
from workflow.errors import AlreadyDecided, LinkExpired, LinkForged, LinkVoid
from workflow.models import TaskRun, WaitingForApproval
from workflow.people.decide import who_was_quicker
from workflow.people.rights import Rights, reason

SALT = "workflow.decide"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a good link leads to: who decides, and what."""

    user: Any
    waiting: WaitingForApproval


def address_of(page: str, *arguments: Any) -> str:
    """The address of one of our pages, for e-mails; blank where the setting `SITE_URL` is, or the site has no such page."""
    site: str = conf.get("SITE_URL")
    if not site:
        return ""
    try:
        return site.rstrip("/") + reverse(f"workflow:{page}", args=arguments)
    except NoReverseMatch:
        return ""


def decide_address(user: Any, waiting: WaitingForApproval) -> str:
    """Where a user confirms what they decide, as `address_of` tells it."""
    return address_of("decide_by_link", token(user, waiting))


def good_until(now: datetime) -> datetime:
    """When links that are sent now expire."""
    return now + timedelta(days=conf.get("MAIL_LINK_DAYS"))


def token(user: Any, waiting: WaitingForApproval) -> str:
    """What a link says: for whom it is, and what was assigned to them."""
    # A key as text, as that of a project's users need not be what JSON knows, such as a UUID.
    said = [str(user.pk), waiting.pk, waiting.assignment, waiting.task_run_id, _mailbox(user)]
    # What an instance without a token asks has no key: its links stay what they were.
    key = waiting.external_key
    return signing.dumps([*said, key] if key else said, salt=SALT, compress=True)


def opened(token: str) -> Opened:
    """What a link leads to now. Raises `LinkForged`, `LinkExpired`, `LinkVoid` or `AlreadyDecided`."""
    said = _read(token)
    user = get_user_model()._default_manager.filter(pk=said.user).first()
    if user is None or said.mailbox != _mailbox(user):
        raise LinkVoid(
            _("The link was sent to an address that is its user's no more. Log in to see what waits for you.")
        )
    waiting = _waiting(said)
    right = Rights(user).to(waiting)
    if not isinstance(right, May):
        raise LinkVoid(reason(right, user, waiting))
    if waiting.assignment != said.assignment:
        raise LinkVoid(
            _(
                "%(task)s of instance %(instance)s was assigned anew since the message was sent, which made its link void."
            )
            % {"task": repr(waiting.task_name), "instance": waiting.rpid_id}
        )
    return Opened(user=user, waiting=waiting)


class _Said(NamedTuple):
    """What a link says: primary keys, and the key of the question; blank for one of an instance without a token."""

    user: Any
    waiting: int
    assignment: int
    run: int
    mailbox: str
    key: str = ""


def _read(token: str) -> _Said:
    try:
        said = signing.loads(token, salt=SALT, max_age=timedelta(days=conf.get("MAIL_LINK_DAYS")))
        return _Said(*said)
    except signing.SignatureExpired:
        raise LinkExpired(conf.get("MAIL_LINK_DAYS")) from None
    except (signing.BadSignature, TypeError):
        raise LinkForged from None


def _waiting(said: _Said) -> WaitingForApproval:
    """The question that a link was sent for. After a restore, another may have its primary key: raises `LinkVoid` then, and
    `AlreadyDecided` where the question waits no more.
    """
    found = WaitingForApproval.objects.select_related("rpid__version", "task_run", "claimed_by")
    waiting = found.filter(pk=said.waiting).first()
    if waiting is not None and waiting.external_key == said.key:
        return waiting
    run = TaskRun.objects.select_related("decided_by", "instance").filter(pk=said.run).first()
    if run is None:
        raise AlreadyDecided(_("What the link is about is gone: the instance was deleted. Nothing was changed."))
    if not run.has_asked(said.key):
        raise LinkVoid(
            _(
                "The task that the link was sent for no longer exists, because the database was restored from a backup. "
                "Log in to see what waits for you."
            )
        )
    raise AlreadyDecided(who_was_quicker(run))


def _mailbox(user: Any) -> str:
    """What of a user's address a link knows: who has got another one gets no links at the old one any more."""
    email = getattr(user, user.get_email_field_name(), "") or ""
    return hashlib.sha256(email.lower().encode()).hexdigest()[:10]

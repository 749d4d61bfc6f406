"""Queues what people are told by e-mail, in the transaction that writes what it tells of.

So nothing is told that was rolled back, and nothing that was committed is forgotten: `workflow.mail` sends it, from the
engines, whenever the mail server can be reached.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from workflow import conf
from workflow.deciding import Reason, UserKey
from workflow.models import AbsenceChange, Assignee, Barred, Notice, NoticeKind, WaitingForApproval, bulk


def queue(kind: NoticeKind, waiting: Sequence[WaitingForApproval], *, now: datetime, mark: str = "") -> None:
    """Tell all whom these ask, which must be in the database already: whom they ask when it is sent. To be called in a
    transaction.

    `ESCALATED` is told to those alone who are asked since it was escalated. `DECIDED` is told to those who are asked
    now, so it must be queued before the row is gone. The same thing is told once; `mark` tells apart what is told
    several times, such as reminders. Where mail is off, nothing is queued.
    """
    if not waiting or not conf.get("MAIL"):
        return
    if kind == NoticeKind.DECIDED:
        for one in waiting:
            queue_to(people_asked(one), kind, one, now=now, mark=mark)
        return
    _insert([_notice(_key(kind, one, mark), kind, one, now=now) for one in waiting])


def queue_to(
    users: Collection[UserKey],
    kind: NoticeKind,
    waiting: WaitingForApproval,
    *,
    now: datetime,
    mark: str = "",
    text: str = "",
) -> None:
    """As `queue`, but to these users alone; with what somebody says about it."""
    if not users or not conf.get("MAIL"):
        return
    key = _key(kind, waiting, mark)
    _insert(
        [_notice(f"{key}:{user}", kind, waiting, now=now, user_id=user, text=text) for user in sorted(users)],
    )


def queue_absence(change: AbsenceChange, users: Collection[UserKey], *, now: datetime) -> None:
    """Tell these users what somebody else did to an absence of theirs. To be called in a transaction."""
    if not users or not conf.get("MAIL"):
        return
    _insert(
        [
            Notice(
                key=f"absence:{change.pk}:{user}",
                kind=NoticeKind.ABSENCE,
                user_id=user,
                absence_change_id=change.pk,
                created_at=now,
                due_at=now,
            )
            for user in sorted(users, key=str)
        ]
    )


def spread(notice: Notice, users: Collection[UserKey], *, now: datetime) -> None:
    """Tell each of these users what a notice says that is for all whom a task asks."""
    each = {"kind": notice.kind, "waiting_id": notice.waiting_id, "task_run_id": notice.task_run_id}
    _insert(
        [
            Notice(key=f"{notice.key}:{user}", user_id=user, text=notice.text, created_at=now, due_at=now, **each)
            for user in sorted(users)
        ]
    )


def people_asked(waiting: WaitingForApproval, reason: Reason | None = None) -> set[UserKey]:
    """The active users whom it asks and nothing bars; only for that reason, where one is given."""
    rows = Assignee.objects.filter(waiting=waiting.pk, **({"reason": reason} if reason else {}))
    asked = Q(pk__in=rows.filter(user__isnull=False).values("user"))
    asked |= Q(groups__in=rows.filter(group__isnull=False).values("group"))
    if rows.filter(user=None, group=None).exists():
        asked |= Q(is_staff=True)
    barred = Barred.objects.filter(waiting=waiting.pk).values("user")
    users = get_user_model()._default_manager.filter(asked, is_active=True).exclude(pk__in=barred)
    return set(users.order_by().values_list("pk", flat=True))


def _key(kind: NoticeKind, waiting: WaitingForApproval, mark: str) -> str:
    # What is assigned anew is told anew: the links that were sent before lead nowhere any more. The token is for the
    # Message-ID: after a restore, something else may have this primary key.
    parts = [kind.lower(), waiting.rpid.token, str(waiting.pk), str(waiting.assignment), mark]
    return ":".join(filter(None, parts))


def _notice(key: str, kind: NoticeKind, waiting: WaitingForApproval, *, now: datetime, **more: Any) -> Notice:
    return Notice(
        key=key,
        kind=kind,
        waiting_id=waiting.pk,
        task_run_id=waiting.task_run_id,
        created_at=now,
        due_at=now,
        **more,
    )


def _insert(notices: Sequence[Notice]) -> None:
    bulk.insert(notices, unique=("key",))

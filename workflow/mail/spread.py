"""From one thing to tell to the persons whom it concerns when it is sent."""

from collections.abc import Collection
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from workflow import notices
from workflow.deciding import Reason, UserKey
from workflow.mail import outbox
from workflow.models import Absence, Notice, NoticeKind, NoticeState, WaitingForApproval


def spread(notice: Notice, now: datetime) -> None:
    """Queue a notice for each person whom it concerns. It is theirs to say how they want to be told, or not."""
    waiting = WaitingForApproval.objects.filter(pk=notice.waiting_id or 0).first()
    if waiting is None:
        outbox.finish(notice, NoticeState.DROPPED, now, _("It waits no more."))
        return
    with transaction.atomic():
        if outbox.finish(notice, NoticeState.SPREAD, now):
            notices.spread(notice, _concerned(notice, waiting, now), now=now)


def _concerned(notice: Notice, waiting: WaitingForApproval, now: datetime) -> set[UserKey]:
    reason = Reason.ESCALATED if notice.kind == NoticeKind.ESCALATED else None
    asked = notices.people_asked(waiting, reason)
    return asked | _stand_ins(asked, timezone.localdate(now))


def _stand_ins(people: Collection[UserKey], today: date) -> set[UserKey]:
    """Who stands in today for one of these, or for who does."""
    found: set[UserKey] = set()
    level = set(people)
    while level:
        away = Absence.objects.filter(user__in=level, first_day__lte=today, last_day__gte=today)
        level = set(away.order_by().values_list("stand_in", flat=True)) - found
        found |= level
    return found

"""The queue of notices: who sends which, and what became of it. Each function is a transaction of its own."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from workflow.models import Notice, NoticeState

LEASE = timedelta(minutes=10)
"""An engine that has not told by then what became of a notice is taken for dead, and another one sends it."""

GIVEN_UP_AFTER = timedelta(days=3)
KEPT_FOR = timedelta(days=30)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=4)
OWN_PAUSE = timedelta(seconds=30)
"""Until what an error of our own has kept from being sent is tried again: it may hold for all, until somebody mends it."""

FORGOTTEN_AT_ONCE = 1_000


def claim(now: datetime, limit: int) -> list[Notice]:
    """Take up to `limit` notices that are due; other engines leave them to this one until its lease is over."""
    if not Notice.objects.due(now).exists():  # an idle engine must not ask for SQLite's write lock all the time
        return []
    with transaction.atomic():
        claimed = list(Notice.objects.due(now).select_for_update(skip_locked=True)[:limit])
        until = now + LEASE
        Notice.objects.filter(pk__in=[one.pk for one in claimed]).update(due_at=until, attempts=F("attempts") + 1)
    for one in claimed:
        one.due_at, one.attempts = until, one.attempts + 1
    return claimed


def next_due(now: datetime) -> datetime | None:
    """When the next notice will be due; `None` where none is queued."""
    return Notice.objects.filter(due_at__gt=now).order_by("due_at").values_list("due_at", flat=True).first()


def finish(notice: Notice, state: NoticeState, now: datetime, error: str = "") -> bool:
    """Say what became of a notice; `False` where another engine has taken it over, which then says so."""
    sent_at = now if state is NoticeState.SENT else None
    return _update(notice, state=state, due_at=None, error=error, sent_at=sent_at)


def try_again(notice: Notice, error: str, now: datetime) -> bool:
    """Put off what could not be sent, longer each time; returns whether it is tried again, or given up."""
    if is_over := _is_too_old(notice, now):
        finish(notice, NoticeState.GIVEN_UP, now, error)
    else:
        _update(notice, due_at=now + pause_after(notice.attempts), error=error)
    return not is_over


def put_off(notice: Notice, error: str, now: datetime) -> bool:
    """Put off what has not come to the mail server, for an error of our own: that counts as no attempt, so the next one comes as
    soon as the first would have. Returns whether it is tried again, or given up.
    """
    if is_over := _is_too_old(notice, now):
        finish(notice, NoticeState.GIVEN_UP, now, error)
    else:
        put_back([notice], now + OWN_PAUSE, error)
    return not is_over


def pause_after(attempts: int) -> timedelta:
    """How long to wait before trying again what has failed that often."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(attempts - 1, 20)
    return min(LONGEST_PAUSE, doubled)


def put_back(notices: Collection[Notice], due_at: datetime, error: str | None = None) -> None:
    """Leave to whoever comes next, from that time on, what was claimed together and not tried."""
    if not notices:
        return
    (until,) = {notice.due_at for notice in notices}
    why = {} if error is None else {"error": error}
    ours = Notice.objects.filter(pk__in=[one.pk for one in notices], state=NoticeState.QUEUED, due_at=until)
    ours.update(due_at=due_at, attempts=F("attempts") - 1, **why)


def revive(notices: Collection[int], now: datetime) -> int:
    """Queue again those of these that were given up; returns how many."""
    given_up = Notice.objects.filter(pk__in=notices, state=NoticeState.GIVEN_UP)
    return given_up.update(state=NoticeState.QUEUED, due_at=now, created_at=now)


def forget(now: datetime) -> None:
    """Delete some of what was done with long ago. The oldest come first, so none is looked at that stays."""
    oldest = Notice.objects.order_by("pk").values_list("pk", "created_at", "due_at")[:FORGOTTEN_AT_ONCE]
    old = [key for key, created_at, due_at in oldest if due_at is None and now - created_at > KEPT_FOR]
    if old:
        Notice.objects.filter(pk__in=old).delete()


def _is_too_old(notice: Notice, now: datetime) -> bool:
    return now - notice.created_at > GIVEN_UP_AFTER


def _update(notice: Notice, **fields: object) -> bool:
    # Whoever takes it over after our lease has one that ends at another time.
    mine = Notice.objects.filter(pk=notice.pk, state=NoticeState.QUEUED, attempts=notice.attempts, due_at=notice.due_at)
    return bool(mine.update(**fields))

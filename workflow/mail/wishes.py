"""How somebody wants to be told, and when their day's message is due."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation

from workflow import conf
from workflow.models import MailPreference, MailWish, Notice, NoticeKind, NoticeState, bulk

DIGEST_HOUR = MailPreference._meta.get_field("digest_hour").get_default()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How one person wants to be told, whether they have said so or the site's settings do."""

    wish: MailWish
    digest_hour: int
    language: str
    zone: tzinfo

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """A context in which texts are in the person's language, and times in their zone."""
        with translation.override(self.language), timezone.override(self.zone):
            yield

    def digest_after(self, now: datetime) -> datetime:
        """The next time at which the hour of the daily message begins."""
        day = now.astimezone(self.zone).date()
        at = self._digest_on(day)
        return at if at > now else self._digest_on(day + timedelta(days=1))

    def _digest_on(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, self.digest_hour, tzinfo=self.zone)


def wish_of(user: Any) -> Wish:
    """How a user wants to be told."""
    said = MailPreference.objects.filter(user=user).first()
    if said is None:
        said = MailPreference(wish=conf.get("MAIL_DEFAULT"), digest_hour=DIGEST_HOUR)
    return Wish(
        wish=MailWish(said.wish),
        digest_hour=said.digest_hour,
        language=said.language or settings.LANGUAGE_CODE,
        zone=ZoneInfo(said.time_zone) if said.time_zone else timezone.get_default_timezone(),
    )


def plan_digest(user: Any, wish: Wish, now: datetime) -> None:
    """Have the next day's message sent to somebody who wants one a day; what is planned already stays as it is."""
    at = wish.digest_after(now)
    while Notice.objects.filter(key=_key(user, at, wish)).exclude(state=NoticeState.QUEUED).exists():
        at = wish.digest_after(at)  # that day's was sent, before they chose another hour
    notice = Notice(key=_key(user, at, wish), kind=NoticeKind.DIGEST, user_id=user.pk, created_at=at, due_at=at)
    bulk.insert([notice], unique=("key",))


def save_wish(preference: MailPreference, now: datetime) -> None:
    """Keep how somebody wants to be told from now on."""
    with transaction.atomic():
        preference.save()
        Notice.objects.filter(
            user=preference.user_id, kind=NoticeKind.DIGEST, state=NoticeState.QUEUED, attempts=0
        ).delete()
        wish = wish_of(preference.user)
        if wish.wish is MailWish.DIGEST:
            plan_digest(preference.user, wish, now)


def _key(user: Any, at: datetime, wish: Wish) -> str:
    return f"digest:{user.pk}:{at.astimezone(wish.zone):%Y-%m-%d}"

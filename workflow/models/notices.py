"""What is told to people by e-mail: an outbox that is written together with what it tells of, and how each wants it."""

from datetime import datetime
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from workflow.models.decisions import AbsenceChange
from workflow.models.instances import TaskRun
from workflow.models.waiting import WaitingForApproval


def validate_time_zone(name: str) -> None:
    """Refuse what is the name of no time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # it is looked for as a file
        raise ValidationError(_("There is no time zone of that name.")) from None


class NoticeKind(models.TextChoices):
    """What a notice tells."""

    WAITS = "WAITS", _("waits for you")
    DELEGATED = "DELEGATED", _("was handed on to you")
    REMINDER = "REMINDER", _("reminder")
    ESCALATED = "ESCALATED", _("escalated to you")
    DECIDED = "DECIDED", _("decided by default")
    DIGEST = "DIGEST", _("daily digest")
    ABSENCE = "ABSENCE", _("your absence, entered by somebody else")


class NoticeState(models.TextChoices):
    """What became of a notice."""

    QUEUED = "QUEUED", _("queued")
    SPREAD = "SPREAD", _("one for each person")
    SENT = "SENT", _("sent")
    DROPPED = "DROPPED", _("not needed")
    GIVEN_UP = "GIVEN_UP", _("given up")


class NoticeQuerySet(models.QuerySet["Notice"]):
    """The outbox."""

    def due(self, now: datetime) -> Self:
        """What is to be done now, longest due first."""
        return self.filter(due_at__lte=now).order_by("due_at", "pk")


class Notice(models.Model):
    """One thing to tell people; and once it is spread, one thing to tell one person, which is one e-mail.

    `key` says what it tells to whom, so that it is told once, and makes the Message-ID. `due_at` is when to try next,
    and empty once it is done; while an engine sends it, until when others leave it to that engine.
    """

    key = models.CharField(_("key"), max_length=150, unique=True)
    kind = models.CharField(_("what"), max_length=10, choices=NoticeKind)
    state = models.CharField(_("state"), max_length=10, choices=NoticeState, default=NoticeState.QUEUED)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("to"),
        help_text=_("Nobody yet: it is for all whom the task asks."),
    )
    # Without constraints: what waits is deleted by every decision, which must not have to look for what was told of it.
    waiting = models.ForeignKey(
        WaitingForApproval,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        verbose_name=_("waiting for approval"),
        db_constraint=False,
        db_index=False,
    )
    task_run = models.ForeignKey(
        TaskRun,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        verbose_name=_("task run"),
        db_constraint=False,
        db_index=False,
    )
    absence_change = models.ForeignKey(
        AbsenceChange,
        models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("change of an absence"),
        db_index=False,
    )
    text = models.TextField(_("text"), blank=True, help_text=_("What somebody says about it."))
    created_at = models.DateTimeField(_("since"))
    due_at = models.DateTimeField(_("due at"), null=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True, help_text=_("Why it was not sent."))
    sent_at = models.DateTimeField(_("sent at"), null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="workflow_notice_due", condition=Q(due_at__isnull=False))
        ]

    def __str__(self) -> str:
        return self.key


class MailWish(models.TextChoices):
    """How somebody wants to be told of what waits for them."""

    AT_ONCE = "AT_ONCE", _("A message for each, at once")
    DIGEST = "DIGEST", _("One message a day")
    NONE = "NONE", _("No messages")


class MailPreference(models.Model):
    """How one person wants to be told. Who has none is told as the setting `MAIL_DEFAULT` says."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"), primary_key=True
    )
    wish = models.CharField(_("e-mail"), max_length=10, choices=MailWish, default=MailWish.AT_ONCE)
    digest_hour = models.PositiveSmallIntegerField(
        _("hour of the daily message"), default=7, choices=[(hour, f"{hour:02}:00") for hour in range(24)]
    )
    language = models.CharField(
        _("language"), max_length=20, blank=True, help_text=_("Of the messages; none: the site's own.")
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Such as Europe/Vienna; none: the site's own."),
    )

    class Meta:
        verbose_name = _("mail preference")
        verbose_name_plural = _("mail preferences")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(digest_hour__lte=23), name="workflow_mail_preference_hour")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_wish_display()}"

"""Business calendars: when people work."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


def site_time_zone() -> str:
    """The zone of a new calendar."""
    return settings.TIME_ZONE


class BusinessCalendar(models.Model):
    """The hours and days at which people work. Due dates are counted in them."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Tasks that name no calendar go by this one.")
    )
    time_zone = models.CharField(
        _("time zone"), max_length=100, default=site_time_zone, help_text=_("Such as Europe/Vienna.")
    )
    hours = models.TextField(
        _("working hours"),
        default="Mon-Fri 09:00-17:00",
        help_text=_("Days and their hours, such as Mon-Thu 09:00-12:00 13:00-17:00; other days on another line."),
    )
    country = models.CharField(
        _("country"), max_length=10, blank=True, help_text=_("Whose public holidays are off: its code, such as AT.")
    )
    subdivision = models.CharField(
        _("subdivision"), max_length=20, blank=True, help_text=_("The code of a state or province, such as 9.")
    )
    days_off = models.TextField(
        _("other days off"),
        blank=True,
        help_text=_("One a line: 2026-12-24 Christmas Eve; or from one day to another, 2026-12-27 2026-12-31 Closed."),
    )

    class Meta:
        verbose_name = _("business calendar")
        verbose_name_plural = _("business calendars")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_default"],
                name="workflow_calendar_one_default",
                condition=Q(is_default=True),
                violation_error_message=_("Another calendar is the default. Untick it there first."),
            )
        ]

    def __str__(self) -> str:
        return self.name

"""Moments as people write them in figures: in their zone, and in the order of their language."""

from datetime import date, datetime

from django.utils.formats import date_format
from django.utils.timezone import get_current_timezone_name, localtime
from django.utils.translation import gettext as _


def to_the_minute(moment: datetime) -> str:
    """Such as 2026-03-01 09:30."""
    return date_format(localtime(moment), _("Y-m-d H:i"))


def to_the_second(moment: datetime) -> str:
    """Such as 2026-03-01 09:30:15."""
    return date_format(localtime(moment), _("Y-m-d H:i:s"))


def day(day: date) -> str:
    """Such as Sun 2026-03-01."""
    return date_format(day, _("D Y-m-d"))


def with_zone(moment: datetime) -> str:
    """In words, and with the zone, for who can't tell by which clocks it is: 1 March 2026 09:30 (Europe/Vienna)."""
    return f"{date_format(localtime(moment), 'DATETIME_FORMAT')} ({get_current_timezone_name()})"

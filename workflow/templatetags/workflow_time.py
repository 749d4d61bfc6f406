"""Spans of time as people say them: the largest unit and the next one."""

from datetime import timedelta

from django import template
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

register = template.Library()

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@register.filter
def span(length: timedelta | None) -> str:
    """How long something took, such as "2 h 5 min"; blank for `None`."""
    if length is None:
        return ""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 0.05:
        return pgettext("a span of time", "at once")
    if round(seconds) < MINUTE:
        return _("%(seconds)s s") % {
            "seconds": formats.number_format(round(seconds, 1) if seconds < 10 else round(seconds))
        }
    whole = round(seconds)
    if whole < HOUR:
        return _joined(_minutes(whole // MINUTE), _("%d s") % (whole % MINUTE) if whole % MINUTE else "")
    if whole < DAY:
        return _joined(_("%d h") % (whole // HOUR), _minutes(whole % HOUR // MINUTE))
    days, hours = whole // DAY, whole % DAY // HOUR
    return _joined(ngettext("%d day", "%d days", days) % days, _("%d h") % hours if hours else "")


def _minutes(count: int) -> str:
    return _("%d min") % count if count else ""


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))

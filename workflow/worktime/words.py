"""How working time was counted, in a sentence."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from workflow.language import gettext as _
from workflow.language import gettext_noop, ngettext
from workflow.worktime.calendars import Calendar
from workflow.worktime.length import Span, in_hours

LISTED = 5
"""Days of each sort that an explanation names."""

SHORT = timedelta(hours=1)
"""What is shorter is told with seconds: to the minute, the sum would look wrong."""

Portions = list[tuple[date, timedelta | None]]
"""The days that were counted, each with how much of it; `None` is all of it."""

WEEKDAYS = (
    *(gettext_noop("Mon"), gettext_noop("Tue"), gettext_noop("Wed"), gettext_noop("Thu")),
    *(gettext_noop("Fri"), gettext_noop("Sat"), gettext_noop("Sun")),
)
MONTHS = (
    *(gettext_noop("Jan"), gettext_noop("Feb"), gettext_noop("Mar"), gettext_noop("Apr"), gettext_noop("May")),
    *(gettext_noop("Jun"), gettext_noop("Jul"), gettext_noop("Aug"), gettext_noop("Sep"), gettext_noop("Oct")),
    *(gettext_noop("Nov"), gettext_noop("Dec")),
)


def told_at(calendar: Calendar, moment: datetime) -> str:
    """That a span of nothing comes to the moment itself."""
    return _("At %(written)s (%(zone)s).") % {"written": _written(moment, calendar), "zone": calendar.zone}


def told(calendar: Calendar, span: Span, moment: datetime, at: datetime, portions: Portions) -> str:
    """What a span from a moment comes to, day by day."""
    what = _("%(span)s before %(moment)s") if span.is_before else _("%(span)s from %(moment)s")
    is_short = not span.days and abs(span.time) < SHORT
    what %= {"span": _words(span, calendar), "moment": _written(moment, calendar, seconds=is_short)}
    written = _written(at, calendar, seconds=is_short)
    if not calendar.name:
        return _("%(what)s: %(written)s (%(zone)s). There is no calendar, so all time counts.") % {
            "what": what,
            "written": written,
            "zone": calendar.zone,
        }
    counted = _listed([_day(day) + (f" {in_hours(time)}" if time else "") for day, time in portions])
    sentence = _("%(what)s, by the calendar %(name)r (%(zone)s): %(written)s. Counted: %(counted)s.") % {
        "what": what,
        "name": calendar.name,
        "zone": calendar.zone,
        "written": written,
        "counted": counted,
    }
    off = calendar.days_off(*map(calendar.day_of, sorted((moment, at))))
    holidays = _listed([f"{_day(day)} ({why})" for day, why in off.items()])
    return f"{sentence} " + _("Off: %(days)s.") % {"days": holidays} if holidays else sentence


def _words(span: Span, calendar: Calendar) -> str:
    days, time = abs(span.days), abs(span.time)
    parts = []
    if days:
        working = ngettext("%(count)d working day", "%(count)d working days", days)
        parts.append(
            (working if calendar.name else ngettext("%(count)d day", "%(count)d days", days)) % {"count": days}
        )
    if time:
        parts.append((_("%(hours)s of working time") if calendar.name else "%(hours)s") % {"hours": in_hours(time)})
    return (" " + _("and") + " ").join(parts)


def _listed(items: Sequence[str]) -> str:
    if len(items) <= LISTED:
        return ", ".join(items)
    return ", ".join([*items[: LISTED - 1], _("… %(count)s more …") % {"count": len(items) - LISTED}, items[-1]])


def _day(day: date) -> str:
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    return _("%(weekday)s %(day)d %(month)s") % {"weekday": _(weekday), "day": day.day, "month": _(month)}


def _written(moment: datetime, calendar: Calendar, *, seconds: bool = False) -> str:
    local = moment.astimezone(calendar.zone)
    return f"{_day(local)} {local:%Y} {local:{'%H:%M:%S' if seconds else '%H:%M'}}"

"""What templates of pages ask for."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.forms import BoundField
from django.template.context import Context
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import npgettext_lazy

from workflow import clock, moments, operations, sites
from workflow.definition import Field
from workflow.models import InstanceState, RunState

register = template.Library()

MOST_COUNTED = 99
"""Beyond it a number says nothing more to people, and costs the more to count."""

ANSWER = "answer-"
"""With which the names of a form's fields begin."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

UNITS: Any = {
    "year": npgettext_lazy("after for, in and before ago", "%(num)d year", "%(num)d years", "num"),
    "month": npgettext_lazy("after for, in and before ago", "%(num)d month", "%(num)d months", "num"),
    "week": npgettext_lazy("after for, in and before ago", "%(num)d week", "%(num)d weeks", "num"),
    "day": npgettext_lazy("after for, in and before ago", "%(num)d day", "%(num)d days", "num"),
    "hour": npgettext_lazy("after for, in and before ago", "%(num)d hour", "%(num)d hours", "num"),
    "minute": npgettext_lazy("after for, in and before ago", "%(num)d minute", "%(num)d minutes", "num"),
}
"""Django's own are in another case than languages such as German need here."""


register.simple_tag(sites.admin_index)


@register.simple_tag(takes_context=True)
def inbox_count(context: Context) -> str:
    """How much waits for whoever looks at the page."""
    user: Any = getattr(context.get("request"), "user", None)
    return counted(user) if user is not None and user.is_authenticated else ""


def counted(user: Any) -> str:
    """How much waits for the user: a number, "99+", or blank for none."""
    count = operations.inbox(user, operations.Rights.kept(user)).order_by()[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count or "")


@register.inclusion_tag("workflow/state.html")
def state_badge(state: str) -> dict[str, Any]:
    """The state of an instance or of a task run: a sign and a word, so that colour is not needed."""
    kind = InstanceState if state in InstanceState.values else RunState
    return {"state": state, "label": kind(state).label}


@register.simple_tag
def moment(at: datetime | None) -> SafeString | str:
    """A moment as how long ago it was, or how long it is till then; the exact time is there for who looks closer."""
    if at is None:
        return "–"
    return _time(at, _from_now(at))


@register.simple_tag
def waiting_for(since: datetime) -> SafeString:
    """How long something has waited."""
    now = clock.now()
    is_new = now - since < timedelta(minutes=1)
    span = timesince(since, now, time_strings=UNITS, depth=1)
    return _time(since, _("just now") if is_new else _("for %(span)s") % {"span": span})


def _time(at: datetime, text: str) -> SafeString:
    exact = date_format(localtime(at), "DATETIME_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, text)


def _from_now(at: datetime) -> str:
    now = clock.now()
    if abs(now - at) < timedelta(minutes=1):
        return _("just now")
    if at < now:
        return _("%(span)s ago") % {"span": timesince(at, now, time_strings=UNITS, depth=1)}
    return _("in %(span)s") % {"span": _until(at, now)}


def _until(at: datetime, now: datetime) -> str:
    """How long it is till then, to the nearest hour, or, from a day and a half on, to the nearest day.

    Rounded down, what is due in two days would be due "in 1 day" from the next second on, all day long.
    """
    left = at - now
    if HOUR <= left < 36 * HOUR:
        return str(UNITS["hour"] % {"num": round(left / HOUR)})
    if 36 * HOUR <= left < 14 * DAY:
        return str(UNITS["day"] % {"num": round(left / DAY)})
    return timeuntil(at, now, time_strings=UNITS, depth=1)


@register.inclusion_tag("workflow/typed.html", takes_context=True)
def what_was_typed(context: Context) -> dict[str, Any]:
    """The comment and the answers that came with what was refused: nobody shall have to write them again."""
    request = context.get("request")
    posted = list(request.POST.items()) if request is not None else []
    labels = {"comment": _("Comment")}
    labels |= {name: Field(name=name.removeprefix(ANSWER)).title for name, _answer in posted if name.startswith(ANSWER)}
    return {"typed": [(labels[name], text) for name, text in posted if name in labels and text.strip()]}


@register.filter
def with_zone(at: datetime) -> str:
    """A moment with its zone: in a message, nobody can tell by which clocks it is."""
    return moments.with_zone(at)


@register.filter
def person(user: Any) -> str:
    """How people call a user: the full name where there is one."""
    if user is None:
        return ""
    name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return str(name or user.get_username())


@register.filter
def is_needed(field: BoundField) -> bool:
    """Whether the form can't be approved without it."""
    return "aria-required" in field.field.widget.attrs

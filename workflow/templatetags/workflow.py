"""What templates of pages ask for."""

from typing import Any

from django import template
from django.template.context import Context

from workflow import operations
from workflow.models import InstanceState, RunState

register = template.Library()

MOST_COUNTED = 99
"""Beyond it a number says nothing more to people, and costs the more to count."""


@register.simple_tag(takes_context=True)
def inbox_count(context: Context) -> str:
    """How much waits for whoever looks at the page: a number, "99+", or blank for none."""
    user: Any = getattr(context.get("request"), "user", None)
    if user is None or not user.is_authenticated:
        return ""
    count = operations.inbox(user, operations.Rights.kept(user)).order_by()[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count or "")


@register.inclusion_tag("workflow/state.html")
def state_badge(state: str) -> dict[str, Any]:
    """The state of an instance or of a task run: a sign and a word, so that colour is not needed."""
    kind = InstanceState if state in InstanceState.values else RunState
    return {"state": state, "label": kind(state).label}

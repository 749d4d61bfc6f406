"""How values, states and pictures look in the admin: small templates, so that a project can change them."""

from collections.abc import Collection, Mapping
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from workflow import values
from workflow.definition import Definition
from workflow.diagram import Mark, render
from workflow.models import RunState

MARKS = {
    RunState.RUNNING: Mark.RUNNING,
    RunState.RETRYING: Mark.WAITING,
    RunState.WAITING: Mark.WAITING,
    RunState.SUSPENDED: Mark.WAITING,
    RunState.FINISHED: Mark.DONE,
    RunState.REJECTED: Mark.REJECTED,
    RunState.FAILED: Mark.FAILED,
    RunState.SKIPPED: Mark.SKIPPED,
    RunState.CANCELLED: Mark.CANCELLED,
}


def state(value: str, label: str) -> SafeString:
    """A state as a badge: a sign and a word, so that colour is not needed."""
    return mark_safe(render_to_string("admin/workflow/state.html", {"state": value, "label": label}))  # noqa: S308


def json(value: Any) -> SafeString:
    """A value as people read JSON."""
    return mark_safe(render_to_string("admin/workflow/json.html", {"text": values.dumps(value, indent=2)}))  # noqa: S308


def error(value: Mapping[str, Any] | None) -> SafeString | str:
    """An error with the code's own traceback; a dash where there is none."""
    return mark_safe(render_to_string("admin/workflow/error.html", {"error": value})) if value else "-"  # noqa: S308


def text(value: str) -> SafeString | str:
    """Text whose lines matter; a dash where there is none."""
    return mark_safe(render_to_string("admin/workflow/text.html", {"text": value})) if value else "-"  # noqa: S308


def picture(
    definition: Definition,
    *,
    marks: Mapping[int, Mark] | None = None,
    current: int | None = None,
    problems: Collection[int] = (),
    links: Mapping[int, str] | None = None,
) -> SafeString:
    """The process as a diagram, which escapes all text itself."""
    drawn = render(definition, marks=marks or {}, current=current, problems=problems, links=links or {})
    return mark_safe(drawn)  # noqa: S308


def link(page: str, key: Any, label: Any) -> SafeString:
    """A link to an object's page in this app's admin."""
    return format_html('<a href="{}">{}</a>', address(page, key), label)


def address(page: str, key: Any) -> str:
    """The address of an object's page in this app's admin."""
    return reverse(f"admin:workflow_{page}_change", args=[key])


def may_view(request: HttpRequest, model: str) -> bool:
    """Whether the user may look at objects of a model of this app."""
    user: Any = request.user
    return user.has_perm(f"workflow.view_{model}") or user.has_perm(f"workflow.change_{model}")

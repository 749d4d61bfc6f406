"""How values and states look in the admin: small templates, so that a project can change them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from workflow import moments, values
from workflow.origin import Origin


def state(value: str, label: Any) -> SafeString:
    """A state as a badge: a sign and a word, so that colour is not needed."""
    return _rendered("state", state=value, label=label)


def json(value: Any) -> SafeString:
    """A value as people read JSON."""
    unreadable = isinstance(value, values.Unreadable)
    return _rendered("text", text=str(value) if unreadable else values.dumps(value, indent=2))


def error(value: Mapping[str, Any] | None) -> SafeString | str:
    """An error with the code's own traceback; a dash where there is none."""
    return _rendered("error", error=value) if value else "-"


def origin(made: Origin) -> SafeString:
    """Who did something, as they were called then, and how."""
    return _rendered("origin", made=made)


def time(moment: datetime | None) -> str:
    """A moment, short and to the minute; a dash where there is none."""
    return moments.to_the_minute(moment) if moment else "-"


def text(value: str) -> SafeString | str:
    """Text whose lines matter; a dash where there is none."""
    return _rendered("text", text=value) if value else "-"


def lines(values: Iterable[str]) -> SafeString | str:
    """Sentences, one below the other; a dash where there is none."""
    return format_html_join(mark_safe("<br>"), "{}", ((value,) for value in values)) or "-"


def link(site: AdminSite, page: str, key: Any, label: Any) -> SafeString:
    """A link to an object's page in this app's admin."""
    return format_html('<a href="{}">{}</a>', address(site, page, key), label)


def address(site: AdminSite, page: str, key: Any) -> str:
    """The address of an object's page in this app's admin."""
    return page_address(site, f"{page}_change", key)


def list_link(site: AdminSite, page: str, label: Any, **filters: Any) -> SafeString:
    """A link to the list of a model of this app, filtered."""
    return format_html('<a href="{}">{}</a>', list_address(site, page, **filters), label)


def list_address(site: AdminSite, page: str, **filters: Any) -> str:
    """The address of the list of a model of this app, filtered."""
    return page_address(site, f"{page}_changelist", **filters)


def page_address(site: AdminSite, name: str, *keys: Any, **query: Any) -> str:
    """The address of a page of this app's admin. A project may have several admin sites: links stay on the one that shows them."""
    return reverse(f"admin:workflow_{name}", args=keys, query=query, current_app=site.name)


def may_view(request: HttpRequest, model: str) -> bool:
    """Whether the user may look at objects of a model of this app."""
    user: Any = request.user
    return bool(user.has_perm(f"workflow.view_{model}") or user.has_perm(f"workflow.change_{model}"))


def _rendered(template: str, **context: Any) -> SafeString:
    return mark_safe(render_to_string(f"admin/workflow/{template}.html", context))  # noqa: S308 - it escapes

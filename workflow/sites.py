"""Where the project's admin has this app's pages: in Django's own admin site, or in one of the project's."""

from typing import Any

from django.contrib.admin.sites import all_sites
from django.urls import NoReverseMatch, reverse


def admin_address(page: str, *keys: Any, **query: Any) -> str:
    """The address of a page of this app's admin, such as `runningprocesses_change`; blank where the project has none."""
    site = _site(f"workflow_{page}", keys)
    return reverse(f"{site}:workflow_{page}", args=keys, query=query) if site else ""


def admin_index() -> str:
    """The address of the admin's first page; blank where no admin has this app's pages."""
    site = _site("workflow_runningprocesses_changelist", ())
    return reverse(f"{site}:index") if site else ""


def _site(page: str, keys: tuple[Any, ...]) -> str:
    """The name of the site that has the page: Django's own, if it does, else the first by name."""
    for name in sorted({site.name for site in all_sites}, key=lambda name: (name != "admin", name)):
        try:
            reverse(f"{name}:{page}", args=keys)
        except NoReverseMatch:
            continue
        return name
    return ""

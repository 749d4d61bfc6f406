"""What all our pages in the admin share: they take any address, and tell nobody of what they may not see."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict

from workflow.admin.chosen import LARGEST

NUMBER = re.compile(r"\s*([-+]?)(\d+)\s*")


class GuardedAdmin(admin.ModelAdmin):
    """Lists find nothing for a number that no column can hold, instead of failing in the database; and what is refused is
    refused whether or not it is there.
    """

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        request.GET = _possible(request.GET)  # type: ignore[assignment]  # it is made immutable, too
        return super().changelist_view(request, extra_context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """As Django's, which looks for the object first, and so tells of it."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


def _possible(query: QueryDict) -> QueryDict:
    """A query that a database can be asked: without NUL, and with the largest key for a number that is beyond it."""
    found = QueryDict(mutable=True)
    for name, values in query.lists():
        plain = [value.replace("\0", "") for value in values]
        found.setlist(name.replace("\0", ""), plain if name == SEARCH_VAR else [_small(value) for value in plain])
    found._mutable = False
    return found


def _small(text: str) -> str:
    """The value of a filter, which can have several, with commas between them."""
    return ",".join(_clamped(part) for part in text.split(","))


def _clamped(part: str) -> str:
    number = NUMBER.fullmatch(part)
    if number is None or len(number[2].lstrip("0")) < len(str(LARGEST)):
        return part
    return f"{number[1]}{LARGEST}"

"""What all our pages in the admin share: they take any address, and tell nobody of what they may not see."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict

from workflow.admin.chosen import LARGEST

LAST_YEAR = 9998
"""Of the days that can be asked for: the year after it has to be one, too."""
OF_DATES = ("__year", "__month", "__day")
NUMBER = re.compile(r"\s*([-+]?)(\d+)\s*")


class GuardedAdmin(admin.ModelAdmin):
    """Lists find nothing for a number that no column can hold, instead of failing in the database; and what is refused is
    refused whether or not it is there.
    """

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        request.GET = _possible(request.GET)  # type: ignore[assignment]  # it is made immutable, too
        if request.method == "POST":
            sent = request.POST.copy()
            selected = [key for key in sent.getlist(ACTION_CHECKBOX_NAME) if self._is_key(key)]
            sent.setlist(ACTION_CHECKBOX_NAME, selected)
            request.POST = sent  # type: ignore[assignment]
        return super().changelist_view(request, extra_context)

    def _is_key(self, text: str) -> bool:
        """Whether a row could have it as its key."""
        try:
            self.opts.pk.to_python(text)
        except (ValidationError, ValueError):
            return False
        return _small(text) == text

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """None for a number that is no key: of a foreign key, Django would ask the database for it."""
        return None if _small(object_id) != object_id else super().get_object(request, object_id, from_field)

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
        most = LAST_YEAR if name.endswith(OF_DATES) else LARGEST
        found.setlist(name.replace("\0", ""), plain if name == SEARCH_VAR else [_small(one, most) for one in plain])
    found._mutable = False
    return found


def _small(text: str, most: int = LARGEST) -> str:
    """The value of a filter, which can have several, with commas between them."""
    return ",".join(_clamped(part, most) for part in text.split(","))


def _clamped(part: str, most: int) -> str:
    number = NUMBER.fullmatch(part)
    if number is None:
        return part
    sign, digits = number[1], number[2].lstrip("0")
    is_small = len(digits) <= len(str(most)) and int(digits or 0) <= most
    if most == LAST_YEAR:
        return digits if digits and is_small and sign != "-" else str(most)
    return part if is_small else f"{sign}{most}"

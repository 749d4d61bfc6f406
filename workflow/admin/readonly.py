"""Admin pages of rows that people read, and never edit."""

from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import ShowFacets
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin.chosen import LARGEST
from workflow.admin.guarded import GuardedAdmin
from workflow.models import ProcessVersion

MOST_COUNTED = 10_000


class CappedPaginator(Paginator):
    """Counts no further than `MOST_COUNTED`: history grows without end, and who looks for older rows filters."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class ProcessNameFilter(admin.SimpleListFilter):
    """By the name that the process had when it started, so that what ran of a deleted process is found, too."""

    title = _("process")
    parameter_name = "process"
    field = "process_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # Versions are few, and each process that ever ran has one; the rows filtered may be millions.
        names = ProcessVersion.objects.order_by("name").values_list("name", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset


class ReadOnlyAdmin(GuardedAdmin):
    """Nobody adds, changes or deletes these rows by hand, not even a superuser: only the engine writes history.

    A search for a number looks it up in `number_field`; `heavy` names columns that lists do not read. `inside` names those
    that only operators may read: for others, no query of a list tells what is in them.
    """

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50
    list_max_show_all = 200
    number_field = "pk"
    heavy: ClassVar[tuple[str, ...]] = ()
    inside: ClassVar[tuple[str, ...]] = ()

    class Media:
        css: ClassVar = {"all": ("workflow/states.css", "workflow/admin.css", "workflow/diagram.css")}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Django allows any column of the row itself, so that `?log__contains=` would tell what is in it."""
        if lookup.partition("__")[0] in self.inside and not operations.sees_inside(request.user):
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return rows.defer(*self.heavy) if is_list else rows

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        number = search_term.strip()
        if number.isdecimal():
            return queryset.filter(**{self.number_field: min(int(number[:20]), LARGEST)}), False
        return super().get_search_results(request, queryset, search_term)

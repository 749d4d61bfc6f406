"""Frozen versions of definitions."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workflow.admin import show
from workflow.admin.readonly import ReadOnlyAdmin
from workflow.models import ProcessVersion


@admin.register(ProcessVersion)
class ProcessVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "name", "number", "created_at")
    list_filter = ("created_at",)
    search_fields = ("name",)
    list_select_related = ("process",)
    fields = ("name", "number", "created_at", "draft", "diagram", "content")
    readonly_fields = fields

    @admin.display(description=_("draft"))
    def draft(self, version: ProcessVersion) -> SafeString | str:
        return show.link("process", version.process_id, version.process) if version.process else str(_("deleted"))

    @admin.display(description=_("diagram"))
    def diagram(self, version: ProcessVersion) -> SafeString:
        return show.picture(version.frozen)

    @admin.display(description=_("definition"))
    def content(self, version: Any) -> SafeString:
        return show.json(version.definition)

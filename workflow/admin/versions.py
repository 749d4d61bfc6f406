"""Frozen versions of definitions."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow.admin import show
from workflow.admin.readonly import ProcessNameFilter, ReadOnlyAdmin
from workflow.models import ProcessVersion
from workflow.picture import picture


class NameFilter(ProcessNameFilter):
    """By the process's name."""

    field = "name"


@admin.register(ProcessVersion)
class ProcessVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "name", "number", "created")
    list_filter = (NameFilter,)
    search_fields = ("name",)
    number_field = "number"
    heavy = ("definition",)
    empty_list_text = _("There is no version yet. Starting a process freezes its draft into one.")
    fields = ("draft", "number", "created_at", "instances")
    readonly_fields = ("draft", "instances")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        definition = context["original"].frozen
        rows = enumerate(definition.rows)
        context.update(
            definition=definition,
            diagram=picture(definition, links={index: f"#task-{_place(definition, row)}" for index, row in rows}),
        )
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("frozen at"), ordering="created_at")
    def created(self, version: ProcessVersion) -> str:
        return show.time(version.created_at)

    @admin.display(description=_("process"))
    def draft(self, version: ProcessVersion) -> SafeString | str:
        if version.process is None:
            return gettext("%(name)s (its draft was deleted)") % {"name": version.name}
        return show.link(self.admin_site, "process", version.process_id, version.process)

    @admin.display(description=_("instances"))
    def instances(self, version: ProcessVersion) -> SafeString:
        return show.list_link(
            self.admin_site, "runningprocesses", gettext("Instances of this version"), version=version.pk
        )


def _place(definition: Any, row: Any) -> int:
    return [task.name for task in definition.tasks].index(row.task) + 1

"""Engines: which there are, and which are gone."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import health
from workflow.admin import show
from workflow.admin.readonly import ReadOnlyAdmin
from workflow.models import Engine, InstanceState, RunningProcesses
from workflow.models.engines import EngineState

LOOKS = {
    EngineState.WORKING: InstanceState.RUNNING,
    EngineState.IDLE: InstanceState.FINISHED,
    EngineState.DEAD: InstanceState.FAILED,
}
"""Which of the instances' badges an engine's state looks like."""

HELD_SHOWN = 50


@admin.register(Engine)
class EngineAdmin(ReadOnlyAdmin):
    list_display = ("name", "state_badge", "holds", "takes", "host", "pid", "version", "seen")
    search_fields = ("name", "host")
    number_field = "pid"
    empty_list_text = _("No engine has announced itself. Start one with manage.py runengine.")
    fields = (
        *("name", "state_badge", "held", "takes", "concurrency", "lease"),
        *("host", "pid", "version", "started_at", "seen_at"),
    )
    readonly_fields = ("state_badge", "held", "takes")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return health.engines()

    @admin.display(description=_("state"))
    def state_badge(self, engine: Any) -> SafeString:
        state = engine.state(now=engine.now, holds=engine.holds)
        return show.state(LOOKS[state], state.label)

    @admin.display(description=_("holds"))
    def holds(self, engine: Any) -> int:
        return int(engine.holds)

    @admin.display(description=_("takes"))
    def takes(self, engine: Engine) -> str:
        return ", ".join(engine.processes) or gettext("all processes")

    @admin.display(description=_("holds"))
    def held(self, engine: Engine) -> SafeString | str:
        held = RunningProcesses.objects.filter(owner=engine.name, state=InstanceState.RUNNING).only("process_name")
        links = [(show.link(self.admin_site, "runningprocesses", one.pk, one),) for one in held[: HELD_SHOWN + 1]]
        more = ", …" if len(links) > HELD_SHOWN else ""
        return format_html("{}{}", format_html_join(", ", "{}", links[:HELD_SHOWN]), more) if links else "-"

    @admin.display(description=_("seen"), ordering="seen_at")
    def seen(self, engine: Engine) -> str:
        return show.time(engine.seen_at)

"""Running processes: where each stands, and what it has done."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import operations, operators
from workflow.admin import decide, relatives, show, step_in
from workflow.admin.readonly import ProcessNameFilter, ReadOnlyAdmin
from workflow.admin.relatives import AboveFilter, LevelFilter
from workflow.models import Engine, RunningProcesses, TaskRun
from workflow.people.visible import data_for_people
from workflow.picture import newest_of_each_row, picture_of
from workflow.standing import standing

RUNS_SHOWN = 50


@admin.register(RunningProcesses)
class RunningProcessesAdmin(ReadOnlyAdmin):
    list_display = ("number", "process_name", "state_badge", "step", "started", "ended", "starter")
    list_display_links = ("number", "process_name")
    list_filter = ("state", ProcessNameFilter, LevelFilter, AboveFilter)
    list_select_related = ("started_by",)
    search_fields = ("process_name",)
    search_help_text = _("The number of an instance, or a part of its process's name.")
    heavy = inside = ("data", "results", "error")
    empty_list_text = _("Nothing has been started yet. Start a process on its page, or with manage.py startprocess.")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "process_link",
                    "version_link",
                    "state_badge",
                    "step",
                    "origin_shown",
                    "started_at",
                    "ended_at",
                )
            },
        ),
        (_("Error"), {"fields": ("error_shown",)}),
        (_("Values"), {"fields": ("data_shown", "results_shown")}),
        (
            _("For operators"),
            {"classes": ("collapse",), "fields": ("visit", "due_at", "engine_link", "fence", "events", "interrupted")},
        ),
    )
    readonly_fields = (
        "process_link",
        "version_link",
        "state_badge",
        "origin_shown",
        "error_shown",
        "data_shown",
        "asked_data_shown",
        "results_shown",
        "engine_link",
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the error, where there is none; and, for all but operators, without what only they see."""
        has_error = obj is not None and obj.error is not None
        head, error, (values, options), engine = self.fieldsets
        if not operations.sees_inside(request.user):
            return [head, (values, {**options, "fields": ("asked_data_shown",)}), engine]
        return [head, *([error] if has_error else []), (values, options), engine]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        instance, inside = context["original"], operations.sees_inside(request.user)
        context.update(
            _history(instance, self.admin_site, inside=inside), waiting=_waiting(request, instance, self.admin_site)
        )
        context.update(
            relatives.below(instance, self.admin_site),
            subject=relatives.subject(request, instance, self.admin_site),
            above=relatives.above(instance),
        )
        context.update(inside=inside, standing=standing(instance, for_operators=inside))
        context["interventions"] = instance.interventions.select_related("by")[:RUNS_SHOWN]
        is_possible = any(operators.is_possible(instance, action) for action in operators.Action)
        if is_possible and step_in.may(request, instance):
            context["step_in"] = show.page_address(self.admin_site, "runningprocesses_step_in", instance.pk)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(partial(step_in.view, self))
        return [path("<int:key>/step-in/", page, name="workflow_runningprocesses_step_in"), *super().get_urls()]

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, instance: RunningProcesses) -> str:
        return show.time(instance.started_at)

    @admin.display(description=_("ended"), ordering="ended_at")
    def ended(self, instance: RunningProcesses) -> str:
        return show.time(instance.ended_at)

    @admin.display(description=_("started by"), ordering="started_by")
    def starter(self, instance: RunningProcesses) -> str:
        user = instance.started.user
        return user.username if user else "-"

    @admin.display(description=_("started by"))
    def origin_shown(self, instance: RunningProcesses) -> SafeString:
        return show.origin(instance.started)

    @admin.display(description=_("instance"), ordering="pk")
    def number(self, instance: RunningProcesses) -> int:
        return instance.pk

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, instance: RunningProcesses) -> SafeString:
        return show.state(instance.state, instance.get_state_display())

    @admin.display(description=_("process"))
    def process_link(self, instance: RunningProcesses) -> SafeString | str:
        if instance.process_id is None:
            return gettext("%(name)s (its draft was deleted)") % {"name": instance.process_name}
        return show.link(self.admin_site, "process", instance.process_id, instance.process_name)

    @admin.display(description=_("version"))
    def version_link(self, instance: RunningProcesses) -> SafeString:
        return show.link(self.admin_site, "processversion", instance.version_id, instance.version)

    @admin.display(description=_("engine"))
    def engine_link(self, instance: RunningProcesses) -> SafeString | str:
        engine = Engine.objects.filter(name=instance.owner).first() if instance.owner else None
        return show.link(self.admin_site, "engine", engine.pk, engine) if engine else instance.owner or "-"

    @admin.display(description=_("error"))
    def error_shown(self, instance: RunningProcesses) -> SafeString | str:
        return show.error(instance.error)

    @admin.display(description=_("data"))
    def data_shown(self, instance: RunningProcesses) -> SafeString:
        return show.json(instance.data)

    @admin.display(description=_("data"))
    def asked_data_shown(self, instance: RunningProcesses) -> SafeString:
        return show.json(data_for_people(instance.data, instance.version.frozen))

    @admin.display(description=_("results"))
    def results_shown(self, instance: RunningProcesses) -> SafeString:
        return show.json(instance.results)


def _history(instance: RunningProcesses, site: admin.AdminSite, *, inside: bool) -> dict[str, Any]:
    runs = instance.task_runs.select_related("decided_by").defer("changes", "log", "snapshot").order_by("-visit", "row")
    shown = list(runs[: RUNS_SHOWN + 1])
    newest = newest_of_each_row(instance)
    return {
        "runs": [(run, show.state(run.state, run.get_state_display())) for run in shown[:RUNS_SHOWN]],
        "all_runs": show.list_address(site, "taskrun", instance=instance.pk) if len(shown) > RUNS_SHOWN else "",
        "diagram": picture_of(instance, newest, links=_links(instance, newest, site), inside=inside),
    }


def _links(instance: RunningProcesses, runs: list[TaskRun], site: admin.AdminSite) -> dict[int, str]:
    """Each row's newest task run; of a sub-process the instance, where one was started: that is where it goes on."""
    definition = instance.version.frozen
    started = relatives.newest_of_runs([run.pk for run in runs if definition.task_of(run.row).subprocess])
    return {
        run.row: show.address(site, "runningprocesses", started[run.pk])
        if run.pk in started
        else show.address(site, "taskrun", run.pk)
        for run in runs
    }


def _waiting(request: HttpRequest, instance: RunningProcesses, site: admin.AdminSite) -> list[dict[str, Any]]:
    """What waits for people, and for this user: with the addresses at which it is decided."""
    return [
        {
            "waiting": waiting,
            "may_decide": operations.may_decide(request.user, waiting) and show.may_view(request, "waitingforapproval"),
            "approve": decide.address(site, decide.APPROVE, [waiting.task_run_id]),
            "reject": decide.address(site, decide.REJECT, [waiting.task_run_id]),
        }
        for waiting in instance.waiting.order_by("pk")
    ]

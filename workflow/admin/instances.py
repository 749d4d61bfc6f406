"""Running processes and their history."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from workflow.admin import show
from workflow.admin.readonly import ReadOnlyAdmin
from workflow.code.ledger import written
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun

RUNS_SHOWN = 100
UNTIL = {
    RunState.RETRYING: _("until %(time)s to try “%(task)s” again"),
    RunState.SUSPENDED: _("until %(time)s to go on with “%(task)s”"),
}


@admin.register(RunningProcesses)
class RunningProcessesAdmin(ReadOnlyAdmin):
    list_display = ("pk", "process_name", "state_badge", "step", "started_at", "ended_at", "started_by")
    list_filter = ("state", "process", "started_at")
    search_fields = ("=pk", "process_name")
    list_select_related = ("started_by",)
    change_form_template = "admin/workflow/instance.html"
    fieldsets: ClassVar = (
        (None, {"fields": ("process_link", "version_link", "state_badge", "step", "visit", "error_shown")}),
        (_("Values"), {"fields": ("data_shown", "results_shown")}),
        (_("Times and people"), {"fields": ("started_by", "started_at", "ended_at", "due_at", "owner", "fence")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [field for _title, options in self.fieldsets for field in options["fields"]]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        instance = self.get_object(request, object_id)
        extra = _history(instance) if instance is not None else {}
        kwargs["extra_context"] = {**(kwargs.get("extra_context") or {}), **extra}
        return super().change_view(request, object_id, *args, **kwargs)

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, instance: RunningProcesses) -> SafeString:
        return show.state(instance.state, instance.get_state_display())

    @admin.display(description=_("process"))
    def process_link(self, instance: RunningProcesses) -> SafeString | str:
        if instance.process_id is None:
            return say("%(name)s (its draft was deleted)") % {"name": instance.process_name}
        return show.link("process", instance.process_id, instance.process_name)

    @admin.display(description=_("version"))
    def version_link(self, instance: RunningProcesses) -> SafeString:
        return show.link("processversion", instance.version_id, instance.version)

    @admin.display(description=_("error"))
    def error_shown(self, instance: RunningProcesses) -> SafeString | str:
        return show.error(instance.error)

    @admin.display(description=_("data"))
    def data_shown(self, instance: RunningProcesses) -> SafeString:
        return show.json(instance.data)

    @admin.display(description=_("results"))
    def results_shown(self, instance: RunningProcesses) -> SafeString:
        return show.json(instance.results)


class ActionCallInline(admin.TabularInline):
    """The ledger: what an operator reads before a retry."""

    model = ActionCall
    fields = ("number", "call_shown", "result_shown", "started_at", "duration", "attempt")
    readonly_fields = fields
    ordering = ("number", "attempt")
    can_delete = False
    max_num = 0
    verbose_name_plural = _("calls of actions: what has happened, and is not done again")

    @admin.display(description=_("call"))
    def call_shown(self, call: ActionCall) -> SafeString | str:
        return show.text(written(call.name, call.arguments))

    @admin.display(description=_("result"))
    def result_shown(self, call: ActionCall) -> SafeString | str:
        if call.ended_at is None:
            return say("waits")
        return show.error(call.error) if call.error else show.json(call.result)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return show.may_view(request, "taskrun")


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnlyAdmin):
    inlines = (ActionCallInline,)
    list_display = ("task_name", "instance_link", "sequence", "state_badge", "attempt", "started_at", "ended_at")
    list_filter = ("state", "started_at")
    search_fields = ("task_name", "=instance__pk")
    list_select_related = ("instance",)
    fields = (
        "task_name",
        "instance_link",
        "sequence",
        "visit",
        "state_badge",
        "attempt",
        "started_at",
        "ended_at",
        "due_at",
        "result_shown",
        "changes_shown",
        "log_shown",
        "error_shown",
        "decided_by",
        "comment",
    )
    readonly_fields = fields

    @admin.display(description=_("instance"), ordering="instance")
    def instance_link(self, run: TaskRun) -> SafeString:
        return show.link("runningprocesses", run.instance_id, run.instance)

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, run: TaskRun) -> SafeString:
        return show.state(run.state, run.get_state_display())

    @admin.display(description=_("result"))
    def result_shown(self, run: TaskRun) -> SafeString:
        return show.json(run.result)

    @admin.display(description=_("changes to the data"))
    def changes_shown(self, run: TaskRun) -> SafeString | str:
        return show.json(run.changes) if run.changes else "-"

    @admin.display(description=_("log"))
    def log_shown(self, run: TaskRun) -> SafeString | str:
        return show.text(run.log)

    @admin.display(description=_("error"))
    def error_shown(self, run: TaskRun) -> SafeString | str:
        return show.error(run.error)


def standing(instance: RunningProcesses) -> str:
    """In one plain sentence, what the instance does now, or why it does not move."""
    match instance.state:
        case InstanceState.READY:
            return say("It is ready: the next engine that is free takes it.")
        case InstanceState.RUNNING if instance.due_at and instance.due_at < timezone.now():
            return say("The engine that ran it is silent; another engine takes it over.")
        case InstanceState.RUNNING:
            return say("An engine is running it.")
        case InstanceState.WAITING:
            return _what_it_waits_for(instance)
        case InstanceState.FAILED:
            error = instance.error or {}
            return say("It failed: %(message)s") % {"message": error.get("message", "")}
        case InstanceState.REJECTED:
            return say("It has ended, because a task was rejected.")
        case InstanceState.FINISHED:
            return say("It has ended; all went well.")
        case InstanceState.CANCELLED:
            return say("It was cancelled.")
    return say("An operator has paused it.")


def _what_it_waits_for(instance: RunningProcesses) -> str:
    parts = [
        say("for %(who)s to decide “%(task)s”")
        % {"who": waiting.approver or say("a member of staff"), "task": waiting.task_name}
        for waiting in instance.waiting.all()
    ]
    timed = instance.task_runs.filter(visit=instance.visit, state__in=UNTIL, due_at__isnull=False)
    parts += [
        UNTIL[RunState(run.state)]
        % {"time": f"{timezone.localtime(run.due_at):%Y-%m-%d %H:%M:%S}", "task": run.task_name}
        for run in timed
    ]
    return say("It waits %(reasons)s.") % {"reasons": say(", and ").join(parts)}


def _history(instance: RunningProcesses) -> dict[str, Any]:
    runs = list(instance.task_runs.select_related("decided_by").order_by("-visit", "row")[: RUNS_SHOWN + 1])
    shown = runs[:RUNS_SHOWN]
    current = {run.row: show.MARKS[RunState(run.state)] for run in reversed(shown)}
    links = {run.row: show.address("taskrun", run.pk) for run in reversed(shown)}
    return {
        "standing": standing(instance),
        "runs": [(run, show.state(run.state, run.get_state_display())) for run in shown],
        "more_runs": len(runs) > RUNS_SHOWN,
        "diagram": show.picture(instance.version.frozen, marks=current, current=instance.step, links=links),
    }

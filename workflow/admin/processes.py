"""The page on which an owner defines a whole process."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin import show
from workflow.admin.forms import StartForm, TaskForm, TransitionForm, TransitionFormSet
from workflow.code.actions import actions
from workflow.definition import Definition
from workflow.errors import WorkflowError
from workflow.findings import Finding
from workflow.models import Process, Task, TaskTransitions
from workflow.models.definitions import draft


class FindingsMixin(admin.options.InlineModelAdmin):
    """An inline whose rows show what is wrong with them."""

    findings: dict[int, list[Finding]]
    readonly_fields = ("found",)

    @admin.display(description=_("findings"))
    def found(self, obj: Any) -> SafeString | str:
        return found(self.findings.get(obj.pk, []))

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        may: Any = request.user
        form = type(self.form.__name__, (self.form,), {"may_edit_code": may.has_perm("workflow.edit_code")})
        return super().get_formset(request, obj, form=form, **kwargs)


class TaskInline(FindingsMixin, admin.StackedInline):
    model = Task
    form = TaskForm
    extra = 0
    fieldsets = (
        (None, {"fields": ("found", "name", ("manual", "approver"), "code")}),
        (
            _("Attempts and limits"),
            {"classes": ["collapse"], "fields": (("max_attempts", "retry_delay"), ("time_limit", "memory_limit"))},
        ),
    )


class TransitionInline(FindingsMixin, admin.TabularInline):
    model = TaskTransitions
    form = TransitionForm
    formset = TransitionFormSet
    extra = 0
    fields = ("sequence", "task_name", "condition", "then", "on_reject", "on_error", "ends_step", "found")
    ordering = ("sequence", "pk")
    verbose_name = _("step")
    verbose_name_plural = _("steps: which task comes when, and what comes next")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskTransitions]:
        return super().get_queryset(request).select_related("task")


def found(findings: Sequence[Finding]) -> SafeString | str:
    """Findings as a list; a dash where there is none."""
    if not findings:
        return "-"
    return mark_safe(render_to_string("admin/workflow/findings.html", {"findings": findings}))  # noqa: S308


@admin.register(Process)
class ProcessAdmin(admin.ModelAdmin):
    list_display = ("name", "description", "task_count")
    search_fields = ("name", "description")
    inlines = (TaskInline, TransitionInline)
    actions = ("start_selected",)
    change_form_template = "admin/workflow/process_form.html"
    save_on_top = True

    class Media:
        css: ClassVar = {"all": ["workflow/admin.css", "workflow/diagram.css"]}
        js = ("workflow/process.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Process]:
        return super().get_queryset(request).annotate(task_count=Count("tasks"))

    @admin.display(description=_("tasks"), ordering="task_count")
    def task_count(self, process: Any) -> int:
        return process.task_count

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        inlines: list[Any] = super().get_inline_instances(request, obj)
        # What is posted may differ from what is saved: only the saved draft has findings.
        examined = _examined(request, obj) if obj and request.method == "GET" else None
        for inline in inlines:
            inline.findings = examined.by_key(inline.model) if examined else {}
        return inlines

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> Any:  # noqa: FBT001 - Django's
        formsets, inlines = super()._create_formsets(request, obj, change)  # type: ignore[misc]
        by_model = {formset.model: formset for formset in formsets}
        if TaskTransitions in by_model:
            by_model[TaskTransitions].tasks = by_model.get(Task)
        return formsets, inlines

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        process = context.get("original")
        context["granted"] = sorted(actions().values(), key=lambda action: action.name)
        if process is not None:
            context["examined"] = _examined(request, process)
            context["start_address"] = _start_address([process]) if _may_start(request) else ""
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        start = path("start/", self.admin_site.admin_view(self.start_view), name="workflow_process_start")
        return [start, *super().get_urls()]

    @admin.action(description=_("Start selected processes"), permissions=["start"])
    def start_selected(self, request: HttpRequest, queryset: QuerySet[Process]) -> HttpResponse:
        return redirect(_start_address(queryset))

    def has_start_permission(self, request: HttpRequest) -> bool:
        """Whether Django offers `start_selected`."""
        return _may_start(request)

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for the data, and starts; nothing happens on a GET."""
        if not _may_start(request):
            return _refused(request)
        keys = [key for key in request.GET.getlist("id") if key.isdigit()]
        processes = list(Process.objects.filter(pk__in=keys))
        form = StartForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and processes:
            try:
                names = [process.name for process in processes]
                started = operations.start_many(names, form.cleaned_data["json"], user=request.user)
            except WorkflowError as error:
                form.add_error(None, str(error))
            else:
                return _started(request, started)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Start"),
            "processes": processes,
            "form": form,
            "opts": self.opts,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/workflow/start.html", context)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """The saved draft of a process, looked through."""

    process: Process
    definition: Definition
    findings: list[Finding]

    @property
    def has_errors(self) -> bool:
        return any(finding.level == "error" for finding in self.findings)

    @property
    def diagram(self) -> SafeString:
        problems = {finding.row for finding in self.findings if finding.row is not None}
        return show.picture(self.definition, problems=problems)

    def by_key(self, model: type) -> dict[int, list[Finding]]:
        """The findings at each task, or at each transition, by its primary key."""
        if model is TaskTransitions:
            rows = list(self.process.transitions.order_by("sequence", "pk").values_list("pk", flat=True))
            placed = [(rows[one.row], one) for one in self.findings if one.row is not None]
        else:
            tasks = dict(self.process.tasks.values_list("name", "pk"))
            placed = [(tasks[one.task], one) for one in self.findings if one.row is None and one.task in tasks]
        grouped: dict[int, list[Finding]] = {}
        for key, finding in placed:
            grouped.setdefault(key, []).append(finding)
        return grouped


def _examined(request: Any, process: Process) -> Examined:
    """The draft's examination, made once a request: checking its code takes the sandbox."""
    if not hasattr(request, "_workflow_examined"):
        request._workflow_examined = Examined(
            process=process, definition=draft(process), findings=operations.findings(process)
        )
    return request._workflow_examined


def _start_address(processes: Iterable[Process]) -> str:
    query = "&".join(f"id={process.pk}" for process in processes)
    return f"{reverse('admin:workflow_process_start')}?{query}"


def _may_start(request: HttpRequest) -> bool:
    user: Any = request.user
    return user.has_perm("workflow.add_runningprocesses")


def _refused(request: HttpRequest) -> HttpResponse:
    messages.error(request, _("Starting a process takes the permission “Can add running process”."))
    return redirect("admin:index")


def _started(request: HttpRequest, started: Sequence[Any]) -> HttpResponse:
    for instance in started:
        messages.success(request, _("%(process)s was started as instance %(id)s.") % {
            "process": instance.process_name, "id": instance.pk,
        })  # fmt: skip
    if len(started) == 1 and show.may_view(request, "runningprocesses"):
        return redirect("admin:workflow_runningprocesses_change", started[0].pk)
    return redirect("admin:workflow_process_changelist")

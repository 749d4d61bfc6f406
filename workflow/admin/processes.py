"""The page on which an owner defines a whole process."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin import show, start
from workflow.admin.examined import Examined, examine
from workflow.admin.forms import CHECK, ProcessForm, TaskFormSet, join
from workflow.admin.guarded import GuardedAdmin
from workflow.admin.inlines import FieldInline, TaskInline, TransitionInline
from workflow.code.actions import BUILT_IN, Action, actions
from workflow.models import FormField, Process, Task, TaskTransitions


@admin.register(Process)
class ProcessAdmin(GuardedAdmin):
    """Tasks and transitions are edited on the page of their process, and have none of their own."""

    form = ProcessForm
    fieldsets = (
        (None, {"fields": ("name", "description")}),
        (_("Who starts it"), {"classes": ("collapse",), "fields": ("starters",)}),
        (_("Where many instances are due"), {"classes": ("collapse",), "fields": ("priority", "max_running")}),
    )
    inlines = (TaskInline, TransitionInline, FieldInline)
    list_display = ("name", "description", "task_count")
    search_fields = ("name", "description")
    actions = ("start_selected",)
    empty_list_text = _("No process is defined yet. Add one: its tasks, and the steps at which they come.")

    class Media:
        css: ClassVar = {"all": ("workflow/states.css", "workflow/admin.css", "workflow/diagram.css")}
        js = ("workflow/process.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Process]:
        return super().get_queryset(request).annotate(task_count=Count("tasks"))

    @admin.display(description=_("tasks"), ordering="task_count")
    def task_count(self, process: Any) -> int:
        return process.task_count

    # The page

    def _create_formsets(self, request: HttpRequest, obj: Any, change: bool) -> Any:  # noqa: FBT001 - Django's
        """Django has no public place where one formset meets another before both are validated."""
        formsets, inlines = super()._create_formsets(request, obj, change)  # type: ignore[misc]
        by_model = {formset.model: formset for formset in formsets}
        rows = [by_model[model] for model in (TaskTransitions, FormField) if model in by_model]
        if rows:
            tasks = by_model.get(Task) or self._saved_tasks(request, obj)
            for formset in rows:
                join(tasks, formset)
        return formsets, inlines

    def _saved_tasks(self, request: HttpRequest, process: Process) -> TaskFormSet:
        """The tasks, for a page whose user may not see them."""
        formset = TaskInline(Process, self.admin_site).get_formset(request, process)
        return formset(instance=process)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        process, is_check = context["original"], CHECK in request.POST
        if not context["errors"] and (process is not None or is_check):
            context["examined"] = _examined(context)
        context.update(
            is_check=is_check,
            granted=[
                (_declared(action), action.doc) for name, action in sorted(actions().items()) if name not in BUILT_IN
            ],
            task_names=_task_names(context),
            start_url=start.address(self.admin_site, [process.pk])
            if process is not None and self.has_start_permission(request)
            else "",
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_add(self, request: HttpRequest, obj: Process) -> HttpResponseRedirect:
        return self._back_to_mistakes(request, obj) or super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Process) -> HttpResponseRedirect:
        return self._back_to_mistakes(request, obj) or super().response_post_save_change(request, obj)

    def _back_to_mistakes(self, request: HttpRequest, process: Process) -> HttpResponseRedirect | None:
        """A draft that can't be started yet is saved, and shown again with what is wrong with it."""
        errors = [finding for finding in operations.findings(process) if finding.level == "error"]
        if not errors or not self.has_view_or_change_permission(request, process):
            return None
        text = ngettext(
            "It is saved as a draft, and can be started once its mistake is mended.",
            "It is saved as a draft, and can be started once its %(count)d mistakes are mended.",
            len(errors),
        )
        messages.warning(request, text % {"count": len(errors)})
        return redirect(show.address(self.admin_site, "process", process.pk))

    # Deleting

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        *rest, protected = super().get_deleted_objects(objs, request)
        users = Task.objects.filter(subprocess__in=objs).exclude(parent__in=objs) if protected else Task.objects.none()
        return *rest, [
            _use(task, self.admin_site)
            for task in users.select_related("parent", "subprocess").order_by("parent__name", "pk")
        ]

    # Starting

    def has_start_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm("workflow.add_runningprocesses"))

    @admin.action(description=_("Start selected processes"), permissions=["start"])
    def start_selected(self, request: HttpRequest, queryset: QuerySet[Process]) -> HttpResponse:
        return redirect(start.address(self.admin_site, queryset.values_list("pk", flat=True)))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(lambda request: start.view(self, request))
        return [path("start/", view, name="workflow_process_start"), *super().get_urls()]


def _examined(context: dict[str, Any]) -> Examined | None:
    transitions = _formsets(context).get(TaskTransitions)
    if transitions is None:
        return None
    fields = _formsets(context).get(FormField)
    return examine(context["adminform"].form.instance.name, transitions.tasks, transitions, fields)


def _task_names(context: dict[str, Any]) -> list[str]:
    tasks = _formsets(context).get(Task)
    return tasks.names() if tasks is not None else []


def _formsets(context: dict[str, Any]) -> dict[Any, Any]:
    return {wrapped.formset.model: wrapped.formset for wrapped in context["inline_admin_formsets"]}


def _use(task: Any, site: admin.AdminSite) -> SafeString:
    words = gettext("{process}: the task “{task}” starts “{started}”.")
    process = show.link(site, "process", task.parent_id, task.parent)
    return format_html(words, process=process, task=task, started=task.subprocess)


def _declared(action: Action) -> str:
    """The call of an action as people read it: `name(argument: type) -> type`."""
    return action.stub.removeprefix("def ").removesuffix(": ...")

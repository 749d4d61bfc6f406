"""The parts of the process page that repeat: its tasks, and its transitions."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from workflow.admin.forms import FieldForm, OfTaskFormSet, TaskForm, TaskFormSet, TransitionForm
from workflow.models import FormField, Process, Task, TaskTransitions


class _DraftInline:
    """What both parts have in common: one empty row, for those without scripts, and the right to edit code."""

    extra = 1

    def get_formset(self, request: HttpRequest, obj: Process | None = None, **kwargs: Any) -> Any:
        user: Any = request.user
        formset = super().get_formset(request, obj, **kwargs)  # type: ignore[misc]
        formset.form.may_edit_code = user.has_perm("workflow.edit_code")  # the form is a new class for each request
        return formset


class TaskInline(_DraftInline, admin.StackedInline):
    model = Task
    fk_name = "parent"
    form = TaskForm
    formset = TaskFormSet
    fieldsets = (
        (None, {"fields": ("name", "manual", "approver", "code")}),
        (
            _("Instructions, and who may not decide"),
            {"classes": ("collapse",), "fields": ("instructions", "quorum", "not_starter", "not_same_as", "same_as")},
        ),
        (
            _("Deadlines"),
            {
                "classes": ("collapse",),
                "fields": (
                    ("due", "calendar"),
                    "remind",
                    ("escalate_to", "escalate_after"),
                    ("by_default", "by_default_after"),
                ),
            },
        ),
        (_("Sub-process"), {"classes": ("collapse",), "fields": ("subprocess", "input", "output")}),
        (
            _("Attempts and limits"),
            {
                "classes": ("collapse",),
                "fields": ("timeout", "max_attempts", "retry_delay", "time_limit", "memory_limit"),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        return super().get_queryset(request).select_related("subprocess", "calendar")

    def get_formset(self, request: HttpRequest, obj: Process | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        for name in ("subprocess", "calendar"):
            choice: Any = formset.form.base_fields.get(name)
            if choice is not None:
                choice.choices = list(choice.choices)  # read once, not for each task
                for verb in ("add", "change", "delete"):  # from here it can be looked at, in a window of its own
                    setattr(choice.widget, f"can_{verb}_related", False)
        return formset


class TransitionInline(_DraftInline, admin.TabularInline):
    model = TaskTransitions
    form = TransitionForm
    formset = OfTaskFormSet
    fields = ("sequence", "task_name", "condition", "then", "on_reject", "on_error", "ends_step")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskTransitions]:
        return super().get_queryset(request).select_related("task")

    @admin.display(description=_("task"))
    def task_name(self, row: TaskTransitions) -> str:
        """For those who may only look: the form's field of this name is not a field of the model."""
        return row.task.name


class FieldInline(admin.TabularInline):
    model = FormField
    form = FieldForm
    formset = OfTaskFormSet
    extra = 1
    classes = ("collapse",)
    verbose_name_plural = _("forms: what people fill in when they start or decide")
    fields = ("task_name", "position", "name", "label", "kind", "required", "choices", "help")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FormField]:
        return super().get_queryset(request).select_related("task")

    @admin.display(description=_("task"))
    def task_name(self, field: FormField) -> str:
        """As of transitions."""
        return field.task.name if field.task else "-"

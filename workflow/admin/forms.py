"""Forms of the process page. All tasks and transitions of a process are one draft, typed and saved together.

A transition names its task, because the task may stand on the same page and not be saved yet.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from django import forms
from django.forms.models import BaseInlineFormSet
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import approvers
from workflow.admin.editor import CodeEditor
from workflow.admin.fields import TimeSpanField
from workflow.errors import suggestion
from workflow.lint import DECIDERS
from workflow.models import FormField, Process, Task, TaskTransitions
from workflow.models.people import find

CHECK = "_check"
"""The name of the button that looks for mistakes in what the page holds, and saves nothing."""

NO_CODE = _("Only those with the permission “Can edit the code of tasks, and expressions” can change this.")
EXPRESSIONS = ("input", "output")
EXPRESSION = {"rows": 2, "cols": 80, "class": "workflow-code", "spellcheck": "false", "autocapitalize": "off"}
NARROW = {"class": "workflow-number"}
SPAN = {"size": 12, "spellcheck": "false", "autocapitalize": "off"}
A_TASK = {"list": "workflow-task-names"}
"""Offers the names of the tasks on the page."""


class ProcessForm(forms.ModelForm):
    """The process itself."""

    class Meta:
        model = Process
        fields = ("name", "description", "starters", "priority", "max_running")
        widgets: ClassVar = {"description": forms.Textarea(attrs={"rows": 3, "cols": 80})}

    def clean_starters(self) -> str:
        starters: str = self.cleaned_data["starters"]
        found = find(approvers.names(starters))
        if found.unknown:
            names = ", ".join(map(repr, found.unknown))
            raise forms.ValidationError(_("No active user and no group has the name %(names)s.") % {"names": names})
        if found.ambiguous:
            raise forms.ValidationError([approvers.is_ambiguous(name) for name in found.ambiguous])
        return starters

    def is_valid(self) -> bool:
        """A check is never valid, so that the admin shows the page again instead of saving it."""
        return super().is_valid() and CHECK not in self.data


class TaskForm(forms.ModelForm):
    """A task. Without `may_edit_code`, its code and expressions are only shown, and so are approvers that are one."""

    may_edit_code = False

    class Meta:
        model = Task
        fields = (
            *("name", "manual", "approver", "code", "subprocess", "input", "output"),
            *("quorum", "not_starter", "not_same_as", "same_as", "instructions"),
            *("due", "calendar", "remind", "escalate_to", "escalate_after", "by_default", "by_default_after"),
            *("timeout", "max_attempts", "retry_delay", "time_limit", "memory_limit"),
        )
        widgets: ClassVar = {
            "code": CodeEditor(),
            **{field: forms.TextInput(attrs={"class": "vTextField"}) for field in DECIDERS},
            **{field: forms.TextInput(attrs=SPAN) for field in ("due", "escalate_after", "by_default_after")},
            "not_same_as": forms.TextInput(attrs=A_TASK),
            "same_as": forms.TextInput(attrs=A_TASK),
            "instructions": forms.Textarea(attrs={"rows": 4, "cols": 80}),
            **{field: forms.Textarea(attrs=EXPRESSION) for field in EXPRESSIONS},
        }
        field_classes: ClassVar = {"timeout": TimeSpanField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.may_edit_code:
            for field in ("code", *EXPRESSIONS):
                _only_show(self, field)
            for field in DECIDERS:
                if approvers.is_expression(getattr(self.instance, field)):
                    _only_show(self, field)

    def validate_constraints(self) -> None:
        """Left to the formset, which knows the names that other tasks get, or give up, at the same time."""

    def clean_approver(self) -> str:
        return self._names_or_permitted("approver")

    def clean_escalate_to(self) -> str:
        return self._names_or_permitted("escalate_to")

    def _names_or_permitted(self, field: str) -> str:
        text: str = self.cleaned_data[field]
        if not self.may_edit_code and field in self.changed_data and approvers.is_expression(text):
            raise forms.ValidationError(NO_CODE)
        if approvers.is_only_commas(text):
            raise forms.ValidationError(_("This names nobody. Name users or groups, or clear it."))
        return text


class TaskFormSet(BaseInlineFormSet):
    """The tasks of a process, which go by their names until they are saved."""

    def named(self, name: str) -> Task | None:
        """The task that has this name on the page, or had it before it was renamed there; `None` where there is none."""
        by_name = {_name_of(form): form.instance for form in reversed(list(self.kept()))}
        before = {form.initial.get("name"): form.instance for form in self.kept()}
        return by_name.get(name) or before.get(name)

    def names(self) -> list[str]:
        """What the tasks are called on the page, in their order."""
        return [name for form in self.kept() if (name := _name_of(form))]

    def is_leaving(self, name: str) -> bool:
        """Whether a task of this name is marked to be deleted."""
        return any(
            name in {_name_of(form), form.initial.get("name")} for form in self.initial_forms if _leaves(self, form)
        )

    def kept(self) -> Iterator[TaskForm]:
        """The forms of the tasks that the process will have."""
        return _kept(self)

    def validate_unique(self) -> None:
        """All names at once: among themselves, because this formset holds all tasks that the process has."""
        seen: set[str] = set()
        for form in self.kept():
            name = _name_of(form)
            if name in seen:
                form.add_error("name", _("This process has another task of that name."))
            seen.add(name)

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        if commit:
            self._free_names()
        return super().save(commit)

    def _free_names(self) -> None:
        """Let tasks exchange names, or take one of a task that goes: the database checks after each single change."""
        for form in self.initial_forms:
            if _leaves(self, form) or "name" in form.changed_data:
                Task.objects.filter(pk=form.instance.pk).update(name=f"\N{BULLET}{form.instance.pk}")


class OfTaskForm(forms.ModelForm):
    """A row that names a task of the same page, which may not be saved yet."""

    tasks: TaskFormSet

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _name(self.fields.values())
        if self.instance.task_id:
            self.initial["task_name"] = self.instance.task.name

    @property
    def changed_data(self) -> list[str]:
        """With the task where its name now means another one, though the name was not touched."""
        changed = super().changed_data
        named = self.initial.get("task_name")
        if self.is_bound and self.instance.pk and named and "task_name" not in changed:
            task = self.tasks.named(named)
            if task is not None and task.pk != self.instance.task_id:
                return [*changed, "task_name"]
        return changed

    def clean_task_name(self) -> str:
        name: str = self.cleaned_data["task_name"]
        task = self.tasks.named(name) if name else None
        if name and task is None:
            raise forms.ValidationError(self._why_unknown(name))
        self.instance.task = task
        return name

    def _why_unknown(self, name: str) -> str:
        if self.tasks.is_leaving(name):
            return gettext("The task %(name)r is to be deleted. Delete this row too, or give it another task.") % {
                "name": name
            }
        known = suggestion(name, self.tasks.names())
        return gettext("This process has no task %(name)r.%(known)s") % {"name": name, "known": known}

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        self.instance.task = self.instance.task  # it has its number only since it was saved, right before
        return super().save(commit)


class TransitionForm(OfTaskForm):
    """A transition. Without `may_edit_code`, its condition is only shown."""

    may_edit_code = False

    task_name = forms.CharField(
        label=_("task"),
        max_length=200,
        help_text=_("The name of one of the tasks above."),
        widget=forms.TextInput(attrs=A_TASK),
    )

    class Meta:
        model = TaskTransitions
        fields = ("sequence", "condition", "then", "on_reject", "on_error", "ends_step")
        widgets: ClassVar = {
            "condition": forms.Textarea(attrs={"rows": 1, "cols": 24, "spellcheck": "false", "autocapitalize": "off"}),
            **{field: forms.NumberInput(attrs=NARROW) for field in ("sequence", "then", "on_reject", "on_error")},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.may_edit_code:
            _only_show(self, "condition")


class FieldForm(OfTaskForm):
    """A field of the form of a task, or, with no task, of the one that the process is started with."""

    task_name = forms.CharField(
        label=_("task"),
        max_length=200,
        required=False,
        help_text=_("The manual task that asks for it. Blank: it is asked when the process is started."),
        widget=forms.TextInput(attrs=A_TASK),
    )

    class Meta:
        model = FormField
        fields = ("position", "name", "label", "kind", "required", "choices", "help")
        widgets: ClassVar = {
            "position": forms.NumberInput(attrs=NARROW),
            "choices": forms.Textarea(attrs={"rows": 1, "cols": 16}),
        }


class OfTaskFormSet(BaseInlineFormSet):
    """Rows of a process that name its tasks; `tasks` are those of the same page."""

    tasks: TaskFormSet

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if (delete := form.fields.get("DELETE")) is not None:
            _name([delete])
        if hasattr(self, "tasks"):
            form.tasks = self.tasks

    def kept(self) -> Iterator[Any]:
        """The forms of the rows that the process will have."""
        return _kept(self)


def _name(fields: Iterable[forms.Field]) -> None:
    """Tell a screen reader what the fields are: the admin's table has a heading for each column, but no labels."""
    for field in fields:
        field.widget.attrs["aria-label"] = capfirst(field.label)


def join(tasks: TaskFormSet, rows: OfTaskFormSet) -> None:
    """Let rows name the tasks of the same page."""
    rows.tasks = tasks
    forms: Any = rows.forms
    for form in forms:
        form.tasks = tasks


def _kept(formset: Any) -> Iterator[Any]:
    for index, form in enumerate(formset.forms):
        is_used = index < formset.initial_form_count() or (formset.is_bound and form.has_changed())
        if is_used and not _leaves(formset, form):
            yield form


def _leaves(formset: Any, form: Any) -> bool:
    return formset.is_bound and formset.can_delete and formset._should_delete_form(form)


def _name_of(form: Any) -> str:
    """What the task is called on the page, also where the form has mistakes, or may only be looked at."""
    return str(form["name"].value() or form.initial.get("name") or "").strip()


def _only_show(form: forms.ModelForm, field: str) -> None:
    """Show a field, and ignore what is posted for it."""
    form.fields[field].disabled = True
    form.fields[field].help_text = NO_CODE

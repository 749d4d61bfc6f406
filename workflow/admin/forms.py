"""Forms of the process page: tasks, and transitions that may name a task which is typed on the same page."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms.models import BaseInlineFormSet
from django.utils.translation import gettext_lazy as _
from django_ace import AceWidget

from workflow import approvers, values
from workflow.models import Task, TaskTransitions

NO_CODE = _("Changing code and expressions takes the permission “Can edit the code of tasks, and expressions”.")


class CodeWidget(AceWidget):
    """An editor for Python, which is a plain text field where scripts are off."""

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(
            js=["django_ace/ace/theme-tomorrow_night.js"],
            css={"screen": ["django_ace/ace/css/theme/tomorrow_night.css"]},
        )

    def __init__(self) -> None:
        super().__init__(
            mode="python",
            theme="textmate",
            width=None,
            height=None,
            minlines=5,
            maxlines=40,
            tabsize=4,
            toolbar=False,
            showprintmargin=False,
            useworker=False,
            useStrictCSP=True,
            attrs={"rows": 6, "cols": 80, "spellcheck": "false"},
        )


class TaskForm(forms.ModelForm):
    """A task. Without `may_edit_code`, its code and an approver's expression are only shown."""

    may_edit_code = True

    class Meta:
        model = Task
        fields = "__all__"  # noqa: DJ007 - the admin page says which
        widgets = {"code": CodeWidget(), "approver": forms.TextInput(attrs={"size": 60})}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.may_edit_code:
            self.fields["code"].disabled = True
            self.fields["code"].widget.readonly = True
            self.fields["code"].help_text = NO_CODE
            self.fields["approver"].disabled = approvers.is_expression(self.instance.approver)

    def clean_approver(self) -> str:
        approver: str = self.cleaned_data["approver"]
        if not self.may_edit_code and approver != self.instance.approver and approvers.is_expression(approver):
            raise forms.ValidationError(NO_CODE)
        return approver

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        return name.strip()


class TransitionForm(forms.ModelForm):
    """A transition, which names its task, because that may not be saved yet."""

    may_edit_code = True

    task_name = forms.CharField(
        label=_("task"), max_length=200, widget=forms.TextInput(attrs={"list": "task-names", "size": 24})
    )

    class Meta:
        model = TaskTransitions
        fields = ("sequence", "task_name", "condition", "then", "on_reject", "on_error", "ends_step")
        widgets = {"condition": forms.Textarea(attrs={"rows": 1, "cols": 30, "spellcheck": "false"})}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["task_name"] = self.fields["task_name"].initial = self.instance.task.name
        if not self.may_edit_code:
            self.fields["condition"].disabled = True

    def clean_task_name(self) -> str:
        name: str = self.cleaned_data["task_name"]
        return name.strip()


class TransitionFormSet(BaseInlineFormSet):
    """The transitions of a process. `tasks` is the formset of its tasks on the same page, validated before."""

    tasks: BaseInlineFormSet | None = None

    def clean(self) -> None:
        super().clean()
        for form in self._kept():
            name = form.cleaned_data.get("task_name")
            if name is not None and self._task_form(name) is None:
                form.add_error("task_name", self._unknown(name))

    def save_new(self, form: Any, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        self._set_task(form)
        return super().save_new(form, commit)

    def save_existing(self, form: Any, obj: Any, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's
        self._set_task(form)
        return super().save_existing(form, obj, commit)

    def _set_task(self, form: Any) -> None:
        task_form = self._task_form(form.cleaned_data["task_name"])
        assert task_form is not None, "clean() has refused names of no task"
        form.instance.task = task_form.instance

    def _task_form(self, name: str) -> Any:
        """The form of the task of that name, or of the one that had it until now: a renamed task keeps its rows."""
        forms = list(_kept_forms(self.tasks)) if self.tasks else []
        by_name = {form.cleaned_data.get("name"): form for form in forms}
        before = {form.initial.get("name"): form for form in forms if form.instance.pk}
        return by_name.get(name) or before.get(name)

    def _unknown(self, name: str) -> str:
        names = [form.cleaned_data.get("name", "") for form in _kept_forms(self.tasks)] if self.tasks else []
        known = ", ".join(filter(None, names)) or _("none")
        return _("This process has no task “%(name)s”. Its tasks are: %(known)s.") % {"name": name, "known": known}

    def _kept(self) -> Iterable[Any]:
        return _kept_forms(self)


def _kept_forms(formset: Any) -> Iterable[Any]:
    """The forms that are filled in, valid so far, and not to be deleted."""
    for form in formset.forms:
        cleaned = getattr(form, "cleaned_data", None)
        if cleaned and not cleaned.get("DELETE") and (form.has_changed() or form.instance.pk):
            yield form


class StartForm(forms.Form):
    """What an instance starts with."""

    json = forms.CharField(
        label=_("data"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "cols": 60, "spellcheck": "false"}),
        help_text=_('A JSON object, such as {"amount": 180}. Blank: no data.'),
    )

    def clean_json(self) -> Any:
        text = self.cleaned_data["json"].strip()
        try:
            data = values.loads(text) if text else {}
        except values.ValueProblem as problem:
            raise forms.ValidationError(str(problem)) from problem
        if not isinstance(data, dict):
            raise forms.ValidationError(_('This must be a JSON object, such as {"amount": 180}.'))
        return data


class DecisionForm(forms.Form):
    """Why something is approved or rejected."""

    comment = forms.CharField(
        label=_("comment"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )

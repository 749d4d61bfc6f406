"""The draft as it stands on the process page, saved or not: what is wrong with it, shown where it is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.utils import ErrorList
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from workflow import operations
from workflow.admin.forms import FieldForm, OfTaskFormSet, TaskForm, TaskFormSet, TransitionForm
from workflow.definition import Definition, Row
from workflow.findings import Finding
from workflow.models import FormField, TaskTransitions
from workflow.models.drafts import field_definition, task_definition
from workflow.picture import picture


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A draft, what was found in it, and where each row of it stands on the page."""

    definition: Definition
    findings: Sequence[Finding]
    places: Sequence[str]
    row_places: Sequence[str]

    @property
    def placed(self) -> list[tuple[Finding, str]]:
        """Each finding with the address of its place on the page, blank where it is about the whole process."""
        return list(zip(self.findings, self.places, strict=True))

    @cached_property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "error"]

    @cached_property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.level == "warning"]

    @property
    def diagram(self) -> SafeString:
        return picture(self.definition, problems=self._rows_at_fault(), links=dict(enumerate(self.row_places)))

    def _rows_at_fault(self) -> set[int]:
        tasks = {finding.task for finding in self.errors if finding.row is None}
        of_tasks = {index for index, row in enumerate(self.definition.rows) if row.task in tasks}
        return of_tasks | {finding.row for finding in self.errors if finding.row is not None}


Asked = dict[str | None, list[FieldForm]]
"""The fields of each task's form, by the task's name; those of the start's by `None`."""


def examine(name: str, tasks: TaskFormSet, transitions: OfTaskFormSet, fields: OfTaskFormSet | None) -> Examined:
    """Look through the draft on the page, whose forms have been found valid, and put what is found into the forms.

    `fields` is `None` where the user may not see them.
    """
    task_forms = list(tasks.kept())
    row_forms = sorted(transitions.kept(), key=lambda form: form.instance.sequence)
    asked = _asked(fields)
    definition = Definition(
        name=name,
        tasks=tuple(task_definition(form.instance, _form(asked, form.instance.name)) for form in task_forms),
        rows=tuple(_row(form.instance) for form in row_forms),
        fields=tuple(map(field_definition, _form(asked, None))),
    )
    findings = operations.findings(definition)
    return Examined(
        definition=definition,
        findings=findings,
        places=[_put(finding, task_forms, row_forms, asked) for finding in findings],
        row_places=[f"#{form.prefix}" for form in row_forms],
    )


def _row(row: TaskTransitions) -> Row:
    return Row(**{field.name: getattr(row, field.name) for field in fields(Row)} | {"task": row.task.name})


def _asked(fields: OfTaskFormSet | None) -> Asked:
    asked: Asked = {}
    for form in sorted(fields.kept() if fields is not None else (), key=lambda form: form.instance.position):
        asked.setdefault(form.instance.task.name if form.instance.task else None, []).append(form)
    return asked


def _form(asked: Asked, task: str | None) -> list[FormField]:
    return [form.instance for form in asked.get(task, ())]


def _put(finding: Finding, tasks: Sequence[TaskForm], rows: Sequence[TransitionForm], asked: Asked) -> str:
    if finding.row is not None:
        return _put_at_row(rows[finding.row], finding)
    if finding.entry is not None:
        return _put_at_row(asked[finding.task][finding.entry], finding)
    for form in tasks:
        if form.instance.name == finding.task:
            return _put_at_field(form, finding)
    return ""


def _put_at_field(form: TaskForm, finding: Finding) -> str:
    field = finding.field if finding.field in form.fields else "name"
    _found(form, field, f"{form[field].auto_id}_error").add(finding)
    return f"#{form.prefix}"


def _put_at_row(form: TransitionForm | FieldForm, finding: Finding) -> str:
    """Above the row, which has the width that a sentence needs, and which the field refers to."""
    place = f"{form.prefix}-found"
    _found(form, NON_FIELD_ERRORS, place).add(finding)
    field = form.fields.get("task_name" if finding.field == "task" else finding.field or "")
    if field is not None:
        described = f"{place} {field.widget.attrs.get('aria-describedby', '')}".strip()
        field.widget.attrs.update({"aria-describedby": described, "data-workflow-found": finding.level})
    return f"#{form.prefix}"


def _found(form: Any, field: str, place: str) -> "Found":
    return form.errors.setdefault(field, Found(place))


class Found(ErrorList):
    """Findings, shown in the place of a form's own errors."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place
        self.findings: list[Finding] = []

    def add(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.append(str(finding))

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        findings = [(finding, _label(finding)) for finding in self.findings]
        shown = render_to_string("admin/workflow/found.html", {"findings": findings, "place": self.place})
        return mark_safe(shown)  # noqa: S308 - a template has escaped it

    as_ul = render
    __str__ = render
    __html__ = render


def _label(finding: Finding) -> Any:
    """What the field is called, where the finding does not stand at it but above the row."""
    if finding.row is None or finding.field is None:
        return ""
    return TaskTransitions._meta.get_field(finding.field).verbose_name  # type: ignore[union-attr]

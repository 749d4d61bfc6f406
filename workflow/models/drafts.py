"""Drafts as values: the rows that owners edit, read into a `Definition`; and a definition's parts as the fields of rows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from workflow.definition import Definition, Field, Kind, Row, TaskDefinition
from workflow.models.calendars import BusinessCalendar
from workflow.models.definitions import FormField, Process, Task, TaskTransitions


def draft(process: Process) -> Definition:
    """The draft as a value: tasks and rows as they stand in the database now, in the admin's order."""
    tasks = list(process.tasks.select_related("subprocess", "calendar").annotate(has_forms=_has_forms()).order_by("pk"))
    forms = _forms(process.form_fields.all()) if not tasks or tasks[0].has_forms else {}
    rows = process.transitions.select_related("task").order_by("sequence", "pk")
    return _definition(process, tasks, rows, forms)


def drafts(processes: Iterable[Process]) -> dict[str, Definition]:
    """The drafts of many processes, by name, with three queries."""
    by_key = {process.pk: process for process in processes}
    tasks, rows, fields = (_by_process(queryset, by_key, of) for queryset, of in _parts())
    return {
        process.name: _definition(process, tasks.get(key, []), rows.get(key, []), _forms(fields.get(key, [])))
        for key, process in by_key.items()
    }


def _parts() -> list[tuple[QuerySet[Any], str]]:
    """What makes a draft: its tasks, its rows, and the fields of its forms; each with how it names its process."""
    return [
        (Task.objects.select_related("subprocess", "calendar").order_by("pk"), "parent_id"),
        (TaskTransitions.objects.select_related("task").order_by("sequence", "pk"), "process_id"),
        (FormField.objects.order_by("position", "pk"), "process_id"),
    ]


def _by_process(queryset: QuerySet[Any], keys: Iterable[int], of: str) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for one in queryset.filter(**{f"{of}__in": list(keys)}):
        found.setdefault(getattr(one, of), []).append(one)
    return found


def _definition(
    process: Process,
    tasks: Iterable[Task],
    rows: Iterable[TaskTransitions],
    forms: Mapping[int | None, Sequence[FormField]],
) -> Definition:
    return Definition(
        name=process.name,
        tasks=tuple(task_definition(task, forms.get(task.pk, ())) for task in tasks),
        rows=tuple(map(_row, rows)),
        fields=tuple(map(field_definition, forms.get(None, ()))),
    )


def start_form(process: Process) -> tuple[Field, ...]:
    """The form that the draft is started with."""
    return tuple(map(field_definition, process.form_fields.filter(task=None).order_by("position", "pk")))


def _has_forms() -> Exists:
    """Whether the task's process has any form: asked along with the tasks, because most have none."""
    return Exists(FormField.objects.filter(process=OuterRef("parent")))


def _forms(fields: Iterable[FormField]) -> dict[int | None, list[FormField]]:
    """The fields of each task's form; of the start's under `None`."""
    forms: dict[int | None, list[FormField]] = {}
    for field in sorted(fields, key=lambda field: (field.position, field.pk)):
        forms.setdefault(field.task_id, []).append(field)
    return forms


def task_definition(task: Task, form: Iterable[FormField]) -> TaskDefinition:
    """A task of a draft as a value, with the fields of its form."""
    return TaskDefinition(
        name=task.name,
        manual=task.manual,
        code=task.code,
        approver=task.approver,
        quorum=task.quorum,
        not_starter=task.not_starter,
        not_same_as=task.not_same_as,
        same_as=task.same_as,
        instructions=task.instructions,
        fields=tuple(map(field_definition, form)),
        due=task.due,
        calendar=task.calendar.name if task.calendar else "",
        remind=task.remind,
        escalate_to=task.escalate_to,
        escalate_after=task.escalate_after,
        by_default=task.by_default,
        by_default_after=task.by_default_after,
        subprocess=task.subprocess.name if task.subprocess else "",
        input=task.input,
        output=task.output,
        timeout=task.timeout.total_seconds() if task.timeout else None,
        max_attempts=task.max_attempts,
        retry_delay=task.retry_delay,
        time_limit=task.time_limit,
        memory_limit=task.memory_limit,
    )


def field_definition(field: FormField) -> Field:
    """A field of a draft's form as a value."""
    return Field(
        name=field.name,
        label=field.label,
        kind=Kind(field.kind),
        required=field.required,
        choices=_one_a_line(field.choices),
        help=field.help,
    )


def _one_a_line(text: str) -> tuple[str, ...]:
    """The choices in a text. Only what a browser sends as a line end separates them: a choice may contain others, such as U+2028."""
    return tuple(line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip())


def task_fields(task: TaskDefinition) -> dict[str, Any]:
    """A task of a definition as the fields of a draft's, without its form. Raises `Process.DoesNotExist` for an unknown
    sub-process, and `BusinessCalendar.DoesNotExist` for an unknown calendar.
    """
    return {
        **{name: value for name, value in vars(task).items() if name != "fields"},
        "subprocess": Process.objects.get(name=task.subprocess) if task.subprocess else None,
        "calendar": BusinessCalendar.objects.get(name=task.calendar) if task.calendar else None,
        "timeout": None if task.timeout is None else timedelta(seconds=task.timeout),
    }


def form_fields(form: Iterable[Field]) -> list[dict[str, Any]]:
    """The fields of a definition's form as those of a draft's."""
    return [
        {**vars(field), "kind": field.kind.value, "choices": "\n".join(field.choices), "position": position}
        for position, field in enumerate(form)
    ]


def _row(row: TaskTransitions) -> Row:
    return Row(
        task=row.task.name,
        sequence=row.sequence,
        condition=row.condition,
        then=row.then,
        on_reject=row.on_reject,
        on_error=row.on_error,
        ends_step=row.ends_step,
    )

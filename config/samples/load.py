"""Writes the sample processes as drafts, and the groups that they name as approvers."""

from dataclasses import asdict

from django.contrib.auth.models import Group
from django.db import transaction

from config.samples.processes import SAMPLES, Sample
from workflow.definition import Definition
from workflow.models import FormField, Process, Task, TaskTransitions
from workflow.models.drafts import form_fields, task_fields

GROUPS = ("managers", "finance", "hr", "it", "sales", "warehouse")
MARK = "Sample: "
"""How the description of a sample starts. A process of the same name without it is somebody's own, and is left alone."""


def load() -> list[str]:
    """Create the samples, or bring them back to what they were; returns their names.

    What already runs goes on by its own version.
    """
    with transaction.atomic():
        for group in GROUPS:
            Group.objects.get_or_create(name=group)
        return [sample.definition.name for sample in SAMPLES if _write(sample)]


def _write(sample: Sample) -> bool:
    """Whether the process is ours to write."""
    process, created = Process.objects.get_or_create(
        name=sample.definition.name, defaults={"description": MARK + sample.description}
    )
    if not created and not process.description.startswith(MARK):
        return False
    process.description, process.starters = MARK + sample.description, sample.starters
    process.save()
    tasks = _write_tasks(process, sample.definition)
    _write_forms(process, sample.definition, tasks)
    _write_transitions(process, sample.definition, tasks)
    return True


def _write_tasks(process: Process, definition: Definition) -> dict[str, Task]:
    """Tasks are kept where they can be: the history of what ran points at them."""
    process.tasks.exclude(name__in=[task.name for task in definition.tasks]).delete()
    return {
        task.name: Task.objects.update_or_create(parent=process, name=task.name, defaults=task_fields(task))[0]
        for task in definition.tasks
    }


def _write_forms(process: Process, definition: Definition, tasks: dict[str, Task]) -> None:
    process.form_fields.all().delete()
    forms = [(None, definition.fields), *((tasks[task.name], task.fields) for task in definition.tasks)]
    for task, form in forms:
        for fields in form_fields(form):
            FormField.objects.create(process=process, task=task, **fields)


def _write_transitions(process: Process, definition: Definition, tasks: dict[str, Task]) -> None:
    process.transitions.all().delete()
    for row in definition.rows:
        TaskTransitions.objects.create(process=process, **{**asdict(row), "task": tasks[row.task]})

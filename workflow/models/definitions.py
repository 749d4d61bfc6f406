"""Definitions: the draft that owners edit as rows, and the frozen versions that instances run."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from workflow.definition import Definition, Row, TaskDefinition
from workflow.models.states import Priority


class Process(models.Model):
    """A process definition. Its tasks and transitions are the draft; its versions are what runs."""

    name = models.CharField(
        _("name"), max_length=200, unique=True, help_text=_("What people, commands and code call this process.")
    )
    description = models.TextField(_("description"), blank=True, help_text=_("What it is for, and when to start it."))

    priority = models.SmallIntegerField(
        _("priority"),
        choices=Priority,
        default=Priority.NORMAL,
        help_text=_("Which instances engines take first, where many are due."),
    )
    max_running = models.PositiveIntegerField(
        _("at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many instances engines may work on at the same time. Blank: any number."),
    )

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """A unit of work of a process: people decide it, code does it, or it is another process."""

    parent = models.ForeignKey(Process, models.CASCADE, related_name="tasks", verbose_name=_("process"))
    name = models.CharField(_("name"), max_length=200)
    manual = models.BooleanField(
        _("manual"), default=False, help_text=_("A person approves or rejects it. Leave its code blank.")
    )
    approver = models.CharField(
        _("approver"),
        max_length=500,
        blank=True,
        help_text=_(
            "Who may decide a manual task: names of users and groups, separated by commas, or an expression that "
            'gives them, such as =data["manager"]. Blank: any member of staff.'
        ),
    )
    code = models.TextField(
        _("code"),
        blank=True,
        help_text=_(
            "Python. In scope: data (changes are kept), results, run, and the granted actions. The value of the last "
            "expression is the task's result. Press Escape, then Tab, to leave the editor by keyboard."
        ),
    )
    subprocess = models.ForeignKey(
        Process,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="tasks_that_start_it",
        verbose_name=_("sub-process"),
        help_text=_("Another process to start, whose end this task waits for. Leave the code blank."),
    )
    input = models.TextField(
        _("input"),
        blank=True,
        help_text=_(
            "An expression for the data that the sub-process begins with, such as "
            '{"amount": data["amount"]}. Blank: all of the data.'
        ),
    )
    output = models.TextField(
        _("output"),
        blank=True,
        help_text=_(
            "An expression over the sub-process's final data, for what is kept of them here, such as "
            '{"paid": data["sum"]}. Blank: all that it has changed.'
        ),
    )
    timeout = models.DurationField(
        _("time-out"),
        null=True,
        blank=True,
        validators=[MinValueValidator(timedelta(seconds=1))],
        help_text=_(
            "How long the task may take in all, waiting and attempts included, before it fails, such as 3d, 1d 12h or "
            "90m. Blank: for ever."
        ),
    )
    max_attempts = models.PositiveSmallIntegerField(
        _("attempts"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("How often the code is tried before the task fails for good."),
    )
    retry_delay = models.FloatField(
        _("retry delay"),
        default=10.0,
        validators=[MinValueValidator(0)],
        help_text=_("Seconds before the second attempt; doubles with each further one."),
    )
    time_limit = models.FloatField(
        _("time limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.01)],
        help_text=_("Seconds that the code may compute. Blank: the project's setting."),
    )
    memory_limit = models.PositiveIntegerField(
        _("memory limit"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("MiB that the code may hold. Blank: the project's setting."),
    )

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        ordering: ClassVar = ["parent", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["parent", "name"],
                name="workflow_task_name_unique",
                violation_error_message=_("This process has another task of that name."),
            )
        ]
        permissions: ClassVar = [("edit_code", _("Can edit the code of tasks, and expressions"))]

    def __str__(self) -> str:
        return self.name


class TaskTransitions(models.Model):
    """Puts a task into a process at a sequence number, and says what comes next."""

    process = models.ForeignKey(
        Process, models.CASCADE, related_name="transitions", verbose_name=_("process"), db_index=False
    )
    task = models.ForeignKey(Task, models.CASCADE, related_name="transitions", verbose_name=_("task"))
    sequence = models.PositiveIntegerField(
        _("sequence"), help_text=_("Tasks of the same number start together; then the next higher number comes.")
    )
    condition = models.TextField(
        _("condition"),
        blank=True,
        help_text=_('A Python expression, such as data["amount"] > 100. Where it is false, the task is skipped.'),
    )
    then = models.PositiveIntegerField(
        _("then"), null=True, blank=True, help_text=_("Sequence to go to when finished. Blank: the next higher one.")
    )
    on_reject = models.PositiveIntegerField(
        _("on reject"), null=True, blank=True, help_text=_("Sequence to go to when rejected. Blank: the process ends.")
    )
    on_error = models.PositiveIntegerField(
        _("on error"), null=True, blank=True, help_text=_("Sequence to go to when failed. Blank: the process fails.")
    )
    ends_step = models.BooleanField(
        _("ends step"), default=False, help_text=_("When this is finished, what is still open beside it is cancelled.")
    )

    class Meta:
        verbose_name = _("task transition")
        verbose_name_plural = _("task transitions")
        ordering: ClassVar = ["process", "sequence", "pk"]
        indexes: ClassVar = [models.Index(fields=["process", "sequence"], name="workflow_transition_step")]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.task}"


class ProcessVersion(models.Model):
    """A frozen copy of a definition. Never changed; kept while any instance is pinned to it."""

    process = models.ForeignKey(
        Process,
        models.SET_NULL,
        null=True,
        related_name="versions",
        verbose_name=_("process"),
        help_text=_("Empty when the draft was deleted."),
    )
    name = models.CharField(_("process name"), max_length=200)
    number = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    digest = models.CharField(_("digest"), max_length=64)
    created_at = models.DateTimeField(_("frozen at"))

    class Meta:
        verbose_name = _("process version")
        verbose_name_plural = _("process versions")
        ordering: ClassVar = ["name", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "number"], name="workflow_version_number_unique")
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"

    @cached_property
    def frozen(self) -> Definition:
        """The definition as an immutable value."""
        return Definition.from_json(self.definition)


def draft(process: Process) -> Definition:
    """The draft as a value: tasks and rows as they stand in the database now, in the admin's order."""
    return Definition(
        name=process.name,
        tasks=tuple(task_definition(task) for task in process.tasks.select_related("subprocess").order_by("pk")),
        rows=tuple(_row(row) for row in process.transitions.select_related("task").order_by("sequence", "pk")),
    )


def task_definition(task: Task) -> TaskDefinition:
    """A task of a draft as a value."""
    return TaskDefinition(
        name=task.name,
        manual=task.manual,
        code=task.code,
        approver=task.approver,
        subprocess=task.subprocess.name if task.subprocess else "",
        input=task.input,
        output=task.output,
        timeout=task.timeout.total_seconds() if task.timeout else None,
        max_attempts=task.max_attempts,
        retry_delay=task.retry_delay,
        time_limit=task.time_limit,
        memory_limit=task.memory_limit,
    )


def task_fields(task: TaskDefinition) -> dict[str, Any]:
    """A task of a definition as the fields of a draft's. Raises `Process.DoesNotExist` for an unknown sub-process."""
    return {
        **asdict(task),
        "subprocess": Process.objects.get(name=task.subprocess) if task.subprocess else None,
        "timeout": None if task.timeout is None else timedelta(seconds=task.timeout),
    }


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

"""Definitions: the draft that owners edit as rows, and the frozen versions that instances run."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from workflow.definition import ByDefault, Definition, Field, Kind, Row, TaskDefinition
from workflow.models.calendars import BusinessCalendar
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
    starters = models.CharField(
        _("who starts it"),
        max_length=500,
        blank=True,
        help_text=_(
            "Names of users and groups who alone may start it, separated by commas. Blank: whoever has the permission "
            "“Can add running process”."
        ),
    )

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(priority__in=Priority.values), name="workflow_process_priority_known"
            ),
        ]

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
    quorum = models.PositiveSmallIntegerField(
        _("quorum"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("How many of these people must approve. One rejection is enough to reject."),
    )
    not_starter = models.BooleanField(
        _("not who started it"), default=False, help_text=_("Nobody decides it in an instance of their own.")
    )
    not_same_as = models.CharField(
        _("not the same as"),
        max_length=200,
        blank=True,
        help_text=_("The name of another manual task: whoever decided that may not decide this."),
    )
    same_as = models.CharField(
        _("the same as"),
        max_length=200,
        blank=True,
        help_text=_("The name of an earlier manual task: whoever decided that decides this. Leave the approver blank."),
    )
    instructions = models.TextField(
        _("instructions"),
        blank=True,
        help_text=_("What to look at, in Markdown. {{ data.amount }} stands for a value of the data."),
    )
    due = models.CharField(
        _("due after"),
        max_length=50,
        blank=True,
        help_text=_("Working time in which people are to decide, such as 4h or 2d. Blank: it is never late."),
    )
    calendar = models.ForeignKey(
        BusinessCalendar,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("calendar"),
        help_text=_("By which working time is counted. Blank: the default one; where there is none, all time counts."),
    )
    remind = models.CharField(
        _("remind"),
        max_length=200,
        blank=True,
        help_text=_("Working time before or after it is due, separated by commas, such as -4h, 0, 1d."),
    )
    escalate_to = models.CharField(
        _("escalate to"),
        max_length=500,
        blank=True,
        help_text=_("Users and groups who are asked as well once it is late; written as the approver is."),
    )
    escalate_after = models.CharField(
        _("escalate after"),
        max_length=50,
        blank=True,
        help_text=_("Working time after it is due, such as 1d. Blank: as soon as it is due."),
    )
    by_default = models.CharField(
        _("by default"),
        max_length=10,
        blank=True,
        choices=[("", _("It waits on")), (ByDefault.APPROVE, _("Approve")), (ByDefault.REJECT, _("Reject"))],
        help_text=_("What is decided in the end, if nobody decides."),
    )
    by_default_after = models.CharField(
        _("decide after"),
        max_length=50,
        blank=True,
        help_text=_("Working time after it is due, such as 5d. Blank: as soon as it is due."),
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


class FormField(models.Model):
    """A field of the form of a manual task, or of the one that a process is started with."""

    KINDS: ClassVar = [
        (Kind.TEXT, _("text")),
        (Kind.LONG_TEXT, _("long text")),
        (Kind.NUMBER, _("number")),
        (Kind.MONEY, _("money")),
        (Kind.DATE, _("date")),
        (Kind.CHOICE, _("choice")),
        (Kind.YES_NO, _("yes or no")),
        (Kind.FILE, _("file")),
        (Kind.USER, _("user")),
    ]

    process = models.ForeignKey(Process, models.CASCADE, related_name="form_fields", verbose_name=_("process"))
    task = models.ForeignKey(
        Task,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="form_fields",
        verbose_name=_("task"),
        help_text=_("Blank: it is asked when the process is started."),
    )
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("Fields of one form come in this order.")
    )
    name = models.CharField(_("name"), max_length=100, help_text=_("The answer is kept under it in the data."))
    label = models.CharField(
        _("label"), max_length=200, blank=True, help_text=_("What people read. Blank: made of the name.")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=KINDS, default=Kind.TEXT.value)
    required = models.BooleanField(_("required"), default=False)
    choices = models.TextField(_("choices"), blank=True, help_text=_("Of a choice: one a line."))
    help = models.CharField(_("help"), max_length=500, blank=True, help_text=_("What people read below it."))

    class Meta:
        verbose_name = _("form field")
        verbose_name_plural = _("form fields")
        ordering: ClassVar = ["process", "task", "position", "pk"]

    def __str__(self) -> str:
        return self.name


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


def _parts() -> list[tuple[models.QuerySet[Any], str]]:
    """What makes a draft: its tasks, its rows, and the fields of its forms; each with how it names its process."""
    return [
        (Task.objects.select_related("subprocess", "calendar").order_by("pk"), "parent_id"),
        (TaskTransitions.objects.select_related("task").order_by("sequence", "pk"), "process_id"),
        (FormField.objects.order_by("position", "pk"), "process_id"),
    ]


def _by_process(queryset: models.QuerySet[Any], keys: Iterable[int], of: str) -> dict[int, list[Any]]:
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


def _has_forms() -> models.Exists:
    """Whether the task's process has any form: asked along with the tasks, because most have none."""
    return models.Exists(FormField.objects.filter(process=models.OuterRef("parent")))


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
        choices=tuple(line.strip() for line in field.choices.splitlines() if line.strip()),
        help=field.help,
    )


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

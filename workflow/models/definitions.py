"""Definitions: the draft that owners edit as rows, and the frozen versions that instances run."""

from datetime import timedelta
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from workflow.definition import ByDefault, Definition, Kind
from workflow.errors import DefinitionTooNew
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
        help_text=_(
            "How many instances engines may work on at the same time. Those that wait for people, a time or a signal don't "
            "count. Blank: any number."
        ),
    )
    starters = models.CharField(
        _("who starts it"),
        max_length=500,
        blank=True,
        help_text=_(
            "Names of users and groups who alone may start it, separated by commas. Where a user and a group have the same "
            "name, write user:NAME or group:NAME. Blank: whoever has the permission “Can add running process”."
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
            'gives them, such as =data["manager"]. Where a user and a group have the same name, write user:NAME or '
            "group:NAME. Blank: any member of staff."
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
        help_text=_("The name of another manual task. Whoever decides one of the two may not decide the other."),
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
    needs = models.JSONField(
        _("needs"),
        null=True,
        help_text=_("What an engine must have to run it. Empty: an older version of this software froze it."),
    )

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

    @property
    def shown(self) -> Definition:
        """The definition for lists, which one that only a newer version of this software reads must not break: that one is blank, so
        that rather nothing of the data is shown than too much.
        """
        try:
            return self.frozen
        except DefinitionTooNew:
            return Definition(name=self.name)

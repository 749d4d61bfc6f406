"""Instances: what runs, its history, and what waits for people."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from workflow import keys
from workflow.models.definitions import Process, ProcessVersion
from workflow.models.fields import ValuesField
from workflow.models.states import DUE, ENDED, OPEN, InstanceState, Priority, RunState
from workflow.origin import Origin, kept


class InstanceQuerySet(models.QuerySet["RunningProcesses"]):
    """Instances, as the domain speaks of them."""

    def due(self, now: datetime) -> Self:
        """What an engine may take at `now`: ready, woken by a timer, or left behind by an engine that died."""
        return self.filter(priority__in=list(Priority), due_at__lte=now)  # so that the index finds them


class RunningProcesses(models.Model):
    """One instance of a process. Only `transitions.py` writes its state, step, lease and fence."""

    process = models.ForeignKey(
        Process, models.SET_NULL, null=True, related_name="instances", verbose_name=_("process")
    )
    process_name = models.CharField(_("process name"), max_length=200)
    version = models.ForeignKey(
        ProcessVersion, models.PROTECT, related_name="instances", verbose_name=_("version"), db_index=False
    )
    state = models.CharField(_("state"), max_length=10, choices=InstanceState, default=InstanceState.READY)
    step = models.PositiveIntegerField(_("step"), help_text=_("The sequence that it is at."))
    data = ValuesField(_("data"), default=dict, help_text=_("As it was on entering the step."))
    results = ValuesField(_("results"), default=dict, help_text=_("The last result of each task, by its name."))
    error = models.JSONField(_("error"), null=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
        db_index=False,  # an index below begins with it
    )
    start_origin = models.JSONField(
        _("how it was started"), null=True, help_text=_("Who did it, by the name that they had then, and how.")
    )
    start_key = models.CharField(
        _("start key"), max_length=200, blank=True, help_text=_("What the start was named, so that it happens once.")
    )
    token = models.CharField(
        _("token"),
        max_length=32,
        blank=True,
        default="",
        db_default="",
        help_text=_("Random: the keys of its calls begin with it. Empty if it started before there were tokens."),
    )
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    # Of a column that is mostly empty, an index below has only what is there: each row is written three times at least.
    subject_type = models.ForeignKey(
        ContentType, models.SET_NULL, null=True, related_name="+", verbose_name=_("type of the subject"), db_index=False
    )
    subject_id = models.CharField(_("key of the subject"), max_length=255, blank=True)
    subject = GenericForeignKey("subject_type", "subject_id")
    parent = models.ForeignKey(
        "ActionCall",
        models.SET_NULL,
        null=True,
        related_name="children",
        verbose_name=_("parent"),
        help_text=_(
            "The call that waits for its end: of run_process() or run_all(), or a task's that is this process."
        ),
        db_index=False,
    )
    place = models.PositiveIntegerField(
        _("place"), default=0, help_text=_("Among the instances that the call started.")
    )
    depth = models.PositiveSmallIntegerField(_("depth"), default=0, help_text=_("How many parents it has above it."))
    visit = models.PositiveIntegerField(_("visit"), default=1, help_text=_("How many steps it has entered."))

    # One column and one index answer "what may be taken now?": READY since then, WAITING until then,
    # or RUNNING under a lease until then. Null while only an event can move the instance.
    due_at = models.DateTimeField(_("due at"), null=True)
    priority = models.SmallIntegerField(_("priority"), choices=Priority, default=Priority.NORMAL)
    owner = models.CharField(_("engine"), max_length=100, blank=True)
    fence = models.PositiveBigIntegerField(
        _("fence"), default=0, help_text=_("Counts claims: an engine that was too late is told by it.")
    )
    events = models.PositiveBigIntegerField(
        _("events"), default=0, help_text=_("Counts decisions from outside: an engine that has not seen one is told.")
    )
    interrupted = models.PositiveIntegerField(
        _("interrupted"),
        default=0,
        help_text=_("Counts claims in a row that were not given back: the engine died, or lost it."),
    )

    objects = InstanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("running process")
        verbose_name_plural = _("running processes")
        ordering: ClassVar = ["-pk"]
        permissions: ClassVar = [
            ("operate_instances", _("Can cancel, pause, resume, retry and redirect instances")),
            ("override_decision", _("Can send instances past tasks that people have not decided")),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["priority", "due_at", "id"], name="workflow_instance_due", condition=Q(due_at__isnull=False)
            ),
            # What a purge looks through: ended, and waited for by no other instance, the oldest first.
            models.Index(
                fields=["ended_at", "id"],
                name="workflow_instance_ended",
                condition=Q(ended_at__isnull=False, parent__isnull=True),
            ),
            models.Index(fields=["process_name", "state"], name="workflow_instance_process"),
            models.Index(fields=["state", "-id"], name="workflow_instance_state"),
            models.Index(fields=["version"], name="workflow_instance_version"),
            # What somebody has started, the newest first, without what that has started in its turn; and of that, what
            # has not ended, which may lie behind very much that has.
            models.Index(
                fields=["started_by", "depth", "-id"],
                name="workflow_instance_starter",
                condition=Q(started_by__isnull=False),
            ),
            models.Index(
                fields=["started_by", "-id"],
                name="workflow_instance_under_way",
                condition=Q(started_by__isnull=False, ended_at__isnull=True, depth=0),
            ),
            models.Index(
                fields=["subject_type", "subject_id"],
                name="workflow_instance_subject",
                condition=Q(subject_type__isnull=False),
            ),
            models.Index(fields=["parent"], name="workflow_instance_parent", condition=Q(parent__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["start_key"], name="workflow_instance_start_once", condition=~Q(start_key="")
            ),
            models.CheckConstraint(condition=Q(state__in=InstanceState.values), name="workflow_instance_state_known"),
            # Engines look for these alone: what has another would never run.
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="workflow_instance_priority_known"),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(DUE)) | Q(due_at__isnull=False), name="workflow_instance_due_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(ENDED), due_at__isnull=True, ended_at__isnull=False)
                | (~Q(state__in=sorted(ENDED)) & Q(ended_at__isnull=True)),
                name="workflow_instance_end_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.process_name} {self.pk}"

    @property
    def started(self) -> Origin:
        """Who started it, as they were called then, and how."""
        return kept(self.start_origin, self.started_by if self.start_origin is None else None)

    @property
    def subject_label(self) -> str | None:
        """What the instance is about, as code sees it: `app.model:key`."""
        if self.subject_type_id is None:
            return None
        kind = ContentType.objects.get_for_id(self.subject_type_id)
        return f"{kind.app_label}.{kind.model}:{self.subject_id}"


class TaskRun(models.Model):
    """One execution of one task of one instance, over all its attempts: the history."""

    instance = models.ForeignKey(
        RunningProcesses, models.CASCADE, related_name="task_runs", verbose_name=_("instance"), db_index=False
    )
    task_name = models.CharField(_("task name"), max_length=200)
    visit = models.PositiveIntegerField(_("visit"), help_text=_("Which of the instance's steps, counted from 1."))
    row = models.PositiveIntegerField(_("row"), help_text=_("Which row of the version."))
    sequence = models.PositiveIntegerField(_("sequence"))
    key = models.CharField(
        _("key"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("The keys of its calls begin with it. Empty if it began before there were such keys."),
    )
    state = models.CharField(_("state"), max_length=10, choices=RunState)
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    due_at = models.DateTimeField(
        _("due at"), null=True, help_text=_("When it is tried again, what it waits for comes, or people are reminded.")
    )
    deadline = models.DateTimeField(_("deadline"), null=True, help_text=_("When it fails, unless it has ended."))
    result = ValuesField(_("result"), null=True)
    changes = ValuesField(_("changes"), null=True, help_text=_("What it changed in the data."))
    log = models.TextField(_("log"), blank=True)
    snapshot = models.BinaryField(_("snapshot"), default=b"", help_text=_("The interpreter, as it stands at a call."))
    first_attempt = models.PositiveIntegerField(
        _("first attempt"),
        default=1,
        help_text=_("Since an operator restarted it: calls of earlier attempts don't count."),
    )
    call_number = models.PositiveIntegerField(_("call"), default=0, help_text=_("Which call the snapshot stands at."))
    begun = models.PositiveSmallIntegerField(
        _("begun"),
        default=0,
        help_text=_("How often that call was begun, without an end: more than once, and engines have died meanwhile."),
    )
    error = models.JSONField(_("error"), null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("decided by"),
        db_index=False,
    )
    decision_origin = models.JSONField(
        _("how it was decided"), null=True, help_text=_("Who decided it last, by the name that they had then, and how.")
    )
    comment = models.TextField(_("comment"), blank=True)

    class Meta:
        verbose_name = _("task run")
        verbose_name_plural = _("task runs")
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instance", "visit", "row"], name="workflow_run_unique"),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="workflow_run_state_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "-id"], name="workflow_run_state"),
            models.Index(fields=["decided_by"], name="workflow_run_decided_by", condition=Q(decided_by__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.task_name} ({self.get_state_display()})"

    @property
    def decision(self) -> Origin:
        """Who decided it last, as they were called then, and how; nobody, where nothing was decided."""
        return kept(self.decision_origin, self.decided_by if self.decision_origin is None else None)

    @property
    def external_key(self) -> str:
        """What names this run outside the database: in the keys of its calls, in its snapshot's signature, and as the seed of its random
        numbers. It never changes once the run has begun, wherever the row stands in the instance's version.
        """
        return self.key or keys.run_key_by_row(self.instance_id, visit=self.visit, row=self.row)

    @property
    def snapshot_name(self) -> str:
        """What its snapshot is signed for: the very call at which its code stands."""
        return f"{self.external_key}-{self.call_number}"

    def has_asked(self, key: str) -> bool:
        """Whether a question with this `external_key` is, or was, of this run."""
        return key.rpartition(".")[0] == (self.external_key if self.instance.token else "")

    @property
    def place(self) -> tuple[int, int]:
        """What tells it from the instance's other runs, also before it is in the database: its visit and its row."""
        return self.visit, self.row

    @property
    def next_at(self) -> datetime | None:
        """When something is to happen to it, unless something else comes before."""
        return min((at for at in (self.due_at, self.deadline) if at and self.state in OPEN), default=None)


class ActionCall(models.Model):
    """One call of an action, or of a built-in function, by a task run: the ledger of effects."""

    run = models.ForeignKey(TaskRun, models.CASCADE, related_name="calls", verbose_name=_("task run"), db_index=False)
    number = models.PositiveIntegerField(_("number"), help_text=_("Which call of the run, counted from 1."))
    attempt = models.PositiveIntegerField(_("attempt"), default=1)
    name = models.CharField(_("function"), max_length=200)
    arguments = ValuesField(_("arguments"))
    result = ValuesField(_("result"), null=True)
    error = models.JSONField(_("error"), null=True)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, help_text=_("Empty while it waits."))
    signal = models.CharField(_("signal"), max_length=200, blank=True, help_text=_("What it waits, or waited, for."))

    class Meta:
        verbose_name = _("action call")
        verbose_name_plural = _("action calls")
        ordering: ClassVar = ["run", "number", "attempt"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "number", "attempt"], name="workflow_call_unique")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["signal", "id"],
                name="workflow_call_listens",
                condition=Q(ended_at__isnull=True) & ~Q(signal=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}()"

    @property
    def duration(self) -> timedelta | None:
        """How long it took; `None` while it waits."""
        return None if self.ended_at is None else self.ended_at - self.started_at


class Mailbox(models.Model):
    """The name of a signal. Who sends one and who begins to wait for one lock it, so that they can't miss each other."""

    name = models.CharField(_("name"), max_length=200, unique=True)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")

    def __str__(self) -> str:
        return self.name


class Signal(models.Model):
    """A signal that nobody waited for when it was sent; kept until an instance takes it."""

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="signals", verbose_name=_("signal"))
    payload = ValuesField(_("payload"), null=True)
    instance = models.ForeignKey(
        RunningProcesses, models.CASCADE, null=True, related_name="signals", verbose_name=_("for the instance")
    )
    process_name = models.CharField(_("for the process"), max_length=200, blank=True)
    sent_at = models.DateTimeField(_("sent at"))

    class Meta:
        verbose_name = _("kept signal")
        verbose_name_plural = _("kept signals")
        ordering: ClassVar = ["pk"]

    def __str__(self) -> str:
        return self.mailbox.name


class Intervention(models.Model):
    """What somebody did to an instance besides deciding: who, why, and what it was. By nobody: its deadlines did, or a program."""

    instance = models.ForeignKey(
        RunningProcesses, models.CASCADE, related_name="interventions", verbose_name=_("instance")
    )
    action = models.CharField(_("action"), max_length=20)
    details = models.CharField(_("details"), max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    origin = models.JSONField(_("how"), null=True, help_text=_("Who did it, by the name that they had then, and how."))
    reason = models.TextField(_("reason"), blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("intervention")
        verbose_name_plural = _("interventions")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.details}".strip()

    @property
    def made(self) -> Origin:
        """Who did it, as they were called then, and how."""
        return kept(self.origin, self.by if self.origin is None else None)

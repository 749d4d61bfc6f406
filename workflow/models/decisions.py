"""What people have decided, what they saw and sent, and who stands in for whom."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from workflow.models.fields import ValuesField
from workflow.models.instances import RunningProcesses, TaskRun
from workflow.origin import DEFAULT, LINK, Origin, kept


class Decision(models.Model):
    """One person's vote on a manual task, or on what code asked by `approval()`."""

    task_run = models.ForeignKey(
        TaskRun,
        models.CASCADE,
        related_name="decisions",
        verbose_name=_("task run"),
        db_index=False,  # the constraint's index begins with it
    )
    attempt = models.PositiveIntegerField(
        _("attempt"), default=1, help_text=_("Of the task run: when it is opened again, everybody can vote again.")
    )
    call = models.PositiveIntegerField(
        _("call"), default=0, help_text=_("Which question of the task's code; 0: it was the task itself.")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        help_text=_("Nobody: it was decided at the command line, or by a program."),
    )
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("on behalf of"),
        help_text=_("For whom the user stood in."),
    )
    origin = models.JSONField(_("how"), null=True, help_text=_("Who did it, by the name that they had then, and how."))
    by_default = models.BooleanField(
        _("by default"), default=False, help_text=_("Nobody had decided in time, so the task's deadline did.")
    )
    by_link = models.BooleanField(
        _("by a link"), default=False, help_text=_("Of an e-mail: who had it, was not asked to log in.")
    )
    approved = models.BooleanField(_("approved"))
    comment = models.TextField(_("comment"), blank=True)
    answers = ValuesField(_("answers"), default=dict)
    saw = ValuesField(
        _("what was seen"), default=dict, help_text=_("Data, version, and question or instructions, as they were then.")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["task_run", "attempt", "call", "user"], name="workflow_decision_once")
        ]

    def __str__(self) -> str:
        return f"{self.made.who}: " + str(_("approved") if self.approved else _("rejected"))

    @property
    def made(self) -> Origin:
        """Who decided, for whom they stood in, as they were called then, and how."""
        if self.origin is not None:
            return kept(self.origin)
        via = DEFAULT if self.by_default else LINK if self.by_link else None
        return kept(None, self.user, on_behalf_of=self.on_behalf_of, via=via)


class Absence(models.Model):
    """While somebody is away, another person may decide in their place; both days are included."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("who is away"))
    stand_in = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        verbose_name=_("stand-in"),
        db_index=False,  # the index below begins with it
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))

    class Meta:
        verbose_name = _("absence")
        verbose_name_plural = _("absences")
        ordering: ClassVar = ["-first_day", "pk"]
        permissions: ClassVar = [("manage_absences", _("Can enter, change and delete absences of other people"))]
        indexes: ClassVar = [models.Index(fields=["stand_in", "last_day"], name="workflow_absence_now")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="workflow_absence_days",
                violation_error_message=_("The last day is before the first."),
            ),
            models.CheckConstraint(
                condition=~Q(user=F("stand_in")),
                name="workflow_absence_other",
                violation_error_message=_("Nobody stands in for themselves. Choose another user."),
            ),
        ]

    def __str__(self) -> str:
        return _("%(stand_in)s for %(user)s") % {"stand_in": self.stand_in, "user": self.user}


class AbsenceChange(models.Model):
    """What somebody did to an absence, as it was before and after: the audit trail, which outlives the absence and its users."""

    class Action(models.TextChoices):
        """What was done."""

        ADDED = "ADDED", _("entered")
        CHANGED = "CHANGED", _("changed")
        DELETED = "DELETED", _("deleted")

    absence = models.ForeignKey(
        Absence,
        models.SET_NULL,
        null=True,
        related_name="changes",
        verbose_name=_("absence"),
        help_text=_("Empty once it was deleted."),
    )
    action = models.CharField(_("what"), max_length=10, choices=Action)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("who is away")
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    origin = models.JSONField(_("how"), help_text=_("Who did it, by the name that they had then, and how."))
    before = models.JSONField(
        _("before"), null=True, help_text=_("Who was away, their stand-in and the days. Empty: the absence is new.")
    )
    after = models.JSONField(
        _("after"), null=True, help_text=_("The same after the change. Empty: the absence was deleted.")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("change of an absence")
        verbose_name_plural = _("changes of absences")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.made.who}: {self.get_action_display()}"

    @property
    def made(self) -> Origin:
        """Who did it, as they were called then, and how."""
        return kept(self.origin)


class Upload(models.Model):
    """A file that somebody sent with a form. In `data` stands a reference to it; it is kept as long as its instance."""

    file = models.FileField(_("file"), upload_to="workflow/%Y/%m/")
    name = models.CharField(_("name"), max_length=255, help_text=_("As it was called where it came from."))
    size = models.PositiveBigIntegerField(_("bytes"))
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("who")
    )
    uploaded_at = models.DateTimeField(_("when"))
    instance = models.ForeignKey(
        RunningProcesses,
        models.CASCADE,
        null=True,
        related_name="uploads",
        verbose_name=_("instance"),
        help_text=_("Empty until the form that it came with was accepted."),
    )

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> dict[str, Any]:
        """What stands in `data` for it."""
        return {"upload": self.pk, "name": self.name, "size": self.size}

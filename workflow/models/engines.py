"""Engines: who works on the instances, and whether it is still there."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class EngineState(models.TextChoices):
    """What becomes of an engine, as its row tells."""

    WORKING = "WORKING", _("working")
    IDLE = "IDLE", _("idle")
    DEAD = "DEAD", _("dead")


class Engine(models.Model):
    """An engine that has announced itself: it says that it is there, three times in each lease, until it stops.

    What it holds is not counted here: those are the running instances whose `owner` it is.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    version = models.CharField(_("version"), max_length=50, help_text=_("Of this software."))
    processes = models.JSONField(_("processes"), default=list, help_text=_("Whose instances it takes; none: of all."))
    concurrency = models.PositiveIntegerField(_("concurrency"))
    dispatch = models.CharField(
        _("dispatch"),
        max_length=10,
        default="engine",
        db_default="engine",
        help_text=_("Who drives what it takes: the engine itself, or workers of a task queue."),
    )
    queued = models.JSONField(
        _("queued"),
        default=list,
        db_default=models.Value([], models.JSONField()),
        help_text=_("Instances that it held at its last report without a thread free for them, each with its fence."),
    )
    lease = models.FloatField(_("lease"), help_text=_("Seconds of silence after which others take over its work."))
    abilities = models.JSONField(
        _("abilities"),
        null=True,
        help_text=_("What it can run. Empty: an older version of this software, which doesn't report it."),
    )
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(
        _("seen at"), help_text=_("When it last said that it is there, by the database's clock.")
    )

    class Meta:
        verbose_name = _("engine")
        verbose_name_plural = _("engines")
        ordering: ClassVar = ["host", "pk"]

    def __str__(self) -> str:
        return self.name

    def state(self, *, now: datetime, holds: int) -> EngineState:
        """`now` is by the database's clock; `holds` how many instances it has."""
        if now - self.seen_at > timedelta(seconds=self.lease):
            return EngineState.DEAD
        return EngineState.WORKING if holds else EngineState.IDLE

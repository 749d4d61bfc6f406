"""What of the database is a test's own, where it runs beside bystanders."""

from typing import Any, TypeVar

from django.db import models

from workflow.models import Process, RunningProcesses

_Row = TypeVar("_Row", bound=models.Model)

others: dict[type[models.Model], list[Any]] = {}
"""The keys of the bystanders that are in the database now."""


def ours(model: type[_Row]) -> models.QuerySet[_Row]:
    """The rows of a model without those of bystanders."""
    rows: models.QuerySet[_Row] = model._default_manager.all()
    keys = others.get(model)
    return rows.exclude(pk__in=keys) if keys else rows


def processes() -> list[str]:
    """What an engine is to take of all processes: nothing (which means all) where there are no bystanders."""
    if not others:
        return []
    names = {
        *ours(Process).values_list("name", flat=True),
        *ours(RunningProcesses).values_list("process_name", flat=True),
    }
    return sorted(names) or ["none yet"]

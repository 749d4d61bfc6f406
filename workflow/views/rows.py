"""The rows of an inbox: what waits, with as much of its instance as tells one from the next."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Case, F, TextField, When
from django.db.models.functions import Cast, Length
from django.utils.text import capfirst

from workflow.errors import DefinitionTooNew
from workflow.models import ProcessVersion, RunningProcesses, WaitingForApproval
from workflow.models.fields import ValuesField
from workflow.people.seen import MD5_OF_DATA
from workflow.people.visible import sees_inside
from workflow.views.facts import Fact, summary
from workflow.views.filters import Place
from workflow.views.shown import sign

LONGEST_DATA = 5_000
"""Characters of data that are read for a row: a page of larger ones would take its time."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row, as the template shows it."""

    waiting: WaitingForApproval
    instance: RunningProcesses
    summary: Sequence[Fact]
    subject: str
    is_overdue: bool
    is_mine: bool
    has_form: bool
    key: str

    @property
    def place(self) -> Place:
        """Where the next page begins, if this is the last row."""
        return Place.of(self.waiting)

    @property
    def can_be_claimed(self) -> bool:
        """Where several people decide, nobody can have it alone."""
        return self.waiting.quorum == 1 and not self.is_mine


def rows(waiting: Sequence[WaitingForApproval], *, user: Any, now: datetime) -> list[Row]:
    """The rows of a page, by two queries."""
    instances = in_brief({one.rpid_id for one in waiting})
    inside = sees_inside(user)
    return [
        _row(one, instances[one.rpid_id], user=user, inside=inside, now=now)
        for one in waiting
        if one.rpid_id in instances
    ]


def digest(shown: Sequence[Row]) -> str:
    """Tells whether a page would show the same."""
    parts = [(row.key, row.waiting.claimed_by_id, row.waiting.votes, row.is_overdue) for row in shown]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def subject_label(instance: RunningProcesses) -> str:
    """The kind and key of what the instance is about, for which no query is needed; blank where it is about nothing."""
    if instance.subject_type_id is None:
        return ""
    model = ContentType.objects.get_for_id(instance.subject_type_id).model_class()
    name = model._meta.verbose_name if model else instance.subject_label
    return f"{capfirst(str(name))} {instance.subject_id}"


def _row(waiting: WaitingForApproval, instance: RunningProcesses, *, user: Any, inside: bool, now: datetime) -> Row:
    waiting.rpid = instance
    return Row(
        waiting=waiting,
        instance=instance,
        summary=summary(instance.brief, instance.version.shown, inside=inside),  # type: ignore[attr-defined]  # annotated
        subject=subject_label(instance),
        is_overdue=waiting.is_overdue(now),
        is_mine=waiting.claimed_by_id == user.pk,
        key=sign(waiting, user),
        has_form=_has_form(waiting),
    )


def _has_form(waiting: WaitingForApproval) -> bool:
    """Whether it takes its own page to decide it."""
    try:
        return any(field.required for field in waiting.fields)
    except DefinitionTooNew:
        return True  # which says why it can't be decided here


def in_brief(keys: Collection[int]) -> Mapping[int, RunningProcesses]:
    """These instances, by two queries, with their data as `brief` where there is little of it."""
    brief = Case(When(size__lte=LONGEST_DATA, then=F("data")), output_field=ValuesField())
    found = (
        RunningProcesses.objects.filter(pk__in=keys)
        .annotate(size=Length(Cast("data", TextField())))
        .annotate(brief=brief, md5=MD5_OF_DATA)
        .select_related("started_by")
        .defer("data", "results", "error")
        .in_bulk()
    )
    versions = ProcessVersion.objects.in_bulk({instance.version_id for instance in found.values()})
    for instance in found.values():
        instance.version = versions[instance.version_id]  # one object, so that its definition is read once
    return found

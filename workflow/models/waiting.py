"""What waits for people: whom it asks, and who is barred from it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import approvers
from workflow.deadlines import Event
from workflow.deciding import Bar, Chain, Reason, UserKey
from workflow.definition import Field, TaskDefinition
from workflow.models.definitions import Process, Task
from workflow.models.instances import RunningProcesses, TaskRun

LONGEST_NUMBER = 18
"""Digits that a key of the database can have at the most."""

MOST_ABOUT = 1_000
"""Instances about one thing among which a search looks: the newest."""


class WaitingQuerySet(models.QuerySet["WaitingForApproval"]):
    """What waits for people, as the domain speaks of it."""

    def asking(self, people: Sequence[Any], *, through: Sequence[tuple[Any, Chain]] = ()) -> Self:
        """What one of these users is asked, and may decide: named, by a group, or as staff; and not barred from it.

        Or what somebody is asked who is away, as `through` has them: each with the chain of people through whom another one stands
        in for them. Nobody on it may be barred.
        """
        mine = Q(pk__in=[])
        for person, chain in (*((one, (one.pk,)) for one in people), *through):
            barred = Barred.objects.filter(waiting=OuterRef("waiting"), user__in=chain)
            mine |= Q(pk__in=Assignee.objects.naming(person).filter(~Exists(barred)).values("waiting"))
        return self.filter(mine)

    def open_to(self, people: Sequence[Any]) -> Self:
        """What nobody holds but one of these users. What somebody holds who has left is open again."""
        return self.filter(Q(claimed_by=None) | Q(claimed_by__in=people) | Q(claimed_by__is_active=False))

    def naming(self, people: Sequence[Any]) -> Self:
        """What asks one of these users by name, or has been handed on to them."""
        return self.filter(Exists(Assignee.objects.filter(waiting=OuterRef("pk"), user__in=people)))

    def claimed(self, user: Any) -> Self:
        """What the user has claimed, or was handed."""
        return self.filter(claimed_by=user)

    def search(self, text: str, starters: Sequence[UserKey] = ()) -> Self:
        """What has the text in a name, in its question or as the key of its subject; is of the instance of that number;
        or was started by one of these users.
        """
        found = Q(process_name__icontains=text) | Q(task_name__icontains=text) | Q(question__icontains=text)
        # What is about it is looked up by its index first: put together by OR, the database would try every instance.
        about = RunningProcesses.objects.filter(subject_type__in=ContentType.objects.values("pk"), subject_id=text)
        if keys := list(about.order_by("-pk").values_list("pk", flat=True)[:MOST_ABOUT]):
            found |= Q(rpid__in=keys)
        if starters:
            found |= Q(rpid__started_by__in=starters)
        if text.isdecimal() and text.isascii() and len(text) < LONGEST_NUMBER:
            found |= Q(rpid=int(text))
        return self.filter(found)

    def due_first(self) -> Self:
        """What is due first, and then what waits without a due date, the oldest first."""
        return self.order_by(F("due_at").asc(nulls_last=True), "pk")

    def after(self, due_at: datetime | None, key: int) -> Self:
        """What comes after that one in the order of `due_first`."""
        if due_at is None:
            return self.filter(due_at=None, pk__gt=key)
        return self.filter(Q(due_at=due_at, pk__gt=key) | Q(due_at__gt=due_at) | Q(due_at=None))

    def overdue(self, now: datetime) -> Self:
        """What should have been decided by then."""
        return self.filter(due_at__lte=now)

    def with_asked(self) -> Self:
        """With whom each asks, by one query more: for `asked`."""
        return self.prefetch_related(models.Prefetch("assignees", queryset=Assignee.objects.with_names()))

    def with_people_left(self) -> Self:
        """Each with how many active people are `left` who are asked, and not barred."""
        return self.annotate(left=Coalesce(Subquery(_number_of_people()), 0))

    def undecidable(self, *, without: Any = None) -> Self:
        """What too few active people are left for, whoever was named; superusers don't count, who can always decide. `without` is
        the key of a user who is taken for gone.
        """
        reached = Assignee.objects.reaching_somebody(without=without).filter(waiting=OuterRef("pk"))
        nobody = self.filter(~Exists(reached))
        left = Coalesce(Subquery(_number_of_people(without=without)), 0)
        several = self.filter(quorum__gt=F("votes") + 1).alias(left=left)
        few = several.filter(left__lt=F("quorum") - F("votes"))
        return self.filter(Q(pk__in=nobody.order_by().values("pk")) | Q(pk__in=few.order_by().values("pk")))


def _left(waiting: str, without: Any = None) -> models.QuerySet[Any]:
    """Active users who are not barred from what the query around this one has as `waiting`; none is the one of the key `without`."""
    barred = Barred.objects.filter(waiting=OuterRef(OuterRef(waiting)), user=OuterRef("pk"))
    users: models.QuerySet[Any] = get_user_model()._default_manager.filter(~Exists(barred), is_active=True)
    return users.order_by() if without is None else users.exclude(pk=without).order_by()


def _number_of_people(without: Any = None) -> models.QuerySet[Any]:
    """How many are left whom the task of the query around this one asks, each counted once."""
    asked = Assignee.objects.filter(waiting=OuterRef(OuterRef("pk")))
    by_name = Q(pk__in=asked.filter(user__isnull=False).values("user"))
    by_group = Q(groups__in=asked.filter(group__isnull=False).values("group"))
    as_staff: Any = Q(Exists(asked.filter(user=None, group=None)), is_staff=True)
    people = _left("pk", without).filter(by_name | by_group | as_staff).values(one=Value(1))
    counted: models.QuerySet[Any] = people.annotate(count=Count("pk", distinct=True)).values("count")
    return counted


class WaitingForApproval(models.Model):
    """One manual task that waits for people. Gone once decided: its task run keeps who decided what."""

    process = models.ForeignKey(Process, models.SET_NULL, null=True, related_name="+", verbose_name=_("process"))
    task = models.ForeignKey(Task, models.SET_NULL, null=True, related_name="+", verbose_name=_("task"))
    rpid = models.ForeignKey(
        RunningProcesses, models.CASCADE, related_name="waiting", verbose_name=_("instance"), db_column="rpid"
    )
    task_run = models.OneToOneField(TaskRun, models.CASCADE, related_name="waiting", verbose_name=_("task run"))
    process_name = models.CharField(_("process name"), max_length=200)
    task_name = models.CharField(_("task name"), max_length=200)
    approver = models.TextField(
        _("approver"), blank=True, help_text=_("Names of users and groups who may decide; blank: any member of staff.")
    )
    question = models.TextField(_("question"), blank=True, help_text=_("What code asks, by approval()."))
    form = models.JSONField(_("form"), default=list, help_text=_("The fields that code asks for, by approval()."))
    quorum = models.PositiveSmallIntegerField(_("quorum"), default=1)
    votes = models.PositiveSmallIntegerField(_("approvals"), default=0, help_text=_("How many have approved so far."))
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("claimed by")
    )
    claimed_at = models.DateTimeField(_("claimed at"), null=True)
    queued_at = models.DateTimeField(_("waiting since"))
    due_at = models.DateTimeField(_("due at"), null=True, help_text=_("When it should be decided by."))
    due_why = models.TextField(_("how that was counted"), blank=True)
    schedule = models.JSONField(
        _("what is to come"), default=list, help_text=_("Reminders, escalation and a decision by default, in order.")
    )
    assignment = models.PositiveIntegerField(
        _("assignment"), default=0, help_text=_("How often it was assigned anew: links that were sent before are void.")
    )

    objects = WaitingQuerySet.as_manager()

    class Meta:
        verbose_name = _("waiting for approval")
        verbose_name_plural = _("waiting for approval")
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            models.Index(fields=["process_name", "task_name"], name="workflow_waiting_pair"),
            # What is due first, and what is late.
            models.Index(fields=["due_at", "id"], name="workflow_waiting_due"),
        ]

    def __str__(self) -> str:
        return f"{self.process_name}: {self.task_name}"

    @property
    def events(self) -> list[Event]:
        """What is to come if nobody decides, in order."""
        return [Event.from_json(event) for event in self.schedule]

    @events.setter
    def events(self, events: Sequence[Event]) -> None:
        self.schedule = [event.to_json() for event in events]

    @property
    def asked(self) -> str:
        """Whom it asks, in words: its approver, and those to whom it was handed on or escalated.

        Who was renamed since has the name of today: somebody else may have the old one by now.
        """
        is_known = "assignees" in getattr(self, "_prefetched_objects_cache", ())
        rows = self.assignees.all() if is_known else self.assignees.with_names()
        added = [str(one) for one in rows if one.reason in {Reason.DELEGATED, Reason.ESCALATED}]
        meant = [str(one) for one in rows if one.reason == Reason.NAMED and (one.user_id or one.group_id)]
        named = [*map(approvers.bare, approvers.names(self.approver))] or [gettext("a member of staff")]
        # A row does not tell which of the names it came from, so one new name replaces them all.
        told = named if set(meant) <= set(named) else meant
        return ", ".join(dict.fromkeys([*told, *added]))

    @property
    def external_key(self) -> str:
        """What names this very question outside the database, such as in a link; blank for an instance without a token."""
        run = self.task_run
        return f"{run.external_key}.{run.attempt}-{run.call_number}" if self.rpid.token else ""

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have been decided by then."""
        return self.due_at is not None and self.due_at <= now

    @property
    def definition(self) -> TaskDefinition:
        """The task as it was frozen for the instance."""
        return self.rpid.version.frozen.task(self.task_name)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The form that is filled in with the decision."""
        return tuple(map(Field.from_json, self.form)) if self.question else self.definition.fields


class AssigneeQuerySet(models.QuerySet["Assignee"]):
    """Whom tasks ask."""

    def with_names(self) -> Self:
        """With the users and groups themselves, by the same query."""
        return self.select_related("user", "group")

    def naming(self, person: Any) -> Self:
        """Those rows by which this user is asked."""
        # As numbers, so that the index of groups is used together with that of users.
        groups = [group.pk for group in person.groups.all()] if person.pk else []
        named = Q(user=person) | Q(group__in=groups)
        return self.filter(named | Q(user=None, group=None) if person.is_staff else named)

    def reaching_somebody(self, *, without: Any = None) -> Self:
        """Those rows by which anybody is asked who is active, and not barred; but for the user of the key `without`."""
        people = _left("waiting", without)
        by_name = Q(Exists(people.filter(pk=OuterRef("user"))))
        # What is cheap to tell first: databases keep to this order.
        by_group = Q(group__isnull=False) & Q(Exists(people.filter(groups=OuterRef("group"))))
        as_staff = Q(user=None, group=None) & Q(Exists(people.filter(is_staff=True)))
        return self.filter(by_name | by_group | as_staff)


class Assignee(models.Model):
    """Whom a task asks: a user, the members of a group, or, with neither, any member of staff."""

    waiting = models.ForeignKey(
        WaitingForApproval, models.CASCADE, related_name="assignees", verbose_name=_("waiting for approval")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        db_index=False,
    )
    group = models.ForeignKey(
        Group, models.CASCADE, null=True, related_name="+", verbose_name=_("group"), db_index=False
    )
    reason = models.CharField(_("reason"), max_length=10, choices=[(one.value, one.value) for one in Reason])

    objects = AssigneeQuerySet.as_manager()

    class Meta:
        verbose_name = _("assignee")
        verbose_name_plural = _("assignees")
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            # What an inbox looks through: by user, by group, and all that is for any member of staff.
            models.Index(fields=["user", "waiting"], name="workflow_assignee_user", condition=Q(user__isnull=False)),
            models.Index(fields=["group", "waiting"], name="workflow_assignee_group", condition=Q(group__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["waiting", "user"], name="workflow_assignee_user_once", condition=Q(user__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["waiting", "group"], name="workflow_assignee_group_once", condition=Q(group__isnull=False)
            ),
            models.UniqueConstraint(
                fields=["waiting"],
                name="workflow_assignee_staff_once",
                condition=Q(user__isnull=True, group__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=True) | Q(group__isnull=True), name="workflow_assignee_one_kind"
            ),
        ]

    def __str__(self) -> str:
        return str(self.user or self.group or _("any member of staff"))


class Barred(models.Model):
    """Who may not decide a task, although it may ask them: who started it, did another task, or has voted already.

    A bar outlives its user. Where a project gives a key again, to a person who comes back or by chance, it holds for the
    user who has that key then: to ask one person too few is no harm, but to let somebody decide twice is.
    """

    waiting = models.ForeignKey(
        WaitingForApproval,
        models.CASCADE,
        related_name="barred",
        verbose_name=_("waiting for approval"),
        db_index=False,  # the constraint's index begins with it
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        related_name="+",
        verbose_name=_("user"),
        db_index=False,
        db_constraint=False,
    )
    why = models.CharField(_("why"), max_length=10, choices=[(one.value, one.value) for one in Bar])

    class Meta:
        verbose_name = _("barred")
        verbose_name_plural = _("barred")
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["user", "waiting"], name="workflow_barred_user")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["waiting", "user"], name="workflow_barred_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.why}"

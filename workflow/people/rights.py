"""Who may decide what waits for people, and what waits for whom."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _

from workflow import clock
from workflow.deciding import Absent, Bar, Chain, Circle, May, Person, Reason, Refused, Right, UserKey, chains, right
from workflow.models import Absence, Barred, RunningProcesses, WaitingForApproval
from workflow.models.waiting import WaitingQuerySet

OPERATE = "workflow.operate_instances"
"""The permission of operators, who may also release what others hold, and hand on what nobody can decide."""


def why_not_operate(user: Any, instance: RunningProcesses) -> str:
    """A sentence that says why the user may not operate on the instance; blank where they may.

    Nobody operates on an instance that they started, or on what that has started: to send it past its approvers would be to
    approve it. Only superusers may.
    """
    if not user.has_perm(OPERATE):
        return _("%(user)s may not do this to instances: it takes the permission %(permission)s.") % {
            "user": user.get_username(),
            "permission": OPERATE,
        }
    if user.is_superuser or not _has_started(user, instance):
        return ""
    return _(
        "%(user)s started instance %(instance)s, or the one that started it. Only a superuser may operate on an instance "
        "of their own: ask another operator."
    ) % {"user": user.get_username(), "instance": instance.pk}


def _has_started(user: Any, instance: RunningProcesses) -> bool:
    """Whether the user started the instance, or one above it."""
    found: RunningProcesses | None = instance
    while found is not None:
        if found.started_by_id == user.pk:
            return True
        above = RunningProcesses.objects.filter(task_runs__calls=found.parent_id) if found.parent_id else None
        found = above.only("started_by", "parent").first() if above else None
    return False


class Rights:
    """What one user may decide today. Asked for several tasks, it looks up the user only once."""

    def __init__(self, user: Any) -> None:
        self.user = user

    @classmethod
    def kept(cls, user: Any) -> Self:
        """Those that were looked up for this user object before, which lives as long as one request."""
        found: Self | None = getattr(user, "_workflow_rights", None)
        if found is None:
            prefetch_related_objects([user], "groups")
            found = user._workflow_rights = cls(user)
        return found

    @cached_property
    def chains(self) -> list[Chain]:
        """For whom this user stands in today, and through whom, the shortest first."""
        return sorted(chains(self.user.pk, _away_today), key=len)

    @cached_property
    def absent(self) -> list[Any]:
        """The users for whom this one stands in."""
        keys = {chain[-1] for chain in self.chains}
        return (
            list(get_user_model()._default_manager.filter(pk__in=keys).order_by("pk").prefetch_related("groups"))
            if keys
            else []
        )

    def to(self, waiting: WaitingForApproval, *, barred: Mapping[Any, Bar] | None = None) -> Right:
        """Whether the user may decide this, and in whose right. `barred` are people who are barred besides those of whom it
        is written down.
        """
        holder = waiting.claimed_by
        held = holder.pk if holder is not None and holder.is_active else None
        asked = circle(waiting)
        if barred:
            asked = replace(asked, barred={**barred, **asked.barred})
        return right(asked, self._person, away=self._away, claimed_by=held)

    @cached_property
    def _person(self) -> Person:
        return _person(self.user)

    @property
    def ways(self) -> list[tuple[Any, Chain]]:
        """Each chain with the user at its end."""
        users = {user.pk: user for user in self.absent}
        return [(users[chain[-1]], chain) for chain in self.chains if chain[-1] in users]

    @cached_property
    def _away(self) -> list[Absent]:
        return [Absent(person=_person(user), through=chain[:-1]) for user, chain in self.ways]


def _away_today(people: Collection[UserKey]) -> QuerySet[Absence, tuple[UserKey, UserKey]]:
    today = timezone.localdate(clock.now())
    absences = Absence.objects.filter(
        stand_in__in=people, first_day__lte=today, last_day__gte=today, user__is_active=True
    )
    return absences.order_by("user").values_list("stand_in", "user").distinct()


def _person(user: Any) -> Person:
    return Person(
        key=user.pk,
        is_active=user.is_active,
        is_staff=user.is_staff,
        is_superuser=user.is_superuser,
        groups=frozenset(group.pk for group in user.groups.all()),
    )


def circle(waiting: WaitingForApproval) -> Circle:
    """Whom a waiting task asks, as the database keeps it."""
    assignees = waiting.assignees.all()
    return Circle(
        text=waiting.approver,
        users={one.user_id: Reason(one.reason) for one in assignees if one.user_id is not None},
        groups=frozenset(one.group_id for one in assignees if one.group_id is not None),
        staff=any(one.user_id is None and one.group_id is None for one in assignees),
        barred={one.user_id: Bar(one.why) for one in waiting.barred.all()},
    )


def may_decide(user: Any, waiting: WaitingForApproval) -> bool:
    """Whether the user may decide: who is asked, or stands in for one who is, or is a superuser; unless something bars
    them, or somebody else holds it.
    """
    return isinstance(Rights(user).to(waiting), May)


def decidable(user: Any, waiting: Iterable[WaitingForApproval]) -> list[WaitingForApproval]:
    """Those that the user may decide. Prefetch `assignees` and `barred`."""
    rights = Rights(user)
    return [one for one in waiting if isinstance(rights.to(one), May)]


def why_not(user: Any, waiting: WaitingForApproval, *, to_them: bool = False) -> str:
    """A sentence that says why the user may not decide, as it is said `to_them` or to others; blank where they may."""
    return reason(Rights(user).to(waiting), user, waiting, to_them=to_them)


def reason(found: Right, user: Any, waiting: WaitingForApproval, *, to_them: bool = False) -> str:
    """What a right that is none means, as a sentence; blank for one that is."""
    if isinstance(found, May):
        return ""
    texts = {**_REASONS, **_REASONS_TO_THEM} if to_them else _REASONS
    return texts[found]() % {
        "user": user.get_username(),
        "task": repr(waiting.task_name),
        "instance": waiting.rpid_id,
        "who": waiting.asked,
        "holder": waiting.claimed_by.get_username() if waiting.claimed_by else "",
    }


_REASONS: Mapping[Bar | Refused, Callable[[], str]] = {
    Refused.INACTIVE: lambda: _("%(user)s may not decide %(task)s of instance %(instance)s: the user is not active."),
    Refused.NOT_ASKED: lambda: _("%(user)s may not decide %(task)s of instance %(instance)s: it waits for %(who)s."),
    Refused.FOR_BARRED: lambda: _(
        "%(user)s may not decide %(task)s of instance %(instance)s: it waits for %(who)s, and nobody stands in for a person "
        "who may not decide it themselves, nor through such a person."
    ),
    Refused.CLAIMED: lambda: _(
        "%(user)s may not decide %(task)s of instance %(instance)s: %(holder)s has claimed it, and can release it."
    ),
    Bar.STARTER: lambda: _(
        "%(user)s may not decide %(task)s of instance %(instance)s: nobody decides what they have started themselves."
    ),
    Bar.DID: lambda: _(
        "%(user)s may not decide %(task)s of instance %(instance)s: they, or a stand-in of theirs, decided another "
        "task, and different people must decide the two."
    ),
    Bar.VOTED: lambda: _("%(user)s has decided %(task)s of instance %(instance)s already; the others are still asked."),
    Bar.DELEGATED: lambda: _("%(user)s may not decide %(task)s of instance %(instance)s any more: it was handed on."),
}


_REASONS_TO_THEM: Mapping[Bar | Refused, Callable[[], str]] = {
    Refused.NOT_ASKED: lambda: _("You may not decide this: it waits for %(who)s."),
    Refused.FOR_BARRED: lambda: _(
        "You may not decide this: the person for whom you stand in, or somebody between you and them, may not decide it themselves."
    ),
    Refused.CLAIMED: lambda: _("You may not decide this: %(holder)s has claimed it, and can release it."),
    Bar.STARTER: lambda: _("You may not decide this: nobody decides what they have started themselves."),
    Bar.DID: lambda: _(
        "You may not decide this: you, or a stand-in of yours, decided another task, and different people must decide the two."
    ),
    Bar.VOTED: lambda: _("You have decided this already; the others are still asked."),
    Bar.DELEGATED: lambda: _("You may not decide this any more: it was handed on."),
}


def inbox(user: Any, rights: Rights | None = None) -> WaitingQuerySet:
    """What waits for the user: named, by a group, as staff, or as stand-in; but not what they may not decide.

    What superusers could decide is not all in theirs, but what they are asked. `rights` are the user's, where they are
    known already.
    """
    if not user.is_active:
        return WaitingForApproval.objects.none()
    rights = rights or Rights(user)
    barred = Barred.objects.filter(waiting=OuterRef("pk"), user=user)
    asked = WaitingForApproval.objects.asking([user], through=rights.ways)
    return asked.open_to([user, *rights.absent]).filter(~Exists(barred))

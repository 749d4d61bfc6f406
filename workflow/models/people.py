"""Who can be named as approver: users by their user name, and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, Q, QuerySet

from workflow.deciding import Circle, Reason
from workflow.models.decisions import Decision


@dataclass(frozen=True, kw_only=True)
class Named:
    """The active users and the groups that names stand for, by their numbers; `unknown` is neither."""

    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    unknown: Sequence[str] = ()


def find(names: Sequence[str]) -> Named:
    """Whom these names stand for."""
    if not names:
        return Named()
    model = get_user_model()
    found = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": names}, is_active=True)
    users = dict(found.values_list(model.USERNAME_FIELD, "pk"))
    groups = dict(Group.objects.filter(name__in=names).values_list("name", "pk"))
    return Named(users=users, groups=groups, unknown=[name for name in names if name not in {*users, *groups}])


def called(text: str, *, anywhere: bool = False) -> QuerySet[Any]:
    """The active users whose user name, first or last name begins with the text, or has it `anywhere`."""
    model = get_user_model()
    own = {field.name for field in model._meta.get_fields()}  # a project's users may have no such names
    names = [model.USERNAME_FIELD, *(own & {"first_name", "last_name"})]
    wanted = Q()
    for name in names:
        wanted |= Q(**{f"{name}__{'icontains' if anywhere else 'istartswith'}": text})
    found: QuerySet[Any] = model._default_manager.filter(wanted, is_active=True).order_by(model.USERNAME_FIELD)
    return found


def unknown_names(names: Sequence[str]) -> Sequence[str]:
    """Those of `names` that are neither an active user's nor a group's."""
    return find(names).unknown


def count_people(names: Sequence[str]) -> int:
    """How many active people these names stand for; no names stand for all members of staff."""
    found = find(names)
    users = dict.fromkeys(found.users.values(), Reason.NAMED)
    return eligible(Circle(users=users, groups=frozenset(found.groups.values()), staff=not names))


def deciders(instance: int, task: str) -> set[int]:
    """Who decided a task of an instance, when it came to that last."""
    votes = Decision.objects.filter(task_run__instance=instance, task_run__task_name=task, user__isnull=False)
    found = list(votes.order_by().values_list("task_run__visit", "attempt", "user"))
    latest = max((place for *place, _ in found), default=None)
    return {user for *place, user in found if place == latest}


def eligible(circle: Circle) -> int:
    """How many active people the circle has that are not barred."""
    groups = Exists(Group.objects.filter(pk__in=circle.groups, user=OuterRef("pk")))
    asked = Q(pk__in=circle.users) | Q(groups) if circle.groups else Q(pk__in=circle.users)
    if circle.staff:
        asked |= Q(is_staff=True)
    users: QuerySet[Any] = get_user_model()._default_manager.filter(asked, is_active=True)
    return users.exclude(pk__in=circle.barred).count()

"""Who can be named as approver: users by their user name, and groups."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.models import Exists, OuterRef, Q, QuerySet

from workflow import approvers
from workflow.deciding import Circle, Reason
from workflow.models.decisions import Decision


@dataclass(frozen=True, kw_only=True)
class Named:
    """The active users and the groups that names stand for, by their numbers; `unknown` is neither, `ambiguous` both."""

    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)
    unknown: Sequence[str] = ()

    @property
    def ambiguous(self) -> Sequence[str]:
        """The names that a user and a group have. Both are asked."""
        return [name for name in self.users if name in self.groups]


def find(names: Sequence[str]) -> Named:
    """Whom these names stand for. One that really begins with `user:` or `group:` stands for itself, where nobody has the rest of
    it as a name.
    """
    if not names:
        return Named()
    literal = {name for name in names if approvers.tells_kind(name)}
    by_name = _users_named({approvers.as_user(name) for name in names} | literal)
    by_group = _groups_named({approvers.as_group(name) for name in names} | literal)
    users = _found(names, approvers.as_user, by_name)
    groups = _found(names, approvers.as_group, by_group)
    left = [name for name in names if name not in users and name not in groups]
    users |= {name: by_name[name] for name in left if name in by_name}
    groups |= {name: by_group[name] for name in left if name in by_group}
    return Named(
        users=users, groups=groups, unknown=[name for name in left if name not in users and name not in groups]
    )


def _found(names: Sequence[str], of_kind: Callable[[str], str], known: Mapping[str, int]) -> dict[str, int]:
    return {name: known[of_kind(name)] for name in names if of_kind(name) in known}


def _users_named(names: Collection[str]) -> dict[str, int]:
    model = get_user_model()
    found = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": [*filter(None, names)]}, is_active=True)
    return dict(found.values_list(model.USERNAME_FIELD, "pk"))


def _groups_named(names: Collection[str]) -> dict[str, int]:
    return dict(Group.objects.filter(name__in=[*filter(None, names)]).values_list("name", "pk"))


def names_of(user: Any) -> set[str]:
    """All that can be written to name the user, or a group of theirs."""
    name, groups = user.get_username(), {group.name: group.pk for group in user.groups.all()}
    found = {f"{approvers.USER}{name}", *(f"{approvers.GROUP}{group}" for group in groups)}
    plain = {name, *groups}
    # One that begins as if it told its kind names them only where nobody has the rest of it as a name.
    odd = sorted(filter(approvers.tells_kind, plain))
    meant = find(odd)
    mine = {one for one in odd if meant.users.get(one) == user.pk or meant.groups.get(one, 0) == groups.get(one)}
    return found | plain.difference(odd) | mine


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

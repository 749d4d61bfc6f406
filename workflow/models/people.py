"""Who can be named as approver: users by their user name, and groups."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet

from workflow import approvers
from workflow.deciding import Cast, Circle, Execution, Reason, UserKey
from workflow.models.decisions import Decision
from workflow.models.instances import ActionCall, RunningProcesses
from workflow.models.waiting import WaitingForApproval


@dataclass(frozen=True, kw_only=True)
class Named:
    """The active users and the groups that names stand for, by their keys; `unknown` is neither, `ambiguous` both."""

    users: Mapping[str, UserKey] = field(default_factory=dict)
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


def votes_on(instance: int, tasks: Collection[str]) -> list[Cast]:
    """The votes on manual tasks of an instance, of each in the last visit in which it had any. One query, or none."""
    if not tasks:
        return []
    first, *others = (_newest_votes(instance, task) for task in sorted(tasks))
    return [
        Cast(
            execution=Execution(task=task, visit=visit, row=row, attempt=attempt),
            by=frozenset(_keys(origin, user=user, on_behalf_of=on_behalf_of)),
            user=user,
        )
        for task, visit, row, attempt, user, on_behalf_of, origin in first.union(*others, all=True).order_by()
    ]


def _newest_votes(instance: int, task: str) -> QuerySet[Any, Any]:
    votes = Decision.objects.filter(task_run__instance=instance, task_run__task_name=task, call=0).order_by()
    newest = votes.order_by("-task_run__visit").values("task_run__visit")[:1]
    run = ("task_run__task_name", "task_run__visit", "task_run__row")
    return votes.filter(task_run__visit=newest).values_list(*run, "attempt", "user", "on_behalf_of", "origin")


def voters_on_questions(instance: int, task: str) -> set[Any]:
    """The keys of those who decided, in its newest visit, what code asked by `approval(…, not_same_as=task)`."""
    calls = ActionCall.objects.filter(run__instance=instance, name="approval", ended_at__isnull=False).order_by()
    found = [
        ((name, visit), (run, number))
        for name, visit, run, number, arguments in calls.values_list(
            "run__task_name", "run__visit", "run", "number", "arguments"
        )
        if arguments["kwargs"].get("not_same_as") == task
    ]
    newest = {name: max(visit for (other, visit), _ in found if other == name) for (name, _), _ in found}
    asked = {question for (name, visit), question in found if newest[name] == visit}
    votes = Decision.objects.filter(task_run__in={run for run, _ in asked}, call__gt=0).order_by()
    return {
        key
        for run, call, user, on_behalf_of, origin in votes.values_list(
            "task_run", "call", "user", "on_behalf_of", "origin"
        )
        if (run, call) in asked
        for key in _keys(origin, user=user, on_behalf_of=on_behalf_of)
    }


def _keys(origin: Mapping[str, Any] | None, **users: Any) -> Iterator[Any]:
    """The keys of all who took part in something: also of those who have been deleted since."""
    for name, key in users.items():
        gone = (origin or {}).get(name)
        if key is not None:
            yield key
        elif gone is not None and (read := key_from(gone["key"])) is not None:
            yield read
    between = [key_from(one["key"]) for one in (origin or {}).get("through", ())]
    yield from (key for key in between if key is not None)


def key_from(text: str) -> Any:
    """The primary key of a user that was kept as text; `None` where this project's users have no such keys any more."""
    key = get_user_model()._meta.pk
    try:
        return key.to_python(text)
    except ValidationError:
        return None


def starter_of(instance: RunningProcesses) -> Any:
    """The key of the user who started an instance, also if they have been deleted since; `None` where nobody did."""
    return next(_keys(instance.start_origin, user=instance.started_by_id), None)


def open_now(instance: int) -> list[Execution]:
    """The manual tasks that an instance puts to people at the moment."""
    waiting = WaitingForApproval.objects.filter(rpid=instance, question="").order_by()
    runs = waiting.values_list("task_name", "task_run__visit", "task_run__row", "task_run__attempt")
    return [Execution(task=task, visit=visit, row=row, attempt=attempt) for task, visit, row, attempt in runs]


def eligible(circle: Circle) -> int:
    """How many active people the circle has that are not barred."""
    groups = Exists(Group.objects.filter(pk__in=circle.groups, user=OuterRef("pk")))
    asked = Q(pk__in=circle.users) | Q(groups) if circle.groups else Q(pk__in=circle.users)
    if circle.staff:
        asked |= Q(is_staff=True)
    users: QuerySet[Any] = get_user_model()._default_manager.filter(asked, is_active=True)
    return users.exclude(pk__in=circle.barred).count()

"""Who may look at an instance: who started it, who had a task in it, and staff with the permission (DESIGN.md 6)."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from workflow.definition import Definition, Field
from workflow.models import Assignee, Decision, Intervention, RunningProcesses, WaitingForApproval
from workflow.people.rights import OPERATE, Rights

VIEW = "workflow.view_runningprocesses"
"""The permission with which members of staff look at every instance."""

Data = Mapping[str, Any]


def visible_to(user: Any, rights: Rights | None = None) -> QuerySet[RunningProcesses]:
    """The instances that the user may look at. Meant to be narrowed: what it finds has no order that an index gives.

    `rights` are the user's, where they are known already.
    """
    if not user.is_active:
        return RunningProcesses.objects.none()
    if sees_all(user):
        return RunningProcesses.objects.all()
    first, *others = _ways(rights or Rights(user))
    # Each way is found by an index of its own; put together by OR, the database would try every instance.
    return RunningProcesses.objects.filter(pk__in=first.union(*others, all=True))


def may_see(user: Any, instance: RunningProcesses, rights: Rights | None = None) -> bool:
    """Whether the user may look at the instance, and at the files that its data refers to."""
    return visible_to(user, rights).filter(pk=instance.pk).exists()


def sees_all(user: Any) -> bool:
    """Whether the user may look at every instance."""
    return bool(user.is_active and user.is_staff and user.has_perm(VIEW)) or bool(user.is_active and user.is_superuser)


def sees_inside(user: Any) -> bool:
    """Whether the user may look behind what people see of an instance: at all of its data, the arguments and results of its
    calls, the texts of its errors, and conditions. Those are operators who are members of staff, and superusers. To look at
    every instance is not enough.
    """
    return bool(user.is_active and (user.is_superuser or (user.is_staff and user.has_perm(OPERATE))))


def data_for(user: Any, instance: RunningProcesses) -> Data:
    """What the user may see of an instance's data."""
    return instance.data if sees_inside(user) else data_for_people(instance.data, instance.version.frozen)


def data_for_people(data: Any, definition: Definition) -> Data:
    """What everybody who has to do with an instance may see of its data: what the forms of its start and of its tasks ask.
    Whatever else is in it, code has put there for itself.
    """
    if not isinstance(data, Mapping):
        return {}
    return {name: data[name] for name in form_fields(definition) if name in data}


def form_fields(definition: Definition) -> dict[str, Field]:
    """All that the forms of a process ask for, by name: of its start first, then of its tasks."""
    found = {field.name: field for field in definition.fields}
    for task in definition.tasks:
        for field in task.fields:
            found.setdefault(field.name, field)
    return found


def _ways(rights: Rights) -> Iterator[QuerySet[Any, Any]]:
    """The keys of the instances that each thing which gives sight of one gives sight of."""
    user, waiting = rights.user, WaitingForApproval.objects.order_by()
    yield RunningProcesses.objects.filter(started_by=user).order_by().values_list("pk")
    yield Assignee.objects.naming(user).order_by().values_list("waiting__rpid")
    if ways := rights.ways:
        yield waiting.asking([], through=ways).values_list("rpid")
    yield waiting.filter(claimed_by=user).values_list("rpid")
    decided = Decision.objects.filter(Q(user=user) | Q(on_behalf_of=user))
    yield decided.order_by().values_list("task_run__instance")
    # Who claimed it, released it or handed it on had the task, although others may decide it now.
    yield Intervention.objects.filter(by=user).order_by().values_list("instance")

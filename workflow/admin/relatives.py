"""What an instance is about, what has started it, and what it has started."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow.admin import show
from workflow.admin.chosen import LARGEST
from workflow.models import RunningProcesses, TaskRun

CHILDREN_SHOWN = 20
"""More than a reader takes in; the list of instances has them all."""
SHOWN = ("process_name", "state", "started_at", "ended_at", "parent")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What an instance is about: a text, and where the user may look at it, its address."""

    text: str
    address: str


def subject(request: HttpRequest, instance: RunningProcesses, site: admin.AdminSite) -> Subject | None:
    """What the instance is about; only who may see it in the admin learns more than its kind and key."""
    if instance.subject_type_id is None:
        return None
    kind = ContentType.objects.get_for_id(instance.subject_type_id)
    model = kind.model_class()
    if model is None:  # its app is no longer installed
        return Subject(text=instance.subject_label or "", address="")
    blank = Subject(text=f"{capfirst(model._meta.verbose_name)} {instance.subject_id}", address="")
    if not site.is_registered(model):
        return blank
    found = model._base_manager.filter(pk=instance.subject_id).first()
    if found is None:
        return Subject(text=gettext("%(subject)s, which was deleted") % {"subject": blank.text}, address="")
    if not site.get_model_admin(model).has_view_permission(request, found):
        return blank
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return Subject(text=str(found), address=reverse(page, args=[quote(found.pk)], current_app=site.name))


def above(instance: RunningProcesses) -> TaskRun | None:
    """The task run that has started the instance, with its own instance."""
    if instance.parent_id is None:
        return None
    runs = TaskRun.objects.filter(calls=instance.parent_id).select_related("instance")
    return runs.only("task_name", "instance__process_name").first()


def below(instance: RunningProcesses, site: admin.AdminSite) -> dict[str, Any]:
    """What the instance has started, newest first: no more of it than can be taken in."""
    children = RunningProcesses.objects.filter(parent__run__instance=instance).select_related("parent__run")
    found = list(children.only(*SHOWN, "parent__run__task_name")[: CHILDREN_SHOWN + 1])
    return {
        "children": [(child, child.parent.run, badge(child)) for child in found[:CHILDREN_SHOWN] if child.parent],
        "all_children": show.list_address(site, "runningprocesses", above=instance.pk)
        if len(found) > CHILDREN_SHOWN
        else "",
    }


def of_calls(calls: Iterable[int], *, most: int) -> dict[int, list[tuple[RunningProcesses, SafeString]]]:
    """What calls have started, the newest call first and at most so many: by call, in the order in which it named them."""
    found: dict[int, list[tuple[RunningProcesses, SafeString]]] = {}
    children = RunningProcesses.objects.filter(parent__in=calls).only(*SHOWN)
    for child in children.order_by("-parent", "place")[:most]:
        found.setdefault(child.parent_id or 0, []).append((child, badge(child)))
    return found


def newest_of_runs(runs: Collection[int]) -> dict[int, int]:
    """By task run, the instance that it has started last."""
    if not runs:
        return {}
    children = RunningProcesses.objects.filter(parent__run__in=runs).order_by("pk")
    return dict(children.values_list("parent__run", "pk"))


def badge(instance: RunningProcesses) -> SafeString:
    """The state of an instance."""
    return show.state(instance.state, instance.get_state_display())


class LevelFilter(admin.SimpleListFilter):
    """Instances that somebody has started, or those that a task of another one has."""

    title = _("started by")
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("top", _("People and programs")), ("sub", _("Other instances"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        level = self.value()
        return queryset.filter(parent__isnull=level == "top") if level in {"top", "sub"} else queryset


class AboveFilter(admin.SimpleListFilter):
    """What one instance has started: only a link from its page asks for that."""

    title = _("instance that has started them")
    parameter_name = "above"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        asked = request.GET.get(self.parameter_name, "")
        return [(asked, asked)] if asked.isdecimal() else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(parent__run__instance=min(int(str(self.value())[:20]), LARGEST))

"""The page of one instance: where it stands and why, what it has done, and what it knows; it updates by itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflow import clock, operations, operators, timeline
from workflow.models import RunningProcesses, TaskRun, WaitingForApproval
from workflow.models.states import ENDED, OPEN
from workflow.models.waiting import LONGEST_NUMBER
from workflow.people.rights import why_not_operate
from workflow.picture import picture_of
from workflow.sites import admin_address
from workflow.standing import Waits, people_of, standing
from workflow.timeline import Place, RunEntry, TimeLine
from workflow.views import lines
from workflow.views.base import PageView
from workflow.views.facts import facts
from workflow.views.subject import subject

PARTS = ("badge", "standing", "waiting", "diagram", "data", "history")
"""What of the page changes while it is looked at. Each is a template, `workflow/instance_NAME.html`."""
STOP_POLLING = 286
"""The status by which htmx is told to ask no more."""
_HEAVY = ("arguments", "result", "run__result", "run__changes", "run__log", "run__snapshot")
_HEAVY_INSTANCE = ("data", "results", "error")


class InstanceView(PageView):
    place = "instance"

    def get(self, request: HttpRequest, key: int) -> HttpResponse:
        seen = _Seen(user=request.user, instance=found(request.user, key))
        context = {**seen.parts(), **seen.around(), "title": str(seen.instance)}
        parts = _rendered(request, context)
        return self.page("instance.html", **context, parts=parts, seen=".".join(_digests(parts).values()))


class NewsView(PageView):
    """What has changed of the page since it was `seen`; the status says whether more is to be expected."""

    def get(self, request: HttpRequest, key: int) -> HttpResponse:
        instance = found(request.user, key)
        context = _Seen(user=request.user, instance=instance).parts()
        parts = _rendered(request, context)
        digests = _digests(parts)
        before = dict(zip(PARTS, request.GET.get("seen", "").split("."), strict=False))
        changed = {name: parts[name] for name in PARTS if before.get(name) != digests[name]}
        if not changed:
            return HttpResponse(status=STOP_POLLING if context["has_ended"] else 204)
        # Who reads what was long ago is not thrown back to the newest: a line says that there is something new.
        has_news = "history" in changed and "unfolded" in request.GET
        if has_news:
            del changed["history"]
        context.update(changed=changed, seen=".".join(digests.values()), has_news=has_news)
        status = STOP_POLLING if context["has_ended"] else 200
        return self.page("instance_news.html", status=status, **context)


class EarlierView(PageView):
    """What stands before a place of the time line."""

    def get(self, request: HttpRequest, key: int) -> HttpResponse:
        after = Place.read(request.GET.get("after", ""))
        if after is None:
            raise Http404
        seen = _Seen(user=request.user, instance=found(request.user, key), after=after)
        template = "instance_earlier.html" if "HX-Request" in request.headers else "instance_earlier_page.html"
        return self.page(template, **seen.history(), title=str(seen.instance), instance=seen.instance)


class ChildrenView(PageView):
    """All that an instance has started, newest first."""

    def get(self, request: HttpRequest, key: int) -> HttpResponse:
        instance = found(request.user, key)
        before = request.GET.get("before", "")
        listed = lines.read(_children(request.user, instance), before=before, user=request.user)
        return self.page(
            "instance_children.html",
            title=_("What %(instance)s has started") % {"instance": instance},
            instance=instance,
            found=listed,
            older=f"?before={listed.older}" if listed.older else "",
            newest="?" if before else "",
        )


def found(user: Any, key: int) -> RunningProcesses:
    """The instance, `read_at` a time of the database's clock, if the user may look at it. Raises `Http404` both if there is none and
    if the user may not.
    """
    if len(str(key)) >= LONGEST_NUMBER:
        raise Http404
    related = ("version", "started_by", "parent__run__instance")
    heavy = [*(f"parent__{name}" for name in _HEAVY), *(f"parent__run__instance__{name}" for name in _HEAVY_INSTANCE)]
    visible = operations.visible_to(user, operations.Rights.kept(user)).select_related(*related).defer(*heavy)
    instance = visible.annotate(read_at=clock.database_now()).filter(pk=key).first()
    if instance is None:
        raise Http404
    return instance


def _children(user: Any, instance: RunningProcesses) -> QuerySet[RunningProcesses]:
    """What the instance has started, as far as the user may look at it."""
    if may_see_family(user, instance):
        return RunningProcesses.objects.filter(parent__run__instance=instance)
    visible = operations.visible_to(user, operations.Rights.kept(user))
    return visible.filter(parent__run__instance=instance)


def may_see_family(user: Any, instance: RunningProcesses) -> bool:
    """Whether the user may look at all that is above and below the instance: whoever has started one, has started it all."""
    return instance.started_by_id == user.pk or operations.sees_all(user)


@dataclass(frozen=True)
class _Seen:
    """An instance as one user sees it."""

    user: Any
    instance: RunningProcesses
    after: Place | None = None

    def parts(self) -> dict[str, Any]:
        """What the parts of the page show."""
        return {
            "instance": self.instance,
            "has_ended": self.instance.state in ENDED,
            "standing": standing(self.instance, now=self._now, waits=self._waits, for_operators=self.sees_inside),
            "waiting": self._people,
            "diagram": picture_of(self.instance, self._line.newest, links=self._links(), inside=self.sees_inside),
            "facts": facts(operations.data_for(self.user, self.instance), self.instance.version.frozen),
            **self.history(),
        }

    def history(self) -> dict[str, Any]:
        """What the time line shows."""
        return {"line": self._line, "links_to_others": self._links_to_others, "sees_inside": self.sees_inside}

    def around(self) -> dict[str, Any]:
        """What does not change while the page is looked at."""
        parent = self.instance.parent.run if self.instance.parent else None
        return {"subject": subject(self.instance), "parent": parent, **self._admin()}

    @cached_property
    def may_operate(self) -> bool:
        """Whether the user is one of those who step in."""
        return bool(self.user.is_staff and self.user.has_perm(operators.PERMISSION))

    @cached_property
    def sees_all(self) -> bool:
        """Whether the user may look at every instance."""
        return operations.sees_all(self.user)

    @cached_property
    def sees_inside(self) -> bool:
        """Whether the user may look at what people don't see of it."""
        return operations.sees_inside(self.user)

    @property
    def _now(self) -> datetime:
        return self.instance.read_at  # type: ignore[attr-defined]  # annotated

    @property
    def _links_to_others(self) -> bool:
        return may_see_family(self.user, self.instance)

    @cached_property
    def _line(self) -> TimeLine:
        return timeline.read(self.instance, after=self.after, inside=self.sees_inside)

    @cached_property
    def _people(self) -> list[WaitingForApproval]:
        """What waits for people; `is_mine` tells whether for this user."""
        if self.instance.state in ENDED:
            return []
        inbox = operations.inbox(self.user, operations.Rights.kept(self.user))
        mine = inbox.filter(rpid=self.instance.pk, pk=OuterRef("pk"))
        return list(people_of(self.instance).annotate(is_mine=Exists(mine)).select_related("claimed_by"))

    @property
    def _waits(self) -> Waits:
        return Waits(
            people=self._people,
            signals=self._line.listening,
            children=[child for child in self._line.children if child.state not in ENDED],
            runs=[run for run in self._line.newest if run.visit == self.instance.visit and run.state in OPEN],
        )

    def _links(self) -> dict[int, str]:
        """Where the boxes of the diagram lead: to what is decided, to what was started, or down to the history."""
        shown = {entry.run.pk for entry in self._line.entries if isinstance(entry, RunEntry)}
        mine = {one.task_run_id for one in self._people if one.is_mine}  # type: ignore[attr-defined]  # annotated
        started = self._started() if self._links_to_others else {}
        links = {run.row: f"#run-{run.pk}" for run in self._line.newest if run.pk in shown}
        links |= {run.row: reverse("workflow:instance", args=[started[run.pk]]) for run in self._newest_in(started)}
        return links | {run.row: reverse("workflow:decide", args=[run.pk]) for run in self._newest_in(mine)}

    def _newest_in(self, keys: Any) -> list[TaskRun]:
        return [run for run in self._line.newest if run.pk in keys]

    def _started(self) -> dict[int, int]:
        """By task run that is a sub-process, the instance that it has started."""
        entries = [entry for entry in self._line.entries if isinstance(entry, RunEntry)]
        of_subprocess = [entry for entry in entries if self.instance.version.frozen.task_of(entry.run.row).subprocess]
        return {entry.run.pk: child.pk for entry in of_subprocess for call in entry.calls for child in call.children}

    def _admin(self) -> dict[str, Any]:
        """Links into the admin, for staff who may, where the project has one."""
        page = admin_address("runningprocesses_change", self.instance.pk)
        if not page:
            return {}
        step_in = admin_address("runningprocesses_step_in", self.instance.pk)
        offers = self.may_operate and not why_not_operate(self.user, self.instance)
        possible = [action for action in OFFERED if offers and operators.is_possible(self.instance, action)]
        return {
            "admin_page": page if self.user.is_staff and self.sees_all else "",
            "actions": [(OFFERED[action], f"{step_in}?action={action}") for action in possible],
        }


OFFERED = {
    operators.Action.RETRY: gettext_lazy("Retry"),
    operators.Action.RESUME: gettext_lazy("Resume"),
    operators.Action.PAUSE: gettext_lazy("Pause"),
    operators.Action.CANCEL: gettext_lazy("Cancel it"),
}


def _rendered(request: HttpRequest, context: Mapping[str, Any]) -> dict[str, str]:
    return {name: render_to_string(f"workflow/instance_{name}.html", dict(context), request) for name in PARTS}


def _digests(parts: Mapping[str, str]) -> dict[str, str]:
    return {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in parts.items()}

"""What waits for people."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from workflow import clock, operations
from workflow.admin import decide, show
from workflow.admin.decide import APPROVE, REJECT, Decision
from workflow.admin.readonly import ProcessNameFilter, ReadOnlyAdmin
from workflow.errors import WorkflowError
from workflow.models import WaitingForApproval
from workflow.origin import ADMIN
from workflow.people.visible import data_for_people


class NobodyFilter(admin.SimpleListFilter):
    """An alert: what would wait for ever."""

    title = _("who is left")
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("nobody", _("Nobody can decide it"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        return queryset.undecidable() if self.value() == "nobody" else queryset


class OverdueFilter(admin.SimpleListFilter):
    """What should have been decided by now."""

    title = _("due date")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("over", _("Overdue"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        return queryset.overdue(clock.now()) if self.value() == "over" else queryset


class ForWhomFilter(admin.SimpleListFilter):
    """What waits for oneself; a link can ask for what asks another user."""

    title = _("for whom")
    parameter_name = "user"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        user: Any = request.user
        other = _user(request.GET.get(self.parameter_name))
        others = [(str(other.pk), str(other))] if other is not None and other != user else []
        return [(str(user.pk), _("For me")), *others]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        user = _user(self.value())
        if user is None:
            return queryset
        if user == request.user:
            return queryset.filter(pk__in=operations.inbox(user).order_by().values("pk"))
        return queryset.asking([user])


def _user(key: str | None) -> Any:
    """The user of that key, of whatever kind a project's keys are; `None` for anything else."""
    users = get_user_model()
    try:
        return users._default_manager.filter(pk=users._meta.pk.to_python(key)).first() if key else None
    except (ValidationError, OverflowError, ValueError):
        return None


@admin.register(WaitingForApproval)
class WaitingForApprovalAdmin(ReadOnlyAdmin):
    list_display = (
        "task_name",
        "question",
        "process_name",
        "instance_link",
        "due",
        "who",
        "approvals",
        "claimed_by",
        "queued",
    )
    list_filter = (OverdueFilter, NobodyFilter, ForWhomFilter, ProcessNameFilter)
    list_select_related = ("claimed_by",)
    search_fields = ("process_name", "task_name", "question", "approver")
    search_help_text = _("The number of an instance, or a part of a process's, a task's or an approver's name.")
    number_field = "rpid"
    actions = ("approve_selected", "reject_selected", "claim_selected", "release_selected", "resolve_selected")
    empty_list_text = _("Nothing waits for anybody.")
    fieldsets = (
        (
            None,
            {"fields": ("question", "instructions", "instance_link", "who", "approvals", "claimed_by", "queued_at")},
        ),
        (_("Deadlines"), {"fields": ("due", "why_due", "to_come")}),
        (_("What it is about"), {"fields": ("data_shown", "results_shown")}),
    )
    readonly_fields = (
        *(
            "instructions",
            "instance_link",
            "who",
            "approvals",
            "due",
            "why_due",
            "to_come",
            "data_shown",
            "asked_data_shown",
            "results_shown",
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without deadlines, where there are none; and without what people don't see, for those who are no more."""
        has_deadlines = obj is not None and obj.due_at is not None
        head, deadlines, about = self.fieldsets
        if not operations.sees_inside(request.user):
            about = (about[0], {"fields": ("asked_data_shown",)})
        return [head, deadlines, about] if has_deadlines else [head, about]

    @admin.display(description=_("waiting since"), ordering="queued_at")
    def queued(self, waiting: WaitingForApproval) -> str:
        return show.time(waiting.queued_at)

    @admin.display(description=_("due at"), ordering=F("due_at").asc(nulls_last=True))
    def due(self, waiting: WaitingForApproval) -> SafeString | str:
        """Marked where it is over, by a word as well, so that colour is not needed."""
        if not waiting.is_overdue(clock.now()):
            return show.time(waiting.due_at)
        return format_html(
            '<strong class="workflow-overdue">{} {}</strong>', show.time(waiting.due_at), gettext("overdue")
        )

    @admin.display(description=_("how that was counted"))
    def why_due(self, waiting: WaitingForApproval) -> str:
        return operations.why_due(waiting)

    @admin.display(description=_("if nobody decides"))
    def to_come(self, waiting: WaitingForApproval) -> SafeString | str:
        return show.lines(f"{show.time(event.at)} {operations.what_comes(event)}" for event in waiting.events)

    @admin.display(description=_("instance"), ordering="rpid")
    def instance_link(self, waiting: WaitingForApproval) -> SafeString:
        return show.link(
            self.admin_site, "runningprocesses", waiting.rpid_id, f"{waiting.process_name} {waiting.rpid_id}"
        )

    @admin.display(description=_("who may decide"), ordering="approver")
    def who(self, waiting: WaitingForApproval) -> str:
        return waiting.approver or gettext("any member of staff")

    @admin.display(description=_("approvals"), ordering="votes")
    def approvals(self, waiting: WaitingForApproval) -> str:
        if waiting.quorum == 1:
            return "-"
        return gettext("%(votes)d of %(quorum)d") % {"votes": waiting.votes, "quorum": waiting.quorum}

    @admin.display(description=_("instructions"))
    def instructions(self, waiting: WaitingForApproval) -> str:
        return operations.instructions_html(waiting) or "-"

    @admin.display(description=_("data"))
    def data_shown(self, waiting: WaitingForApproval) -> SafeString:
        return show.json(waiting.rpid.data)

    @admin.display(description=_("data"))
    def asked_data_shown(self, waiting: WaitingForApproval) -> SafeString:
        return show.json(data_for_people(waiting.rpid.data, waiting.rpid.version.frozen))

    @admin.display(description=_("results"))
    def results_shown(self, waiting: WaitingForApproval) -> SafeString:
        return show.json(waiting.rpid.results)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        waiting = context["original"]
        context["why_not"] = operations.why_not(request.user, waiting)
        if not context["why_not"]:
            context["approve"] = decide.address(self.admin_site, APPROVE, [waiting.task_run_id])
            context["reject"] = decide.address(self.admin_site, REJECT, [waiting.task_run_id])
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Approve selected tasks"), permissions=["view"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> HttpResponse | None:
        return self._ask(request, queryset, APPROVE)

    @admin.action(description=_("Reject selected tasks"), permissions=["view"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> HttpResponse | None:
        return self._ask(request, queryset, REJECT)

    @admin.action(description=_("Claim selected tasks"), permissions=["view"])
    def claim_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> None:
        _do(request, queryset, operations.claim)

    @admin.action(description=_("Release selected tasks"), permissions=["view"])
    def release_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> None:
        _do(request, queryset, operations.release)

    @admin.action(description=_("Ask again whom the approver names now"), permissions=["view"])
    def resolve_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> None:
        _do(request, queryset, operations.resolve_again)

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[WaitingForApproval], decision: Decision
    ) -> HttpResponse | None:
        runs = list(queryset.values_list("task_run", flat=True)[: decide.MOST + 1])
        if len(runs) > decide.MOST:
            text = _("These are more than %(most)d. Select fewer; the command manage.py approve decides any number.")
            messages.error(request, text % {"most": decide.MOST})
            return None
        return redirect(decide.address(self.admin_site, decision, runs))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        approve, reject = (partial(decide.view, self, decision=decision) for decision in (APPROVE, REJECT))
        return [
            path("approve/", view(approve), name="workflow_waitingforapproval_approve"),
            path("reject/", view(reject), name="workflow_waitingforapproval_reject"),
            *super().get_urls(),
        ]


def _do(request: HttpRequest, queryset: QuerySet[WaitingForApproval], operation: Callable[..., None]) -> None:
    """Each by itself: what can't be done is said, and the others go on."""
    done = 0
    for waiting in queryset.order_by("rpid"):
        try:
            operation(waiting, request.user, via=ADMIN)
        except WorkflowError as error:
            messages.error(request, str(error))
        else:
            done += 1
    if done:
        messages.success(request, ngettext("It is done.", "It is done for %(count)d tasks.", done) % {"count": done})

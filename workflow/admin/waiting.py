"""What waits for people."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as say
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin import decide, show
from workflow.admin.decide import APPROVE, REJECT, Decision
from workflow.admin.readonly import ProcessNameFilter, ReadOnlyAdmin
from workflow.models import WaitingForApproval


@admin.register(WaitingForApproval)
class WaitingForApprovalAdmin(ReadOnlyAdmin):
    list_display = ("task_name", "question", "process_name", "instance_link", "who", "queued")
    list_filter = (ProcessNameFilter,)
    search_fields = ("process_name", "task_name", "question", "approver")
    search_help_text = _("The number of an instance, or a part of a process's, a task's or an approver's name.")
    number_field = "rpid"
    actions = ("approve_selected", "reject_selected")
    empty_list_text = _("Nothing waits for anybody.")
    fieldsets = (
        (None, {"fields": ("question", "instance_link", "who", "queued_at")}),
        (_("What it is about"), {"fields": ("data_shown", "results_shown")}),
    )
    readonly_fields = ("instance_link", "who", "data_shown", "results_shown")

    @admin.display(description=_("waiting since"), ordering="queued_at")
    def queued(self, waiting: WaitingForApproval) -> str:
        return show.time(waiting.queued_at)

    @admin.display(description=_("instance"), ordering="rpid")
    def instance_link(self, waiting: WaitingForApproval) -> SafeString:
        return show.link("runningprocesses", waiting.rpid_id, f"{waiting.process_name} {waiting.rpid_id}")

    @admin.display(description=_("who may decide"), ordering="approver")
    def who(self, waiting: WaitingForApproval) -> str:
        return waiting.approver or say("any member of staff")

    @admin.display(description=_("data"))
    def data_shown(self, waiting: WaitingForApproval) -> SafeString:
        return show.json(waiting.rpid.data)

    @admin.display(description=_("results"))
    def results_shown(self, waiting: WaitingForApproval) -> SafeString:
        return show.json(waiting.rpid.results)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        waiting = context["original"]
        if operations.may_decide(request.user, waiting):
            context["approve"] = decide.address(APPROVE, [waiting.task_run_id])
            context["reject"] = decide.address(REJECT, [waiting.task_run_id])
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=_("Approve selected tasks"), permissions=["view"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> HttpResponse | None:
        return _ask(request, queryset, APPROVE)

    @admin.action(description=_("Reject selected tasks"), permissions=["view"])
    def reject_selected(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> HttpResponse | None:
        return _ask(request, queryset, REJECT)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        approve, reject = (partial(decide.view, self, decision=decision) for decision in (APPROVE, REJECT))
        return [
            path("approve/", view(approve), name="workflow_waitingforapproval_approve"),
            path("reject/", view(reject), name="workflow_waitingforapproval_reject"),
            *super().get_urls(),
        ]


def _ask(request: HttpRequest, queryset: QuerySet[WaitingForApproval], decision: Decision) -> HttpResponse | None:
    runs = list(queryset.values_list("task_run", flat=True)[: decide.MOST + 1])
    if len(runs) > decide.MOST:
        text = _("These are more than %(most)d. Select fewer; the command manage.py approve decides any number.")
        messages.error(request, text % {"most": decide.MOST})
        return None
    return redirect(decide.address(decision, runs))

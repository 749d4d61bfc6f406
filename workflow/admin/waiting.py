"""What waits for people, and deciding it."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin import show
from workflow.admin.forms import DecisionForm
from workflow.admin.readonly import ReadOnlyAdmin
from workflow.errors import WorkflowError
from workflow.models import WaitingForApproval


@admin.register(WaitingForApproval)
class WaitingForApprovalAdmin(ReadOnlyAdmin):
    list_display = ("task_name", "process_name", "instance_link", "who", "queued_at")
    list_filter = ("process", "queued_at")
    search_fields = ("process_name", "task_name", "approver", "=rpid__pk")
    list_select_related = ("rpid",)
    fields = ("task_name", "process_name", "instance_link", "who", "queued_at", "data_shown")
    readonly_fields = fields
    actions = ("approve", "reject")

    @admin.display(description=_("instance"), ordering="rpid")
    def instance_link(self, waiting: WaitingForApproval) -> SafeString:
        return show.link("runningprocesses", waiting.rpid_id, waiting.rpid)

    @admin.display(description=_("who may decide"), ordering="approver")
    def who(self, waiting: WaitingForApproval) -> str:
        return waiting.approver or str(_("any member of staff"))

    @admin.display(description=_("data of the instance"))
    def data_shown(self, waiting: WaitingForApproval) -> SafeString:
        return show.json(waiting.rpid.data)

    @admin.action(description=_("Approve selected"), permissions=["view"])
    def approve(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> HttpResponse | None:
        return self._decide(request, queryset, approved=True)

    @admin.action(description=_("Reject selected"), permissions=["view"])
    def reject(self, request: HttpRequest, queryset: QuerySet[WaitingForApproval]) -> HttpResponse | None:
        return self._decide(request, queryset, approved=False)

    def _decide(
        self, request: HttpRequest, queryset: QuerySet[WaitingForApproval], *, approved: bool
    ) -> HttpResponse | None:
        """Asks for a comment, and then decides each: what somebody else has decided meanwhile holds up nothing."""
        form = DecisionForm(request.POST if "decide" in request.POST else None)
        if not form.is_valid():
            return self._asked(request, queryset, form, approved=approved)
        decide = operations.approve if approved else operations.reject
        for waiting in queryset.select_related("task_run"):
            try:
                decide(waiting, by=request.user, comment=form.cleaned_data["comment"])
            except WorkflowError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _decided(approved, waiting))
        return None

    def _asked(
        self, request: HttpRequest, queryset: QuerySet[WaitingForApproval], form: DecisionForm, *, approved: bool
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Approve") if approved else _("Reject"),
            "approved": approved,
            "waiting": queryset.select_related("rpid"),
            "form": form,
            "opts": self.opts,
            "action": "approve" if approved else "reject",
            "checkbox": ACTION_CHECKBOX_NAME,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/workflow/decide.html", context)


def _decided(approved: bool, waiting: WaitingForApproval) -> str:  # noqa: FBT001 - read at its one call
    text: Any = _("Approved %(what)s (instance %(id)s).") if approved else _("Rejected %(what)s (instance %(id)s).")
    return text % {"what": str(waiting), "id": waiting.rpid_id}

"""The page that approves or rejects what waits: it shows what is decided, and asks for a comment.

Each task is decided by itself, and what can't be decided holds up nothing else: it is said, and the others go on.
Tasks are named by their task runs, which stay when they have been decided: so it can be told who was quicker. Code can
ask one question after the other in one run; so what the page has shown is sent along, and nothing else is decided.
The form of a task is filled in where it is decided alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from workflow import operations
from workflow.admin import show
from workflow.admin.chosen import keys
from workflow.errors import WorkflowError
from workflow.forms import AnswersForm
from workflow.models import Assignee, TaskRun, WaitingForApproval
from workflow.origin import ADMIN

if TYPE_CHECKING:
    from workflow.admin.waiting import WaitingForApprovalAdmin

MOST = 200
"""Tasks that can be decided at once; their numbers have to fit into an address."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What can be decided, in words."""

    approved: bool
    title: str | Promise
    intention: str | Promise


APPROVE = Decision(approved=True, title=_("Approve"), intention=_("These tasks will be approved:"))
REJECT = Decision(approved=False, title=_("Reject"), intention=_("These tasks will be rejected:"))


class DecisionForm(forms.Form):
    """Why something is approved or rejected."""

    comment = forms.CharField(
        label=_("Comment"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text=_("It is kept with the decision, and code can read it."),
    )


def address(site: AdminSite, decision: Decision, runs: Iterable[int]) -> str:
    """Where these task runs, given by their primary keys, are decided."""
    name = "approve" if decision.approved else "reject"
    return show.page_address(site, f"waitingforapproval_{name}", run=list(runs))


def view(admin: "WaitingForApprovalAdmin", request: HttpRequest, decision: Decision) -> HttpResponse:
    """Show what is decided, and decide on a POST."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    runs = _runs(request)
    sorted_out = _sorted_out(request, runs)
    mine = sorted_out["mine"]
    alone = mine[0] if len(mine) == 1 else None
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = DecisionForm(*sent)
    asked = AnswersForm(
        *(alone.fields if alone else (), *sent),
        by=request.user,
        is_partial=not decision.approved,
        known=alone.rpid.data if alone else {},
        prefix="answer",
    )
    with asked:
        if asked.is_valid() & form.is_valid():  # each is read, also where the other one is wrong
            _decide(request, runs, decision, form.cleaned_data["comment"], asked.answers)
            return redirect(show.list_address(admin.admin_site, "waitingforapproval"))
    context = {
        **admin.admin_site.each_context(request),
        "title": decision.title,
        "decision": decision,
        **sorted_out,
        "form": form,
        "asked": asked,
        "instructions": operations.instructions_html(alone) if alone else "",
        "seen": [(one.pk, operations.seen_token(one)) for one in mine],
        "opts": admin.opts,
        "media": admin.media,
    }
    return TemplateResponse(request, "admin/workflow/decide.html", context)


def _runs(request: HttpRequest) -> list[TaskRun]:
    runs = TaskRun.objects.select_related(
        *("instance", "decided_by"),
        *("waiting__task_run", "waiting__claimed_by", "waiting__rpid__version"),
    ).prefetch_related(Prefetch("waiting__assignees", queryset=Assignee.objects.with_names()), "waiting__barred")
    # One order for all deciders, in the admin and on the pages: where each request is a transaction, each holds all that it decides.
    return list(runs.defer("snapshot").filter(pk__in=keys(request, "run", most=MOST)).order_by("instance_id", "pk"))


def _sorted_out(request: HttpRequest, runs: list[TaskRun]) -> dict[str, Any]:
    """What this user can decide, what waits for others, and what waits no more."""
    waiting = [_waiting(run) for run in runs]
    open_runs = [one for one in waiting if one is not None]
    mine = operations.decidable(request.user, open_runs)
    return {
        "shown": open_runs,
        "mine": mine,
        "others": [one for one in open_runs if one not in mine],
        "gone": [operations.who_was_quicker(run) for run in runs if _waiting(run) is None],
    }


def _waiting(run: TaskRun) -> WaitingForApproval | None:
    return getattr(run, "waiting", None)


def _decide(
    request: HttpRequest, runs: list[TaskRun], decision: Decision, comment: str, answers: Mapping[str, Any]
) -> None:
    decide = operations.approve if decision.approved else operations.reject
    decided = 0
    shown = set(request.POST.getlist("waiting"))
    for run in runs:
        waiting = _waiting(run)
        if waiting is None:
            messages.error(request, operations.who_was_quicker(run))
            continue
        if str(waiting.pk) not in shown:
            messages.error(request, _("%(what)s asks something else now: look at that first.") % {"what": waiting})
            continue
        try:
            seen = request.POST.get(f"seen-{waiting.pk}", "")  # a missing one tells no more than a forged one
            decide(waiting, by=request.user, comment=comment, answers=answers, seen=seen, via=ADMIN)
        except WorkflowError as error:
            messages.error(request, str(error))
        else:
            decided += 1
    if decided:
        messages.success(request, _told(decision, decided))


def _told(decision: Decision, count: int) -> str:
    if decision.approved:
        text = ngettext("%(count)d task was approved.", "%(count)d tasks were approved.", count)
    else:
        text = ngettext("%(count)d task was rejected.", "%(count)d tasks were rejected.", count)
    return text % {"count": count}

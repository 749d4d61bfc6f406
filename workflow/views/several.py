"""Several tasks decided at once: each by itself, so that what can't be decided holds up nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflow import operations
from workflow.errors import WorkflowError
from workflow.models import TaskRun, WaitingForApproval
from workflow.views import shown
from workflow.views.back import back
from workflow.views.base import PageView
from workflow.views.shown import Key

MOST = 100
MOST_TOLD = 10
_RELATED = ("instance", "decided_by", "waiting__task_run", "waiting__claimed_by", "waiting__rpid__version")


@dataclass(frozen=True, kw_only=True)
class Word:
    """What somebody has to say to all that they selected."""

    by: Any
    approved: bool
    comment: str

    def faults(self, keys: Sequence[Key]) -> Iterator[str]:
        """Decides each, and says of each that was not decided why."""
        runs = TaskRun.objects.filter(pk__in={key.run for key in keys}).select_related(*_RELATED)
        found = runs.defer("snapshot", "log", "changes", "result").in_bulk()
        # One order for all deciders: two that decide the same instances can't wait for each other.
        for key in sorted(keys, key=lambda key: found[key.run].instance_id if key.run in found else 0):
            if fault := self._fault(found.get(key.run), key):
                yield fault

    def _fault(self, run: TaskRun | None, key: Key) -> str:
        if run is None:
            return _("A task was deleted meanwhile.")
        waiting: WaitingForApproval | None = getattr(run, "waiting", None)
        if waiting is None or waiting.pk != key.waiting:
            return operations.who_was_quicker(run)
        if self.approved and any(field.required for field in waiting.fields):
            address = reverse("workflow:decide", args=[run.pk])
            text = _('“{}” of {} has a form to fill in, so it is decided on <a href="{}">its page</a>.')
            return format_html(text, waiting.task_name, f"{waiting.process_name} {waiting.rpid_id}", address)
        operation = operations.approve if self.approved else operations.reject
        try:
            operation(waiting, by=self.by, comment=self.comment)
        except WorkflowError as error:
            return str(error)
        return ""

    def done(self, count: int) -> str:
        """What was done with so many."""
        if self.approved:
            text = ngettext("%(count)d task was approved.", "%(count)d tasks were approved.", count)
        else:
            text = ngettext("%(count)d task was rejected.", "%(count)d tasks were rejected.", count)
        return text % {"count": count}


class SeveralView(PageView):
    """Approves or rejects what was selected in the inbox, and tells what became of each."""

    place = "inbox"

    def post(self, request: HttpRequest) -> HttpResponse:
        verb = request.POST.get("decision")
        if verb not in {"approve", "reject"}:
            return self.refuse(_("Press “Approve” or “Reject”. Nothing was changed."), status=400)
        keys = list(_keys(request.POST.getlist("task"), request.user))
        if not keys:
            messages.warning(request, _("Nothing was selected, so nothing was changed."))
            return back(request)
        word = Word(by=request.user, approved=verb == "approve", comment=request.POST.get("comment", "").strip())
        faults = list(word.faults(keys))
        if done := len(keys) - len(faults):
            messages.success(request, word.done(done))
        _tell(request, faults)
        return back(request)


def _keys(texts: Iterable[str], user: Any) -> Iterator[Key]:
    """What was shown to this user; each once."""
    for text in list(dict.fromkeys(texts))[:MOST]:
        key = shown.read(text, user)
        if key is not None:
            yield key


def _tell(request: HttpRequest, faults: Sequence[str]) -> None:
    for fault in faults[:MOST_TOLD]:
        messages.warning(request, fault)
    more = len(faults) - MOST_TOLD
    if more > 0:
        text = ngettext("%(count)d more was not decided.", "%(count)d more were not decided.", more)
        messages.warning(request, text % {"count": more})

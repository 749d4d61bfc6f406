"""Several tasks decided at once: each by itself, so that what can't be decided holds up nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflow import operations
from workflow.errors import AlreadyDecided, Stale, WorkflowError
from workflow.models import TaskRun, WaitingForApproval
from workflow.origin import PAGE
from workflow.people.seen import seen_in_a_list
from workflow.views import shown
from workflow.views.back import back
from workflow.views.base import PageView
from workflow.views.shown import Key

MOST = 100
MOST_TOLD = 10
_RELATED = ("instance", "decided_by", "waiting__task_run", "waiting__claimed_by", "waiting__rpid__version")


class Kind(Enum):
    """Why a task was not decided. Of several of one kind, one message tells."""

    DELETED = auto()
    TOO_LATE = auto()
    CHANGED = auto()
    HAS_FORM = auto()
    REFUSED = auto()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why one task was not decided: in a sentence, and as the name that it has in a list of them."""

    kind: Kind
    text: str
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Word:
    """What somebody has to say to all that they selected."""

    by: Any
    approved: bool
    comment: str

    def faults(self, keys: Sequence[Key]) -> Iterator[Fault]:
        """Decides each, and says of each that was not decided why."""
        runs = TaskRun.objects.filter(pk__in={key.run for key in keys}).select_related(*_RELATED)
        found = runs.defer("snapshot", "log", "changes", "result").in_bulk()
        # One order for all deciders: two that decide the same instances can't wait for each other.
        for key in sorted(keys, key=lambda key: found[key.run].instance_id if key.run in found else 0):
            if fault := self._fault(found.get(key.run), key):
                yield fault

    def _fault(self, run: TaskRun | None, key: Key) -> Fault | None:
        if run is None or not run.has_asked(key.name):
            return Fault(kind=Kind.DELETED, text=_("A task was deleted meanwhile."))
        name = f"{run.instance.process_name} {run.instance_id}: {run.task_name}"
        waiting: WaitingForApproval | None = getattr(run, "waiting", None)
        if waiting is None or (waiting.pk, waiting.external_key) != (key.waiting, key.name):
            return Fault(kind=Kind.TOO_LATE, text=operations.who_was_quicker(run), name=name)
        if self.approved and any(field.required for field in waiting.fields):
            address = reverse("workflow:decide", args=[run.pk])
            text = _('“{}” of {} has a form to fill in, so it is decided on <a href="{}">its page</a>.')
            told = format_html(text, waiting.task_name, f"{waiting.process_name} {waiting.rpid_id}", address)
            return Fault(kind=Kind.HAS_FORM, text=told, name=format_html('<a href="{}">{}</a>', address, name))
        operation = operations.approve if self.approved else operations.reject
        try:
            seen = seen_in_a_list(waiting, version=key.version, data=key.data)
            operation(waiting, by=self.by, comment=self.comment, seen=seen, via=PAGE)
        except AlreadyDecided as error:
            return Fault(kind=Kind.TOO_LATE, text=str(error), name=name)
        except Stale as error:
            return Fault(kind=Kind.CHANGED, text=str(error), name=name)
        except WorkflowError as error:
            return Fault(kind=Kind.REFUSED, text=str(error), name=name)
        return None

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


def _tell(request: HttpRequest, faults: Sequence[Fault]) -> None:
    for kind in Kind:
        if alike := [fault for fault in faults if fault.kind is kind]:
            messages.warning(request, alike[0].text if len(alike) == 1 else _told(kind, alike))


def _told(kind: Kind, faults: Sequence[Fault]) -> str:
    """One message of several that were not decided for the same kind of reason."""
    match kind:
        case Kind.DELETED:
            text = _("{} tasks were deleted meanwhile.")
        case Kind.TOO_LATE:
            text = _("{} tasks wait for you no more, and were not changed: {}.")
        case Kind.CHANGED:
            text = _("{} tasks have changed since the list was shown, and were not decided: {}. Look at them again.")
        case Kind.HAS_FORM:
            text = _("{} tasks have a form to fill in, so each is decided on its page: {}.")
        case Kind.REFUSED:
            text = _("{} tasks were not decided: {}. Of the first: {}")
    return format_html(text, len(faults), _listed([fault.name for fault in faults]), faults[0].text)


def _listed(names: Sequence[str]) -> str:
    listed = format_html_join(", ", "{}", ((name,) for name in names[:MOST_TOLD]))
    more = len(names) - MOST_TOLD
    return format_html(_("{} and {} more"), listed, more) if more > 0 else listed

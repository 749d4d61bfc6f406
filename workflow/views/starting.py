"""Starting a process: what the user may start, and the form of one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflow import operations
from workflow.errors import WorkflowError
from workflow.forms import AnswersForm
from workflow.models import Process
from workflow.models.drafts import draft
from workflow.origin import PAGE
from workflow.picture import picture
from workflow.views.base import PageView, status_of

MOST = 60
"""Processes on one page; the search finds the others."""
FEW = 8
"""As many are found without a search."""
LONGEST_SEARCH = 100


class StartListView(PageView):
    """The processes that the user may start, and that are ready to be started."""

    place = "start"
    title = gettext_lazy("Start")

    def get(self, request: HttpRequest) -> HttpResponse:
        operations.Rights.kept(request.user)
        text = request.GET.get("text", "").replace("\0", "").strip()[:LONGEST_SEARCH]
        found = list(_searched(text, request.user)[: MOST + 1])
        ready = operations.ready(found[:MOST])
        return self.page(
            "start.html",
            processes=[process for process in found[:MOST] if process.name in ready],
            has_more=len(found) > MOST,
            text=text,
            has_search=bool(text) or len(found) > FEW,
        )


def _searched(text: str, user: Any) -> Any:
    startable = operations.startable(user).order_by("name")
    return startable.filter(Q(name__icontains=text) | Q(description__icontains=text)) if text else startable


class StartView(PageView):
    """The form that a process is started with. Each form that is shown starts one instance, however often it is sent."""

    place = "start"

    def get(self, request: HttpRequest, key: int) -> HttpResponse:
        return self._form(_process(request, key), token=uuid4())

    def post(self, request: HttpRequest, key: int) -> HttpResponse:
        process = _process(request, key)
        token = _token(request.POST.get("token", ""))
        if token is None:
            return self.refuse(_("This form is not complete. Open it again; nothing was started."), status=400)
        once = f"page {request.user.pk} {token}"
        if (there := operations.started_as(once)) is not None:
            messages.info(request, _("This form has started %(instance)s already.") % {"instance": there})
            return redirect("workflow:instance", there.pk)
        with AnswersForm(draft(process).fields, request.POST, request.FILES, by=request.user) as form:
            if not form.is_valid():
                return self._form(process, token=token, form=form, status=422)
            return self._start(process, form, token=token, once=once)

    def _start(self, process: Process, form: AnswersForm, *, token: UUID, once: str) -> HttpResponse:
        request = self.request
        try:
            instance = operations.start(process, form.answers, user=request.user, once=once, via=PAGE)
        except WorkflowError as error:
            form.add_error(None, str(error).partition("\n")[0])
            return self._form(process, token=token, form=form, status=status_of(error))
        messages.success(request, _("%(instance)s was started.") % {"instance": instance})
        return redirect("workflow:instance", instance.pk)

    def _form(
        self, process: Process, *, token: UUID, form: AnswersForm | None = None, status: int = 200
    ) -> HttpResponse:
        definition = draft(process)
        return self.page(
            "start_process.html",
            status=status,
            title=process.name,
            process=process,
            form=form or AnswersForm(definition.fields, by=self.request.user),
            token=token,
            mistakes=_mistakes(definition),
            diagram=picture(definition, inside=operations.sees_inside(self.request.user)),
        )


def _process(request: HttpRequest, key: int) -> Process:
    operations.Rights.kept(request.user)
    return get_object_or_404(operations.startable(request.user), pk=key)


def _token(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _mistakes(definition: Any) -> Sequence[str]:
    return [str(finding) for finding in operations.findings(definition) if finding.level == "error"]

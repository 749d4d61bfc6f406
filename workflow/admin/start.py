"""The page that starts processes: it asks for the data first."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import operations, values
from workflow.admin import show
from workflow.admin.chosen import keys
from workflow.errors import NotStartable, WorkflowError
from workflow.forms import AnswersForm
from workflow.models import Process, RunningProcesses
from workflow.origin import ADMIN

if TYPE_CHECKING:
    from workflow.admin.processes import ProcessAdmin

MOST = 50
"""Processes that can be started at once; their numbers have to fit into an address."""


class StartForm(forms.Form):
    """What an instance starts with."""

    json = forms.CharField(
        label=_("Data"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "cols": 60, "spellcheck": "false", "class": "workflow-code"}),
        help_text=_(
            'A JSON object, such as {"amount": 180, "due": {"$date": "2026-03-01"}, "price": {"$decimal": "12.50"}}. '
            "Blank: no data."
        ),
    )

    def clean_json(self) -> Any:
        text = self.cleaned_data["json"]
        try:
            return values.loads(text) if text else {}
        except values.ValueProblem as problem:
            raise forms.ValidationError(str(problem)) from problem


def address(site: AdminSite, processes: Iterable[int]) -> str:
    """Where these processes, given by their primary keys, are started."""
    return show.page_address(site, "process_start", id=list(processes))


def view(admin: "ProcessAdmin", request: HttpRequest) -> HttpResponse:
    """Ask for the data, and start on a POST."""
    if not admin.has_start_permission(request):
        raise PermissionDenied
    processes = _processes(request)
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = StartForm(*sent)
    asked = AnswersForm(
        operations.start_form(processes[0]) if len(processes) == 1 else (), *sent, by=request.user, prefix="answer"
    )
    broken: list[str] = []
    with asked:
        if asked.is_valid() & form.is_valid() and processes:  # each is read, also where the other one is wrong
            try:
                data = _data(form.cleaned_data["json"], asked.answers)
                started = operations.start_many(
                    [process.name for process in processes], [data], user=request.user, via=ADMIN
                )
            except NotStartable as error:
                form.add_error(None, str(error).partition("\n")[0])
                broken = list(error.mistakes)
            except WorkflowError as error:
                form.add_error(None, str(error))
            else:
                return _started(request, started, admin.admin_site)
    context = {
        **admin.admin_site.each_context(request),
        "title": _("Start"),
        "processes": processes,
        "form": form,
        "asked": asked,
        "mistakes": broken,
        "opts": admin.opts,
        "media": admin.media,
    }
    return TemplateResponse(request, "admin/workflow/start.html", context)


def _data(json: Any, answers: Mapping[str, Any]) -> Any:
    """The data with the answers to the form; what is no object stays as it is, and is refused."""
    given = {} if json is None else json
    return {**given, **answers} if isinstance(given, Mapping) else given


def _processes(request: HttpRequest) -> list[Process]:
    return list(Process.objects.filter(pk__in=keys(request, "id", most=MOST)))


def _started(request: HttpRequest, started: list[RunningProcesses], site: AdminSite) -> HttpResponse:
    may_look = show.may_view(request, "runningprocesses")
    for instance in started:
        number = show.link(site, "runningprocesses", instance.pk, instance.pk) if may_look else instance.pk
        messages.success(request, format_html(gettext("{} was started as instance {}."), instance.process_name, number))
    if len(started) == 1 and may_look:
        return redirect(show.address(site, "runningprocesses", started[0].pk))
    return redirect(show.list_address(site, "process"))

"""What all pages share: who is not logged in logs in first, and what is refused is told, with the status that fits."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.generic.base import ContextMixin, View

from workflow.errors import (
    AlreadyDecided,
    BadData,
    DefinitionTooNew,
    LinkExpired,
    LinkForged,
    LinkVoid,
    NoSuchInstance,
    NoSuchProcess,
    NotAllowed,
    NothingWaits,
    NotPermitted,
    NotStartable,
    Stale,
    WorkflowError,
)

STATUS: dict[type[WorkflowError], int] = {
    NotAllowed: 403,
    NoSuchInstance: 404,
    NoSuchProcess: 404,
    NothingWaits: 404,
    AlreadyDecided: 409,
    NotPermitted: 409,
    NotStartable: 409,
    Stale: 409,
    BadData: 422,
    DefinitionTooNew: 503,
    LinkForged: 404,
    LinkExpired: 410,
    LinkVoid: 410,
}


def status_of(error: WorkflowError) -> int:
    """The status of HTTP that says the same as the error; 400 where none says more than that."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 400)


class PageView(LoginRequiredMixin, ContextMixin, View):
    """The base of all pages. `place` is where it is in the navigation, `title` what its browser tab and heading say."""

    place = ""
    title: Any = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What an operation refuses becomes a page that tells it, never an error of the server."""
        try:
            response = super().dispatch(request, *args, **kwargs)
        except WorkflowError as error:
            response = self.refuse(str(error), status=status_of(error))
        patch_cache_control(response, private=True, no_cache=True)  # what one person sees is nobody else's
        return response

    def handle_no_permission(self) -> Any:
        """A part of a page that asks for news after its session has ended gets none, instead of the page to log in."""
        if "HX-Request" in self.request.headers:
            return HttpResponse(status=401)
        return super().handle_no_permission()

    def refuse(self, message: str, *, status: int) -> HttpResponse:
        """The page that says why something was not done, or can't be shown."""
        context = {"title": _("That was not done"), "message": message, "place": self.place}
        return TemplateResponse(self.request, "workflow/refused.html", context, status=status)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"place": self.place, "title": self.title, **kwargs})

    def page(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """The page that a template of `workflow/` makes."""
        context = self.get_context_data(**context)
        return TemplateResponse(self.request, f"workflow/{template}", context, status=status)

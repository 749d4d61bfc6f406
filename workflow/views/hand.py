"""Claiming, releasing, and handing on to somebody."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from workflow import operations
from workflow.errors import BadData, NoSuchUser, NotPermitted
from workflow.models import WaitingForApproval
from workflow.models.people import called
from workflow.origin import PAGE
from workflow.views.back import back
from workflow.views.base import PageView
from workflow.views.facts import full_name
from workflow.views.found import found_run, told

PEOPLE_OFFERED = 10
LEAST_TYPED = 2
"""Characters; with fewer, it would be a list of everybody."""


class ClaimView(PageView):
    """Takes a task on, so that nobody else decides it."""

    operation: ClassVar[Callable[..., None]] = operations.claim

    def post(self, request: HttpRequest, key: int) -> HttpResponse:
        run, waiting = found_run(request.user, key)
        if waiting is None:
            return self.page("decided.html", status=409, **told(run, request.user))
        type(self).operation(waiting, request.user, via=PAGE)
        messages.success(request, self.told(waiting))
        return back(request)

    def told(self, waiting: WaitingForApproval) -> str:
        """What was done."""
        return _("You have claimed “%(task)s”: nobody else decides it until you release it.") % {
            "task": waiting.task_name
        }


class ReleaseView(ClaimView):
    """Gives a claimed task back to all whom it asks."""

    operation = operations.release

    def told(self, waiting: WaitingForApproval) -> str:
        return _("“%(task)s” is released.") % {"task": waiting.task_name}


class DelegateView(PageView):
    """Hands a task on to a person."""

    def post(self, request: HttpRequest, key: int) -> HttpResponse:
        run, waiting = found_run(request.user, key)
        if waiting is None:
            return self.page("decided.html", status=409, **told(run, request.user))
        try:
            to = operations.user_named(request.POST.get("to", "").strip())
            operations.delegate(waiting, to, request.user, request.POST.get("comment", "").strip(), via=PAGE)
        except (NoSuchUser, NotPermitted, BadData) as error:  # somebody else can be named
            messages.error(request, str(error))
            return redirect("workflow:decide", key)
        done = _("“%(task)s” is handed on to %(who)s.")
        messages.success(request, done % {"task": waiting.task_name, "who": full_name(to)})
        return back(request)


class PeopleView(PageView):
    """The people whose names begin with what is being typed, for fields that ask for a person: for who has such fields."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not _takes_part(request.user):
            return HttpResponse(status=403)
        text = request.GET.get("q", "").replace("\0", "").strip()[:100]
        found = called(text)[:PEOPLE_OFFERED] if len(text) >= LEAST_TYPED else ()
        people = [(user.get_username(), full_name(user)) for user in found]
        return self.page("people.html", people=people)


def _takes_part(user: Any) -> bool:
    """Whether something waits for the user, or there is a process that they may start."""
    rights = operations.Rights.kept(user)
    return user.is_superuser or operations.inbox(user, rights).exists() or operations.startable(user).exists()

"""What waits for the user: found, claimed, and decided several at once."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from workflow import clock, operations
from workflow.models import Process
from workflow.templatetags.workflow import counted
from workflow.views.base import PageView
from workflow.views.filters import AGES, TABS, Filters
from workflow.views.rows import digest, rows

PAGE = 25
LOOKED_AT_FOR_PROCESSES = 1_000
"""Tasks of an inbox that say which processes can be chosen. Of a longer one the other processes are asked for by name."""


_HEAVY = tuple(f"task_run__{name}" for name in ("snapshot", "log", "changes", "result", "error"))


class InboxView(PageView):
    """The inbox, or, for a page that is open and asks for news, its list: nothing where that has not changed."""

    place = "inbox"
    title = _("Inbox")

    def get(self, request: HttpRequest) -> HttpResponse:
        filters = Filters.read(request.GET)
        rights = operations.Rights.kept(request.user)
        inbox = operations.inbox(request.user, rights)
        now = clock.now()
        found = filters.of(inbox, user=request.user, absent=rights.absent, now=now)
        found = found.select_related("claimed_by", "task_run").defer(*_HEAVY)
        shown = rows(list(found[: PAGE + 1]), user=request.user, now=now)
        listed = self._list(filters, shown)
        if "HX-Request" not in request.headers:
            return self.page("inbox.html", **listed, **_choices(filters, inbox), now=now)
        if request.GET.get("known") == listed["digest"]:
            return HttpResponse(status=204)
        return self.page("inbox_list.html", **listed)

    def _list(self, filters: Filters, shown: list[Any]) -> dict[str, Any]:
        page, more = shown[:PAGE], len(shown) > PAGE
        address, known = reverse("workflow:inbox"), digest(shown)
        here = f"{address}{filters.query()}"
        return {
            "rows": page,
            "filters": filters,
            "here": here,
            "digest": known,
            "news": f"{here}{'&' if '?' in here else '?'}known={known}",
            "next_page": f"{address}{filters.query(after=page[-1].place)}" if more else "",
            "first_page": f"{address}{filters.query(after='')}" if filters.after else "",
        }


def _choices(filters: Filters, inbox: Any) -> dict[str, Any]:
    """The tabs, each with its address, and what a choice offers: all that is asked for stays as it is besides."""
    return {
        "tabs": [(label, filters.query(tab=tab), tab == filters.tab) for tab, label in TABS.items()],
        "ages": AGES.items(),
        "processes": sorted({*_processes(inbox), *filter(None, [filters.process])}),
    }


def _processes(inbox: Any) -> set[str]:
    """The names of the processes of which something is in the inbox."""
    first = list(inbox.order_by()[:LOOKED_AT_FOR_PROCESSES].values_list("process_name", flat=True))
    found = set(first)
    if len(first) == LOOKED_AT_FOR_PROCESSES:
        # Only what waits of the others is looked through, by the index of names, and not thousands of tasks of one process.
        others = Process.objects.exclude(name__in=found).order_by().values("name")
        found.update(inbox.filter(process_name__in=others).order_by().values_list("process_name", flat=True).distinct())
    return found


class CountView(PageView):
    """The number beside the inbox in the navigation, which pages ask for again from time to time."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.GET.get("known") == counted(request.user):
            return HttpResponse(status=204)  # so that nobody is told the same again
        return self.page("count.html")

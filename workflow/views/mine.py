"""What the user has started."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.models import InstanceState, RunningProcesses
from workflow.models.states import ENDED
from workflow.views import lines
from workflow.views.base import PageView

UNDER_WAY = "open"
STATES: Mapping[str, Any] = {
    "": _("All"),
    UNDER_WAY: _("Under way"),
    **{str(state): state.label for state in InstanceState if state in ENDED},
}
PROCESSES_OFFERED = 200


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What the address asks for; what makes no sense is passed over."""

    state: str = ""
    process: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """As the query of an address has it."""
        state = query.get("state", "")
        return cls(state=state if state in STATES else "", process=query.get("process", "").replace("\0", "")[:200])

    def of(self, instances: QuerySet[RunningProcesses]) -> QuerySet[RunningProcesses]:
        """What is left of these."""
        if self.state == UNDER_WAY:
            instances = instances.filter(ended_at=None)
        elif self.state:
            instances = instances.filter(state=self.state)
        return instances.filter(process_name=self.process) if self.process else instances

    def address(self, **changes: Any) -> str:
        """The query of the address with these filters and some changes."""
        given = {"state": self.state, "process": self.process, **changes}
        return "?" + urlencode({name: value for name, value in given.items() if value})


class MineView(PageView):
    place = "mine"
    title = _("Mine")

    def get(self, request: HttpRequest) -> HttpResponse:
        user: Any = request.user
        operations.Rights.kept(user)
        filters = Filters.read(request.GET)
        # `depth` keeps out what these have started in their turn, and makes one index find them in their order.
        started = RunningProcesses.objects.filter(started_by=user, depth=0)
        before = request.GET.get("before", "")
        found = lines.read(filters.of(started), before=before, user=user)
        return self.page(
            "mine.html",
            found=found,
            filters=filters,
            states=[(label, filters.address(state=state), state == filters.state) for state, label in STATES.items()],
            processes=_processes(user, filters),
            older=filters.address(before=found.older) if found.older else "",
            newest=filters.address() if before else "",
        )


def _processes(user: Any, filters: Filters) -> list[str]:
    """What can be chosen from: to look through all that somebody has started would take its time."""
    names = operations.startable(user).order_by("name").values_list("name", flat=True)[:PROCESSES_OFFERED]
    return sorted({*names, *filter(None, [filters.process])})

"""What of an inbox is asked for: by a tab, a search, a process, an age, and a place at which a page of it begins."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from workflow.models.people import called
from workflow.models.waiting import LONGEST_NUMBER, WaitingForApproval, WaitingQuerySet

TABS = {
    "": _("Everything"),
    "me": _("Me by name"),
    "groups": _("My groups"),
    "claimed": _("Claimed by me"),
}
OVERDUE = "overdue"
AGES = {
    OVERDUE: _("overdue"),
    "1": _("for more than a day"),
    "3": _("for more than three days"),
    "7": _("for more than a week"),
    "30": _("for more than a month"),
}
LONGEST_SEARCH = 100
MOST_STARTERS = 100
"""Users with a name that is searched for; of more, nobody could tell whom they meant."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page begins: after what is due then, and has this key. Pages are not counted, so that none is slow."""

    due_at: datetime | None
    key: int

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """What `str` wrote; `None` for anything else."""
        key, _, moment = text.partition("_")
        if not (key.isdecimal() and key.isascii() and len(key) < LONGEST_NUMBER):
            return None
        if not moment:
            return cls(due_at=None, key=int(key))
        try:
            due_at = parse_datetime(moment)
            if due_at is not None and due_at.tzinfo is not None:
                due_at = due_at.astimezone(UTC)  # what is beyond the calendar there, no database knows
        except (ValueError, OverflowError):
            return None
        return cls(due_at=due_at, key=int(key)) if due_at is not None and due_at.tzinfo is not None else None

    @classmethod
    def of(cls, waiting: WaitingForApproval) -> Self:
        """The place after that one."""
        return cls(due_at=waiting.due_at, key=waiting.pk)

    def __str__(self) -> str:
        return f"{self.key}_{self.due_at.isoformat()}" if self.due_at else str(self.key)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """As an address has them; what makes no sense is passed over."""

    tab: str = ""
    text: str = ""
    process: str = ""
    age: str = ""
    after: Place | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """What the query of an address asks for."""
        tab, age = query.get("tab", ""), query.get("age", "")
        return cls(
            tab=tab if tab in TABS else "",
            text=query.get("text", "").replace("\0", "").strip()[:LONGEST_SEARCH],
            process=query.get("process", "").replace("\0", "")[:200],
            age=age if age in AGES else "",
            after=Place.read(query.get("after", "")),
        )

    @property
    def are_any(self) -> bool:
        """Whether less than everything is asked for."""
        return bool(self.text or self.process or self.age)

    def query(self, **changes: Any) -> str:
        """The query of the address that has these filters with some changes: with its `?`, or blank."""
        given = {name: value for name, value in asdict(replace(self, after=None)).items() if value}
        given |= {name: str(value) for name, value in changes.items()}
        if self.after is not None and not changes:
            given["after"] = str(self.after)
        query = urlencode({name: value for name, value in given.items() if value})
        return f"?{query}" if query else ""

    def of(self, waiting: WaitingQuerySet, *, user: Any, absent: list[Any], now: datetime) -> WaitingQuerySet:
        """What is left of an inbox, in its order."""
        found = self._of_tab(waiting, user=user, absent=absent)
        if self.text:
            starters = called(self.text, anywhere=True).values_list("pk", flat=True)[:MOST_STARTERS]
            found = found.search(self.text, starters=list(starters))
        if self.process:
            found = found.filter(process_name=self.process)
        if self.age == OVERDUE:
            found = found.overdue(now)
        elif self.age:
            found = found.filter(queued_at__lte=now - timedelta(days=int(self.age)))
        if self.after is not None:
            found = found.after(self.after.due_at, self.after.key)
        return found.due_first()

    def _of_tab(self, waiting: WaitingQuerySet, *, user: Any, absent: list[Any]) -> WaitingQuerySet:
        match self.tab:
            case "me":
                return waiting.naming([user, *absent])
            case "groups":
                return waiting.exclude(pk__in=waiting.naming([user, *absent]).order_by().values("pk"))
            case "claimed":
                return waiting.claimed(user)
        return waiting

"""What an instance has done, newest first: its task runs with their calls and decisions, and what people and programs did beside them.

A page of it is read by a number of queries that does not grow, however long the history is.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.db.models import Case, CharField, F, JSONField, Max, Q, TextField, Value, When, Window
from django.db.models.functions import Cast, Length, RowNumber
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from workflow.code.ledger import written
from workflow.models import ActionCall, Decision, RunningProcesses, RunState, TaskRun
from workflow.models.fields import ValuesField
from workflow.models.states import OPEN
from workflow.origin import Name, Origin, kept

RUNS_SHOWN = 25
CALLS_SHOWN = 10
"""Of each task run, the newest. A loop may have made ten thousand."""
NOTES_SHOWN = 50
VOTES_SHOWN = 200
CHILDREN_SHOWN = 20
LONGEST_ARGUMENTS = 2_000
"""Bytes of arguments that are read for a page; what is longer is not shown."""
WORDS = {
    "claim": gettext_lazy("claimed %(details)s"),
    "release": gettext_lazy("gave %(details)s back"),
    "delegate": gettext_lazy("handed on %(details)s"),
    "resolve again": gettext_lazy("had asked again %(details)s"),
    "cancel": gettext_lazy("cancelled it"),
    "pause": gettext_lazy("paused it"),
    "resume": gettext_lazy("let it go on"),
    "retry": gettext_lazy("had what failed tried again"),
    "restart": gettext_lazy("had what failed begun anew"),
    "skip": gettext_lazy("skipped what failed, %(details)s"),
    "goto": gettext_lazy("sent it to %(details)s"),
    "remind": gettext_lazy("reminded people of %(details)s"),
    "escalate": gettext_lazy("escalated %(details)s"),
    "decide by default": gettext_lazy("decided by default %(details)s"),
}
OF_DEADLINES = frozenset({"remind", "escalate", "decide by default"})
"""What no person does, but the engine when people are late."""
# As the admin lists them, and what a deadline decides.
ACTIONS = (
    *(gettext_noop("claim"), gettext_noop("release"), gettext_noop("delegate"), gettext_noop("resolve again")),
    *(gettext_noop("cancel"), gettext_noop("pause"), gettext_noop("resume"), gettext_noop("retry")),
    *(gettext_noop("restart"), gettext_noop("skip"), gettext_noop("goto")),
    *(gettext_noop("approve"), gettext_noop("reject")),
    *(gettext_noop("remind"), gettext_noop("escalate"), gettext_noop("decide by default")),
)
_HEAVY = ("result", "changes", "log", "snapshot")


@dataclass(frozen=True, kw_only=True)
class CallEntry:
    """One call of an action, or of a built-in function, and the instances that it has started."""

    call: ActionCall
    text: str
    children: Sequence[RunningProcesses] = ()

    @property
    def duration(self) -> timedelta | None:
        """How long it took; `None` while it waits."""
        return self.call.duration


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """One task run, with its newest calls in their order, and what people have decided of it."""

    is_note: ClassVar = False

    run: TaskRun
    calls: Sequence[CallEntry]
    has_earlier_calls: bool
    votes: Sequence[Decision]

    @property
    def at(self) -> datetime:
        """When it began."""
        return self.run.started_at

    @property
    def is_open(self) -> bool:
        """Whether it may still do something."""
        return self.run.state in OPEN

    @property
    def duration(self) -> timedelta | None:
        """How long it took; `None` while it is open, and where it did not take any."""
        if self.run.ended_at is None or self.run.state == RunState.SKIPPED:
            return None
        return self.run.ended_at - self.run.started_at


@dataclass(frozen=True, kw_only=True)
class NoteEntry:
    """What somebody did beside the tasks: an intervention, or a signal that was sent and is not taken yet."""

    is_note: ClassVar = True

    at: datetime
    action: str
    details: str
    made: Origin
    reason: str
    is_signal: bool = False

    @property
    def is_of_a_deadline(self) -> bool:
        """Whether the engine did it."""
        return self.action in OF_DEADLINES

    @property
    def words(self) -> str:
        """What was done, as it follows the name of who did it."""
        if self.action == "skip" and not self.details:
            return gettext("skipped what failed")
        known = WORDS.get(self.action)
        return known % {"details": self.details} if known else f"{self.action} {self.details}".strip()


Entry = RunEntry | NoteEntry


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page of the time line begins: after the run of that visit and row."""

    visit: int
    row: int

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """What `str` wrote; `None` for what is none."""
        visit, _, row = text.partition(".")
        is_place = all(part.isdecimal() and part.isascii() and len(part) < 10 for part in (visit, row))
        return cls(visit=int(visit), row=int(row)) if is_place else None

    def __str__(self) -> str:
        return f"{self.visit}.{self.row}"


@dataclass(frozen=True, kw_only=True)
class TimeLine:
    """A page of it. `newest` is the newest run of each row, whether or not it is on the page."""

    entries: Sequence[Entry]
    earlier: Place | None
    newest: Sequence[TaskRun]
    children: Sequence[RunningProcesses]
    has_more_children: bool
    listening: Sequence[str]
    """The signals that its code waits for now."""


def read(instance: RunningProcesses, *, after: Place | None = None, inside: bool = True) -> TimeLine:
    """The newest page of the time line, or the one `after` a place. Six queries at most.

    Without sight of its `inside`, as people read it, it has neither the arguments of calls nor a result that an operator
    gave; of errors, the page says only that there are some.
    """
    runs, newest, upper = _runs(instance, after)
    shown, more = runs[:RUNS_SHOWN], len(runs) > RUNS_SHOWN
    calls = _calls([*shown, *(run for run in newest if run.state == RunState.SUSPENDED)], inside=inside)
    children = _children(instance) if calls else []
    entries = _run_entries(shown, calls, children[:CHILDREN_SHOWN])
    lower = shown[-1].started_at if more else None
    return TimeLine(
        entries=_merged(entries, _notes(instance, since=lower, before=upper, inside=inside)),
        earlier=Place(visit=shown[-1].visit, row=shown[-1].row) if more else None,
        newest=newest,
        children=children[:CHILDREN_SHOWN],
        has_more_children=len(children) > CHILDREN_SHOWN,
        listening=_listening(newest, calls),
    )


def _runs(instance: RunningProcesses, after: Place | None) -> tuple[list[TaskRun], list[TaskRun], datetime | None]:
    """The runs of the page and one more; the newest of each row; and, of a later page, where it begins."""
    runs = instance.task_runs.order_by("-visit", "row")
    page = runs
    if after is not None:
        page = runs.filter(Q(visit__lt=after.visit) | Q(visit=after.visit, row__gte=after.row))
    keys = page.values("pk")[: RUNS_SHOWN + (1 if after is None else 2)]
    newest = runs.order_by().values("row").annotate(newest=Max("pk")).values("newest")
    wanted = Q(pk__in=keys) if after is not None else Q(pk__in=keys) | Q(pk__in=newest)
    found = list(runs.filter(wanted).select_related("decided_by").defer(*_HEAVY))
    if after is None:
        of_rows = {run.row: run for run in reversed(found)}
        return found[: RUNS_SHOWN + 1], list(of_rows.values()), None
    if found and (found[0].visit, found[0].row) == (after.visit, after.row):
        return found[1:], [], found[0].started_at
    return found, [], None


def _calls(runs: Iterable[TaskRun], *, inside: bool) -> dict[int, list[ActionCall]]:
    """The newest calls of each run, and one more, in their order. Arguments that are very long stay where they are."""
    keys = {run.pk for run in runs}
    if not keys:
        return {}
    nth = Window(RowNumber(), partition_by="run", order_by=[F("number").desc(), F("attempt").desc()])
    newest = ActionCall.objects.filter(run__in=keys).order_by().annotate(nth=nth).filter(nth__lte=CALLS_SHOWN + 1)
    is_short = Q(size__lte=LONGEST_ARGUMENTS if inside else -1)
    calls = (
        ActionCall.objects.filter(pk__in=newest.values("pk"))
        .annotate(size=Length(Cast("arguments", TextField())))
        .annotate(short=Case(When(is_short, then=F("arguments")), output_field=ValuesField()))
        .defer("arguments", "result")
        .order_by("run", "number", "attempt")
    )
    found: dict[int, list[ActionCall]] = {}
    for call in calls:
        found.setdefault(call.run_id, []).append(call)
    return found


def _children(instance: RunningProcesses) -> list[RunningProcesses]:
    """What it has started, one more than is shown: first what has not ended, then the newest."""
    children = RunningProcesses.objects.filter(parent__run__instance=instance)
    wanted = children.only("process_name", "state", "started_at", "ended_at", "parent")
    return list(wanted.order_by(F("ended_at").desc(nulls_first=True), "-pk")[: CHILDREN_SHOWN + 1])


def _run_entries(
    runs: Sequence[TaskRun], calls: Mapping[int, Sequence[ActionCall]], children: Iterable[RunningProcesses]
) -> list[RunEntry]:
    votes = _votes(runs)
    started: dict[int | None, list[RunningProcesses]] = {}
    for child in children:
        started.setdefault(child.parent_id, []).append(child)
    return [
        RunEntry(
            run=run,
            calls=[
                CallEntry(call=call, text=_text(call), children=started.get(call.pk, ()))
                for call in calls.get(run.pk, ())[-CALLS_SHOWN:]
            ],
            has_earlier_calls=len(calls.get(run.pk, ())) > CALLS_SHOWN,
            votes=votes.get(run.pk, ()),
        )
        for run in runs
    ]


def _text(call: ActionCall) -> str:
    arguments = call.short  # type: ignore[attr-defined]  # annotated
    is_readable = isinstance(arguments, Mapping) and {"args", "kwargs"} <= arguments.keys()
    return written(call.name, arguments) if is_readable else f"{call.name}(…)"


def _votes(runs: Sequence[TaskRun]) -> dict[int, list[Decision]]:
    """What people have decided of these runs, in order; of very many the newest."""
    cast = Decision.objects.filter(task_run__in=[run.pk for run in runs]).select_related("user", "on_behalf_of")
    found: dict[int, list[Decision]] = {}
    for vote in reversed(cast.defer("answers", "saw").order_by("-pk")[:VOTES_SHOWN]):
        found.setdefault(vote.task_run_id, []).append(vote)
    return found


def _notes(
    instance: RunningProcesses, *, since: datetime | None, before: datetime | None, inside: bool
) -> list[NoteEntry]:
    """What was done beside the tasks in that time, newest first. One query asks for both kinds."""
    name = f"by__{get_user_model().USERNAME_FIELD}"
    interventions = instance.interventions.filter(**_within("at", since, before)).order_by()
    signals = instance.signals.filter(**_within("sent_at", since, before)).order_by()
    nothing = (Value(""), Value(None, CharField()), Value(None, JSONField()), Value(""))
    both = interventions.values_list("at", "action", "details", name, "origin", "reason", Value(False)).union(  # noqa: FBT003
        signals.values_list("sent_at", "mailbox__name", *nothing, Value(True)),  # noqa: FBT003
        all=True,
    )
    return [
        NoteEntry(
            at=at,
            action=action,
            details="" if action == "skip" and not inside else details,
            made=_made(origin, by),
            reason=reason,
            is_signal=bool(is_signal),
        )
        for at, action, details, by, origin, reason, is_signal in both.order_by("-at")[:NOTES_SHOWN]
    ]


def _made(origin: Mapping[str, Any] | None, by: str | None) -> Origin:
    """Who did it and how; of a row that is older than that, by the name that they have now."""
    if origin is not None:
        return kept(origin)
    return Origin(user=None if by is None else Name(key="", username=by))


def _within(field: str, since: datetime | None, before: datetime | None) -> dict[str, Any]:
    limits = {f"{field}__gte": since, f"{field}__lt": before}
    return {lookup: limit for lookup, limit in limits.items() if limit is not None}


def _merged(runs: Sequence[RunEntry], notes: Sequence[NoteEntry]) -> list[Entry]:
    """Runs keep their order; a note stands above what began before it."""
    entries: list[Entry] = []
    ahead = deque(notes)
    for run in runs:
        while ahead and ahead[0].at >= run.at:
            entries.append(ahead.popleft())
        entries.append(run)
    return [*entries, *ahead]


def _listening(newest: Iterable[TaskRun], calls: Mapping[int, Sequence[ActionCall]]) -> list[str]:
    suspended = [run.pk for run in newest if run.state == RunState.SUSPENDED]
    return [call.signal for key in suspended for call in calls.get(key, ()) if call.signal and call.ended_at is None]

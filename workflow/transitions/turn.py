"""A turn: what an engine wants written at once of an instance that it holds, and what becomes of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from workflow.deciding import Circle
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun, WaitingForApproval
from workflow.models.states import ENDED
from workflow.starting import Start
from workflow.transitions.leases import Guard, Lease

Asked = tuple[WaitingForApproval, Circle]
"""What begins to wait for people, and whom it asks."""

CLOSED = frozenset({RunState.CANCELLED, RunState.FAILED})


class Applied(Enum):
    """What became of a guarded write."""

    DONE = "done"
    OUTDATED = "outdated"  # somebody decided meanwhile: load again, and decide anew
    LOST = "lost"  # another engine, or an operator, has the instance now: let go
    HELD_UP = "held up"  # somebody else has locked what it needs: write it again


@dataclass(kw_only=True)
class Turn:
    """What an engine wants written at once: the instance's new fields, and its task runs' outcomes and beginnings.

    `due_at` is when to take the instance next if nothing comes from outside before; while RUNNING it is the lease's.
    `calls` are ledger entries; `woken` are runs whose call has waited long enough, `at` this time. `children` are what
    calls among them start, and `parent` is the call that waits for this instance's end. `standing` are runs of which
    only where their code stands is written, if they still run.
    """

    state: InstanceState
    due_at: datetime | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    changed: Sequence[TaskRun] = ()
    calls: Sequence[ActionCall] = ()
    woken: Sequence[TaskRun] = ()
    created: Sequence[TaskRun] = ()
    waiting: Sequence[Asked] = ()
    children: Sequence[tuple[ActionCall, Sequence[Start]]] = ()
    parent: ActionCall | None = None
    standing: Sequence[TaskRun] = ()
    at: datetime | None = None

    @classmethod
    def merged(cls, turns: Sequence["Turn"]) -> "Turn":
        """Turns that follow one another as one, where nothing was written between them."""
        if len(turns) == 1:
            return turns[0]
        fields: dict[str, Any] = {}
        for turn in turns:
            fields |= turn.fields
        return replace(
            turns[-1],
            fields=fields,
            changed=list({run.pk: run for turn in turns for run in turn.changed if run.pk}.values()),
            calls=[call for turn in turns for call in turn.calls],
            woken=[run for turn in turns for run in turn.woken],
            created=[run for turn in turns for run in turn.created],
            waiting=[one for turn in turns for one in turn.waiting],
            children=[family for turn in turns for family in turn.children],
        )

    @property
    def listening(self) -> list[ActionCall]:
        """The calls that begin to wait for a signal."""
        return [call for call in self.calls if call.signal and call.ended_at is None]

    @property
    def unanswered(self) -> list[int]:
        """The runs that go no further, and may have waited for something."""
        return [run.pk for run in self._closed]

    @property
    def childless(self) -> bool:
        """Whether none of the runs that go no further can have started another instance: that takes a call."""
        return not any(run.call_number for run in self._closed)

    @property
    def is_local(self) -> bool:
        """Whether it concerns no other instance, and no signal."""
        return self.childless and not (self.children or self.listening or (self.parent and self.state in ENDED))

    @property
    def _closed(self) -> list[TaskRun]:
        return [run for run in self.changed if run.pk and run.state in CLOSED]

    @property
    def is_pure(self) -> bool:
        """Whether it only says how far code without calls has come, which can be found out again."""
        known = any(run.pk for run in self.changed)
        return not (known or self.calls or self.waiting or self.woken or self.children)

    @property
    def is_plain(self) -> bool:
        """Whether it is of code that makes no calls, and asks nobody: most are."""
        return self.is_local and not (self.calls or self.waiting or self.woken or self.standing or self._closed)


RUN_FIELDS = (
    *("state", "attempt", "ended_at", "due_at", "deadline", "result", "changes", "log", "error"),
    *("snapshot", "call_number", "begun"),
)
"""What a turn changes of a task run."""

UNIQUE_RUN = ("instance_id", "visit", "row")


def verdicts(leases: Sequence[Lease], found: Mapping[int, Guard]) -> list[Applied]:
    """What becomes of turns under these leases, of instances that were `found` so. Those that were not may be locked by somebody."""
    missing = [lease.instance for lease in leases if lease.instance not in found]
    held_up = set(RunningProcesses.objects.filter(pk__in=missing).values_list("pk", flat=True)) if missing else set()
    return [
        Applied.HELD_UP if lease.instance in held_up else _verdict(lease, found.get(lease.instance)) for lease in leases
    ]


def _verdict(lease: Lease, found: Guard | None) -> Applied:
    if found is None or found[:3] != (InstanceState.RUNNING, lease.owner, lease.fence):
        return Applied.LOST
    return Applied.DONE if found[3] == lease.events else Applied.OUTDATED


def alike(turns: Sequence[tuple[Lease, Turn]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """The instances' new fields, with their `id`, by which fields those are."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for lease, turn in turns:
        fields = dict(turn.fields)
        if turn.state != InstanceState.RUNNING:
            fields |= {"state": turn.state, "owner": "", "due_at": turn.due_at}
        if fields:
            found.setdefault(tuple(sorted(fields)), []).append({"id": lease.instance, **fields})
    return found

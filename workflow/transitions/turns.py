"""What engines write: turns of the instances that they hold, many in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from django.db import transaction

from workflow import circle, notices
from workflow.deciding import Circle
from workflow.models import (
    ActionCall,
    InstanceState,
    NoticeKind,
    RunningProcesses,
    RunState,
    TaskRun,
    WaitingForApproval,
    bulk,
)
from workflow.models.states import ENDED
from workflow.starting import Start
from workflow.transitions import events
from workflow.transitions.leases import Lease, guards, hold, locked

Asked = tuple[WaitingForApproval, Circle]
"""What begins to wait for people, and whom it asks."""

RUN_FIELDS = (
    *("state", "attempt", "ended_at", "due_at", "deadline", "result", "changes", "log", "error"),
    *("snapshot", "call_number", "begun"),
)
CLOSED = frozenset({RunState.CANCELLED, RunState.FAILED})
WHERE_IT_STANDS = ("snapshot", "call_number", "begun", "log")


class RunClosed(Exception):
    """The step has ended without this run: what its code does has no effect any more."""


class Applied(Enum):
    """What became of a guarded write."""

    DONE = "done"
    OUTDATED = "outdated"  # somebody decided meanwhile: load again, and decide anew
    LOST = "lost"  # another engine, or an operator, has the instance now: let go


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


def apply(lease: Lease, turn: Turn) -> Applied:
    """Write a turn, whole or not at all, if the lease still holds and nothing came from outside since."""
    return apply_all([(lease, turn)])[0]


def apply_all(turns: Sequence[tuple[Lease, Turn]]) -> list[Applied]:
    """Write turns of different instances, each as `apply` does, as many as can be in one transaction.

    Each can be written again, to no further effect, where the connection broke before the commit was heard of.
    """
    applied: dict[int, Applied] = {}
    local = [number for number, (_, turn) in enumerate(turns) if turn.is_local]
    if local:
        with transaction.atomic():
            written = _write([turns[number] for number in local])
        applied.update(zip(local, written, strict=True))
    for number, (lease, turn) in enumerate(turns):
        if number not in applied:
            applied[number] = _apply_far(lease, turn)
    return [applied[number] for number in range(len(turns))]


def checkpoint(lease: Lease, run: TaskRun, calls: Sequence[ActionCall]) -> None:
    """Write where the code of a run stands, with the calls that have ended since. Raises `LeaseLost`, `RunClosed`.

    To be called in a transaction: the instance stays locked until that ends, so that no other engine takes it over
    between our look at the lease and our commit.
    """
    hold(lease)
    if _write_standing([Turn(state=InstanceState.RUNNING, standing=[run], calls=calls)]):
        raise RunClosed(f"Task run {run.pk} was closed.")


def _apply_far(lease: Lease, turn: Turn) -> Applied:
    """Write a turn that concerns other instances too, or a signal."""
    with transaction.atomic():
        # Before the instance, as others do: two that lock in one order don't wait for each other.
        events.lock_mailboxes(call.signal for call in turn.listening)
        above = locked(turn.parent.run.instance_id) if turn.parent and turn.state in ENDED else None
        (applied,) = _write([(lease, turn)])
        if applied is Applied.DONE:
            if turn.at and not turn.childless:
                events.cancel_children(turn.unanswered, now=turn.at)
            events.take_kept_signals(turn.listening)
            events.begin_children(turn.children)
            if turn.parent and above:
                events.settle(turn.parent, above, now=turn.fields["ended_at"])
    return applied


def _write(turns: Sequence[tuple[Lease, Turn]]) -> list[Applied]:
    found = guards([lease.instance for lease, _ in turns])
    applied = [_verdict(lease, found.get(lease.instance)) for lease, _ in turns]
    done = [pair for pair, verdict in zip(turns, applied, strict=True) if verdict is Applied.DONE]
    _write_instances(done)
    _write_runs([turn for _, turn in done])
    _take_back([turn for _, turn in done])
    stale = _write_standing([turn for _, turn in done if turn.standing])
    return [
        Applied.OUTDATED if any(run.pk in stale for run in turn.standing) else verdict
        for (_, turn), verdict in zip(turns, applied, strict=True)
    ]


def _verdict(lease: Lease, found: tuple[str, str, int, int] | None) -> Applied:
    if found is None or found[:3] != (InstanceState.RUNNING, lease.owner, lease.fence):
        return Applied.LOST
    return Applied.DONE if found[3] == lease.events else Applied.OUTDATED


def _write_instances(turns: Iterable[tuple[Lease, Turn]]) -> None:
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for lease, turn in turns:
        fields = dict(turn.fields)
        if turn.state != InstanceState.RUNNING:
            fields |= {"state": turn.state, "owner": "", "due_at": turn.due_at}
        if fields:
            alike.setdefault(tuple(sorted(fields)), []).append({"id": lease.instance, **fields})
    for names, rows in alike.items():
        bulk.update(RunningProcesses, rows, names)


def _write_runs(turns: Sequence[Turn]) -> None:
    bulk.insert([run for turn in turns for run in turn.created], unique=("instance_id", "visit", "row"))
    bulk.update(TaskRun, [vars(run) for turn in turns for run in turn.changed if run.pk], RUN_FIELDS)
    for turn in turns:
        if turn.woken:
            ActionCall.objects.filter(run__in=turn.woken, ended_at=None).update(ended_at=turn.at)
    _insert_calls([call for turn in turns if not turn.standing for call in turn.calls])
    asked = [pair for turn in turns for pair in turn.waiting]
    for waiting, _ in asked:
        waiting.task_run = waiting.task_run  # its key is known only since it was written, right before
    bulk.insert([waiting for waiting, _ in asked], unique=("task_run_id",))
    circle.insert(asked)
    if asked:
        notices.queue(NoticeKind.WAITS, [waiting for waiting, _ in asked], now=asked[0][0].queued_at)


def _take_back(turns: Sequence[Turn]) -> None:
    closed = {key: turn.at for turn in turns if turn.at for key in turn.unanswered}
    if closed:
        # One time for all of them: what is written together came to its end within milliseconds.
        events.take_back(closed.keys(), now=max(closed.values()))


def _insert_calls(calls: Sequence[ActionCall]) -> None:
    for call in calls:
        call.run = call.run
    bulk.insert(calls, unique=("run_id", "number", "attempt"))


def _write_standing(turns: Sequence[Turn]) -> set[int]:
    """Write where code stands; returns the runs that do not run any more, of which nothing is written."""
    standing = {run.pk: run for turn in turns for run in turn.standing}
    if not standing:
        return set()
    running = set(TaskRun.objects.filter(pk__in=standing, state=RunState.RUNNING).values_list("pk", flat=True))
    bulk.update(TaskRun, [vars(run) for key, run in standing.items() if key in running], WHERE_IT_STANDS)
    _insert_calls([call for turn in turns for call in turn.calls if call.run.pk in running])
    return standing.keys() - running

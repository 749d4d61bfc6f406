"""The only writer of an instance's state, step, lease and fence, and of its task runs.

Every write is guarded by what it expects. An engine's writes hold its lease's `fence`, which each claim
counts up, and the `events` it has seen, which each decision from outside counts up: an engine that was too
late changes nothing, and is told which of the two it missed. Callers open the transactions that span
several of these functions; `claim` and `apply` open their own.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from workflow import starting
from workflow.models import (
    ActionCall,
    InstanceState,
    Mailbox,
    RunningProcesses,
    RunState,
    Signal,
    TaskRun,
    WaitingForApproval,
)
from workflow.models.states import DUE, ENDED, OPEN
from workflow.starting import Start


@dataclass(frozen=True, kw_only=True)
class Lease:
    """An engine's hold on an instance, until a deadline that the engine puts off while it works."""

    instance: int
    owner: str
    fence: int
    events: int


class Applied(Enum):
    """What became of a guarded write."""

    DONE = "done"
    OUTDATED = "outdated"  # somebody decided meanwhile: load again, and decide anew
    LOST = "lost"  # another engine, or an operator, has the instance now: let go


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What an engine wants written at once: the instance's new fields, and its task runs' outcomes and beginnings.

    `due_at` is when to take the instance next if nothing comes from outside before; while RUNNING it is the lease's.
    `calls` are ledger entries; `woken` are runs whose call has waited long enough, `at` this time. `children` are what
    calls among them start, and `parent` is the call that waits for this instance's end.
    """

    state: InstanceState
    due_at: datetime | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    changed: Sequence[TaskRun] = ()
    calls: Sequence[ActionCall] = ()
    woken: Sequence[TaskRun] = ()
    created: Sequence[TaskRun] = ()
    waiting: Sequence[WaitingForApproval] = ()
    children: Sequence[tuple[ActionCall, Sequence[Start]]] = ()
    parent: ActionCall | None = None
    at: datetime | None = None


RUN_FIELDS = ["state", "attempt", "ended_at", "due_at", "result", "changes", "log", "error", "snapshot", "call_number"]


class LeaseLost(Exception):
    """Another engine, or an operator, has the instance: what this engine does to it has no effect any more."""


def claim(owner: str, *, now: datetime, until: datetime, limit: int) -> list[RunningProcesses]:
    """Lease up to `limit` due instances to `owner`, longest due first; committed before anything runs.

    Two engines never get the same instance: rows that another is claiming are passed over where the database can do
    that (`SKIP LOCKED`), and elsewhere claims wait for each other.
    """
    due = RunningProcesses.objects.due(now).order_by("due_at", "pk")
    if not due.exists():  # an idle engine must not ask for SQLite's write lock all the time
        return []
    with transaction.atomic():
        claimed = list(due.select_for_update(skip_locked=True)[:limit])
        RunningProcesses.objects.filter(pk__in=[instance.pk for instance in claimed]).update(
            state=InstanceState.RUNNING, owner=owner, due_at=until, fence=F("fence") + 1
        )
    for instance in claimed:
        instance.state, instance.owner, instance.due_at = InstanceState.RUNNING, owner, until
        instance.fence += 1
    return claimed


def lease_of(instance: RunningProcesses) -> Lease:
    """The lease under which `claim` gave out an instance."""
    return Lease(instance=instance.pk, owner=instance.owner, fence=instance.fence, events=instance.events)


def renew(leases: Collection[Lease], *, until: datetime) -> int:
    """Put off the deadline of these leases; returns how many are still held."""
    if not leases:
        return 0
    held = RunningProcesses.objects.filter(pk__in=[lease.instance for lease in leases], state=InstanceState.RUNNING)
    return held.filter(owner=next(iter(leases)).owner).update(due_at=until)


def apply(lease: Lease, turn: Turn) -> Applied:
    """Write a turn, whole or not at all, if the lease still holds and nothing came from outside since."""
    held = RunningProcesses.objects.filter(
        pk=lease.instance, owner=lease.owner, fence=lease.fence, state=InstanceState.RUNNING
    )
    let_go = {} if turn.state == InstanceState.RUNNING else {"owner": "", "due_at": turn.due_at}
    listening = [call for call in turn.calls if call.signal and call.ended_at is None]
    with transaction.atomic():
        # Before the instance, as others do: two that lock in one order don't wait for each other.
        lock_mailboxes(call.signal for call in listening)
        above = locked(turn.parent.run.instance_id) if turn.parent and turn.state in ENDED else None
        written = held.filter(events=lease.events).update(state=turn.state, **let_go, **turn.fields)
        if written:
            _write_runs(turn)
            _take_kept_signals(listening)
            _begin_children(turn)
            if turn.parent and above:
                settle(turn.parent, above, now=turn.fields["ended_at"])
            return Applied.DONE
    return Applied.OUTDATED if held.exists() else Applied.LOST


def _write_runs(turn: Turn) -> None:
    for run in turn.changed:
        run.save(update_fields=RUN_FIELDS)
    cancelled = [run.pk for run in turn.changed if run.state == RunState.CANCELLED]
    if cancelled:
        WaitingForApproval.objects.filter(task_run__in=cancelled).delete()
        cancel_children(cancelled, now=turn.at)
    if turn.woken:
        ActionCall.objects.filter(run__in=turn.woken, ended_at=None).update(ended_at=turn.at)
    if turn.calls:
        ActionCall.objects.bulk_create(turn.calls)
    if turn.created:
        TaskRun.objects.bulk_create(turn.created)
    if turn.waiting:
        WaitingForApproval.objects.bulk_create(turn.waiting)


def checkpoint(lease: Lease, run: TaskRun, calls: Sequence[ActionCall]) -> None:
    """Write where the code of a run stands, with the calls that have ended since. Raises `LeaseLost`.

    To be called in a transaction: the instance stays locked until that ends, so that no other engine takes it over
    between our look at the lease and our commit.
    """
    hold(lease)
    if calls:
        ActionCall.objects.bulk_create(calls)
    run.save(update_fields=["snapshot", "call_number", "log"])


def hold(lease: Lease) -> None:
    """Lock the instance until the transaction ends, if the lease still holds. Raises `LeaseLost`."""
    held = RunningProcesses.objects.select_for_update().filter(
        pk=lease.instance, owner=lease.owner, fence=lease.fence, state=InstanceState.RUNNING
    )
    if held.order_by().values_list("pk", flat=True).first() is None:
        raise LeaseLost(f"The lease of instance {lease.instance} was lost.")


def lock_mailboxes(names: Iterable[str]) -> dict[str, Mailbox]:
    """The mailboxes of these signals, held until the transaction ends."""
    wanted = sorted(set(names))
    for name in wanted:
        Mailbox.objects.get_or_create(name=name)
    return {box.name: box for box in Mailbox.objects.select_for_update().filter(name__in=wanted).order_by("name")}


def _take_kept_signals(listening: Iterable[ActionCall]) -> None:
    """Give calls that begin to wait what was sent before. Their mailboxes must be locked."""
    for call in listening:
        instance = call.run.instance
        for_it = Q(instance=instance) | Q(instance=None, process_name__in=("", instance.process_name))
        kept = Signal.objects.filter(for_it, mailbox__name=call.signal).order_by("pk").first()
        if kept is not None:
            answer_call(call.run, kept.payload, now=call.started_at)
            wake(instance, now=call.started_at)
            kept.delete()


def _begin_children(turn: Turn) -> None:
    for call, starts in turn.children:
        above = call.run.instance
        starting.begin(starts, user=above.started_by, now=call.started_at, parent=call, depth=above.depth + 1)


def settle(call: ActionCall, above: RunningProcesses, *, now: datetime) -> None:
    """Answer a call that waits for its children, once all of them have ended. Its instance, `above`, must be locked."""
    children = list(call.children.order_by("place"))
    if not ActionCall.objects.filter(pk=call.pk, ended_at=None).exists() or any(
        child.state not in ENDED for child in children
    ):
        return
    bad = next((child for child in children if child.state != InstanceState.FINISHED), None)
    results = [child.data for child in children]
    result = results[0] if call.name == "run_process" else results
    if answer_call(call.run, None if bad else result, now=now, error=_about(bad) if bad else None):
        wake(above, now=now)


def _about(child: RunningProcesses) -> dict[str, str]:
    why = f": {child.error.get('message')}" if child.error else ""
    return {"type": "RuntimeError", "message": f"{child.process_name} (instance {child.pk}) has {child.state}{why}"}


def cancel_children(runs: Collection[int], *, now: datetime | None) -> None:
    """Cancel what these task runs have started, and what that has started. Their instance must be locked."""
    begun = RunningProcesses.objects.select_for_update().filter(parent__run__in=runs).exclude(state__in=ENDED)
    for child in begun.order_by("pk"):
        moment = now or child.started_at
        rows = TaskRun.objects.filter(instance=child, visit=child.visit, state__in=OPEN)
        cancel_runs(child, list(rows.values_list("row", flat=True)), now=moment)
        redirect(child, InstanceState.CANCELLED, now=moment)


def answer_call(run: TaskRun, result: Any, *, now: datetime, error: dict[str, str] | None = None) -> bool:
    """Give the call at which a suspended run stands its result, and let the run go on; `False` where it stands at none.

    The instance must be locked, and woken.
    """
    if not TaskRun.objects.filter(pk=run.pk, state=RunState.SUSPENDED).update(state=RunState.RUNNING, due_at=None):
        return False
    ActionCall.objects.filter(run=run, ended_at=None).update(result=result, error=error, ended_at=now)
    WaitingForApproval.objects.filter(task_run=run).delete()
    return True


def refresh(lease: Lease) -> tuple[Lease, RunningProcesses] | None:
    """The lease with the events that came meanwhile, and the instance as it is now; `None` where the lease is lost."""
    instance = RunningProcesses.objects.filter(
        pk=lease.instance, owner=lease.owner, fence=lease.fence, state=InstanceState.RUNNING
    ).first()
    return None if instance is None else (replace(lease, events=instance.events), instance)


def locked(instance_id: int) -> RunningProcesses:
    """The instance, held against engines and other deciders until the caller's transaction ends."""
    return RunningProcesses.objects.select_for_update().get(pk=instance_id)


def decide_run(run: TaskRun, *, state: RunState, result: dict[str, Any], by: Any, comment: str, now: datetime) -> bool:
    """Write a person's decision on a waiting task run; `False` where it waits no more. The instance must be locked."""
    decided = TaskRun.objects.filter(pk=run.pk, state=RunState.WAITING).update(
        state=state, result=result, decided_by=by, comment=comment, ended_at=now
    )
    if not decided:
        return False
    WaitingForApproval.objects.filter(task_run=run).delete()
    return True


def cancel_runs(instance: RunningProcesses, rows: Collection[int], *, now: datetime) -> None:
    """Cancel these rows of the instance's step, so that nobody decides them any more. The instance must be locked."""
    if not rows:
        return
    runs = TaskRun.objects.filter(instance=instance, visit=instance.visit, row__in=rows, state__in=OPEN)
    WaitingForApproval.objects.filter(task_run__in=runs.values("pk")).delete()
    cancel_children(list(runs.values_list("pk", flat=True)), now=now)
    runs.update(state=RunState.CANCELLED, ended_at=now, due_at=None)


def wake(instance: RunningProcesses, *, now: datetime) -> None:
    """Have an engine look at what came from outside. The instance must be locked.

    One that waits is READY. One that an engine holds stays with it: that engine's next write misses the event, and
    it looks again. One that is paused or has ended stays so.
    """
    RunningProcesses.objects.filter(pk=instance.pk).exclude(state__in=ENDED).update(
        events=F("events") + 1,
        state=Case(When(state=InstanceState.WAITING, then=Value(InstanceState.READY)), default=F("state")),
        due_at=Case(When(state=InstanceState.WAITING, then=Value(now)), default=F("due_at")),
    )


def redirect(instance: RunningProcesses, state: InstanceState, *, now: datetime, **fields: Any) -> None:
    """Put an instance into another state at an operator's word, whoever holds it. The instance must be locked.

    The fence is counted up, so that an engine that holds it writes nothing any more.
    """
    RunningProcesses.objects.filter(pk=instance.pk).update(
        state=state,
        due_at=now if state in DUE else None,
        ended_at=now if state in ENDED else None,
        error=None,
        owner="",
        fence=F("fence") + 1,
        events=F("events") + 1,
        **fields,
    )


def reopen(run: TaskRun, *, restart: bool = False, finish_with: tuple[Any, ...] = ()) -> None:
    """Have a task run begin again, or be taken for finished. The instance must be locked.

    A run that failed gets another attempt, which goes on at the call that failed; `restart` begins at its start, and makes
    its calls again.
    """
    fields: dict[str, Any] = {"state": RunState.PENDING, "ended_at": None, "due_at": None}
    if finish_with:
        fields = {"state": RunState.FINISHED, "result": finish_with[0], "changes": None}
    elif run.state == RunState.FAILED:
        fields["attempt"] = run.attempt + 1
    if restart:
        fields |= {"snapshot": b"", "call_number": 0, "first_attempt": run.attempt + 1}
    TaskRun.objects.filter(pk=run.pk).update(error=None, **fields)

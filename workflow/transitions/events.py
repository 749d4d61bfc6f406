"""What reaches an instance from elsewhere: people's decisions, signals, the ends of its children, and operators.

All of it happens in the caller's transaction, in which the instance must be locked.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, F, Q, Value, When

from workflow import clock, conf, starting, values
from workflow.announce import announce
from workflow.children import how_ended
from workflow.models import (
    ActionCall,
    InstanceState,
    Mailbox,
    RunningProcesses,
    RunState,
    Signal,
    TaskRun,
    WaitingForApproval,
    bulk,
)
from workflow.models.states import DUE, ENDED, OPEN
from workflow.starting import Start


def lock_mailboxes(names: Iterable[str]) -> dict[str, Mailbox]:
    """The mailboxes of these signals, held until the transaction ends."""
    wanted = sorted(set(names))
    for name in wanted:
        Mailbox.objects.get_or_create(name=name)
    return {box.name: box for box in Mailbox.objects.select_for_update().filter(name__in=wanted).order_by("name")}


def take_kept_signals(listening: Iterable[ActionCall]) -> None:
    """Give calls that begin to wait what was sent before. Their mailboxes must be locked."""
    for call in listening:
        instance = call.run.instance
        for_it = Q(instance=instance) | Q(instance=None, process_name__in=("", instance.process_name))
        kept = Signal.objects.filter(for_it, mailbox__name=call.signal).order_by("pk").first()
        if kept is not None:
            answer_call(call.run, kept.payload, now=call.started_at)
            wake(instance)
            kept.delete()


def begin_children(families: Iterable[tuple[ActionCall, Sequence[Start]]]) -> None:
    """Start what calls start. Their instances must be locked."""
    for call, starts in families:
        above = call.run.instance
        starting.begin(starts, user=None, now=call.started_at, above=(above, call))


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
    error = _about(bad) if bad else _too_large(call.name, results)
    if answer_call(call.run, None if error else result, now=now, error=error):
        wake(above)


def _too_large(name: str, results: Sequence[Any]) -> dict[str, str] | None:
    size, limit = 0, conf.get("MAX_DATA_BYTES")
    for result in results:
        size += values.size(result)
        if size > limit:
            message = f"What {name}() would return takes more than {limit:,} bytes, the limit (MAX_DATA_BYTES)."
            return {"type": "ValueError", "message": message}
    return None


def _about(child: RunningProcesses) -> dict[str, str]:
    return {"type": "RuntimeError", "message": how_ended(child, InstanceState(child.state))}


def cancel_children(runs: Collection[int], *, now: datetime) -> None:
    """Cancel what these task runs have started, and what that has started. Their instance must be locked."""
    begun = RunningProcesses.objects.select_for_update().filter(parent__run__in=runs).exclude(state__in=ENDED)
    for child in begun.order_by("pk"):
        rows = TaskRun.objects.filter(instance=child, visit=child.visit, state__in=OPEN)
        cancel_runs(child, list(rows.values_list("row", flat=True)), now=now)
        redirect(child, InstanceState.CANCELLED, now=now)


def answer_call(run: TaskRun, result: Any, *, now: datetime, error: dict[str, str] | None = None) -> bool:
    """Give the call at which a suspended run stands its result, and let the run go on; `False` where it stands at none.

    The instance must be locked, and woken.
    """
    if not TaskRun.objects.filter(pk=run.pk, state=RunState.SUSPENDED).update(state=RunState.RUNNING, due_at=None):
        return False
    ActionCall.objects.filter(run=run, ended_at=None).update(result=result, error=error, ended_at=now)
    WaitingForApproval.objects.filter(task_run=run).delete()
    return True


def close(runs: Collection[int], *, now: datetime) -> None:
    """Take back all that these task runs, which go no further, wait for. Their instance must be locked."""
    cancel_children(runs, now=now)
    take_back(runs, now=now)


def take_back(runs: Collection[int], *, now: datetime) -> None:
    """Nobody decides or answers any more what these task runs wait for. Their instances must be locked."""
    WaitingForApproval.objects.filter(task_run__in=runs).delete()
    # As an error of this attempt: where the run is opened again, another attempt makes the call again.
    unanswered = {"type": "Unanswered", "message": "The task ended while this call waited."}
    ActionCall.objects.filter(run__in=runs, ended_at=None).update(ended_at=now, error=unanswered)


def decide_run(
    run: TaskRun,
    *,
    state: RunState,
    result: dict[str, Any],
    changes: dict[str, Any] | None,
    by: Any,
    origin: dict[str, Any],
    now: datetime,
) -> bool:
    """Write what people decided on a waiting task run, `by` whom last, and how; `False` where it waits no more. The instance
    must be locked.
    """
    decided = TaskRun.objects.filter(pk=run.pk, state=RunState.WAITING).update(
        state=state,
        result=result,
        changes=changes,
        decided_by=by,
        decision_origin=origin,
        comment=result["comment"],
        ended_at=now,
        due_at=None,
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
    close(list(runs.values_list("pk", flat=True)), now=now)
    runs.update(state=RunState.CANCELLED, ended_at=now, due_at=None)


def wake(instance: RunningProcesses) -> None:
    """Have an engine look at what came from outside. The instance must be locked.

    One that waits is READY. One that an engine holds stays with it: that engine's next write misses the event, and
    it looks again. One that is paused or has ended stays so.
    """
    RunningProcesses.objects.filter(pk=instance.pk).exclude(state__in=ENDED).update(
        events=F("events") + 1,
        state=Case(When(state=InstanceState.WAITING, then=Value(InstanceState.READY)), default=F("state")),
        due_at=Case(When(state=InstanceState.WAITING, then=clock.database_now()), default=F("due_at")),
    )
    announce()


def redirect(instance: RunningProcesses, state: InstanceState, *, now: datetime, **fields: Any) -> None:
    """Put an instance into another state at an operator's word, whoever holds it. The instance must be locked.

    The fence is counted up, so that an engine that holds it writes nothing any more.
    """
    RunningProcesses.objects.filter(pk=instance.pk).update(
        state=state,
        due_at=clock.database_now() if state in DUE else None,
        ended_at=now if state in ENDED else None,
        error=None,
        owner="",
        fence=F("fence") + 1,
        events=F("events") + 1,
        **fields,
    )
    if state in DUE:
        announce()


def replace_snapshots(runs: Collection[TaskRun]) -> None:
    """Write the snapshots of these runs, which hold the same as before but are signed anew. Their instances must be locked."""
    bulk.update(TaskRun, [vars(run) for run in runs], ("snapshot",))
    # An engine that holds one has the old snapshot in memory, and would write that again: it is told to look anew.
    held = RunningProcesses.objects.filter(pk__in={run.instance_id for run in runs}, state=InstanceState.RUNNING)
    held.update(events=F("events") + 1)


def reopen(run: TaskRun, *, restart: bool = False, finish_with: tuple[Any, ...] = ()) -> None:
    """Have a task run begin again, or be taken for finished. The instance must be locked.

    It gets another attempt, which goes on at the call that failed, or that had no answer when the run was cancelled;
    `restart` begins at its start, and makes its calls again.
    """
    fields: dict[str, Any] = {"state": RunState.PENDING, "ended_at": None, "due_at": None, "attempt": run.attempt + 1}
    fields["begun"] = 0
    fields["deadline"] = None  # it gets another when it begins; the old one would fail it at once
    if finish_with:
        fields = {"state": RunState.FINISHED, "result": finish_with[0], "changes": None}
    if restart:
        fields |= {"snapshot": b"", "call_number": 0, "first_attempt": run.attempt + 1}
    TaskRun.objects.filter(pk=run.pk).update(error=None, **fields)

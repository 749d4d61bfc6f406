"""What engines write: turns of the instances that they hold, many in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from time import monotonic, sleep

from django.db import connection

from workflow import circle, notices
from workflow.models import ActionCall, InstanceState, NoticeKind, RunningProcesses, RunState, TaskRun, bulk
from workflow.models.states import ENDED
from workflow.transitions import events
from workflow.transitions.brief import HeldUp, brief
from workflow.transitions.leases import Lease, LeaseLost, guards, locked, ours
from workflow.transitions.plain import apply_plain
from workflow.transitions.turn import RUN_FIELDS, UNIQUE_RUN, Applied, Turn, alike, verdicts

PAUSE, LONGEST = 0.02, 10.0  # seconds until what is held up is tried again, and for how long it is
WHERE_IT_STANDS = ("snapshot", "call_number", "begun", "log")


class RunClosed(Exception):
    """The step has ended without this run: what its code does has no effect any more."""


def apply(lease: Lease, turn: Turn) -> Applied:
    """Write a turn, whole or not at all, if the lease still holds and nothing came from outside since. Waits for whoever has locked
    what it needs, unless that takes too long: then it raises `HeldUp`.
    """
    until = monotonic() + LONGEST
    while (applied := apply_all([(lease, turn)])[0]) is Applied.HELD_UP:
        if monotonic() > until:
            raise HeldUp(f"Somebody else has had instance {lease.instance} locked for {LONGEST:g} s.")
        sleep(PAUSE)
    return applied


def apply_all(turns: Sequence[tuple[Lease, Turn]]) -> list[Applied]:
    """Write turns of different instances, each as `apply` does, as many as can be in one transaction. Those for which it would have
    to wait are `HELD_UP`.

    Each can be written again, to no further effect, where the connection broke before the commit was heard of.
    """
    applied: dict[int, Applied] = {}
    left = list(enumerate(turns))
    for fits, write in ((_is_plain, apply_plain), (_is_local, _apply_local)):
        some = [(number, pair) for number, pair in left if fits(pair[1])]
        left = [one for one in left if not fits(one[1][1])]
        if some:
            written = write([pair for _, pair in some])
            applied.update({number: one for (number, _), one in zip(some, written, strict=True)})
    applied.update({number: _apply_far(lease, turn) for number, (lease, turn) in left})
    return [applied[number] for number in range(len(turns))]


def checkpoint(lease: Lease, run: TaskRun, calls: Sequence[ActionCall], *, until: datetime) -> None:
    """Write where the code of a run stands, with the calls that have ended since, and renew the lease `until` then. Raises
    `LeaseLost`, `RunClosed`.

    To be called in a transaction: the instance stays locked until that ends, so that no other engine takes it over
    between our look at the lease and our commit. As long as it is locked, nobody could renew the lease.
    """
    if not ours(lease).update(due_at=until):
        raise LeaseLost(f"The lease of instance {lease.instance} was lost.")
    if _write_standing([Turn(state=InstanceState.RUNNING, standing=[run], calls=calls)]):
        raise RunClosed(f"Task run {run.pk} was closed.")


def _is_plain(turn: Turn) -> bool:
    return connection.vendor == "postgresql" and turn.is_plain


def _is_local(turn: Turn) -> bool:
    return turn.is_local


def _apply_local(turns: Sequence[tuple[Lease, Turn]]) -> list[Applied]:
    try:
        with brief() as setting:
            return _write(turns, setting)
    except HeldUp:
        return [Applied.HELD_UP] if len(turns) == 1 else [_apply_local([pair])[0] for pair in turns]


def _apply_far(lease: Lease, turn: Turn) -> Applied:
    """Write a turn that concerns other instances too, or a signal."""
    try:
        return _write_far(lease, turn)
    except HeldUp:
        return Applied.HELD_UP


def _write_far(lease: Lease, turn: Turn) -> Applied:
    with brief() as setting:
        bulk.run(f"SELECT {setting}", [])
        # Before the instance, as others do: two that lock in one order don't wait for each other.
        events.lock_mailboxes(call.signal for call in turn.listening)
        above = locked(turn.parent.run.instance_id, at_once=True) if turn.parent and turn.state in ENDED else None
        (applied,) = _write([(lease, turn)])
        if applied is Applied.DONE:
            if turn.at and not turn.childless:
                events.cancel_children(turn.unanswered, now=turn.at)
            events.take_kept_signals(turn.listening)
            events.begin_children(turn.children)
            if turn.parent and above:
                events.settle(turn.parent, above, now=turn.fields["ended_at"])
    return applied


def _write(turns: Sequence[tuple[Lease, Turn]], setting: str = "NULL") -> list[Applied]:
    found = guards([lease.instance for lease, _ in turns], setting)
    applied = verdicts([lease for lease, _ in turns], found)
    done = [pair for pair, verdict in zip(turns, applied, strict=True) if verdict is Applied.DONE]
    for names, rows in alike(done).items():
        bulk.update(RunningProcesses, rows, names)
    _write_runs([turn for _, turn in done])
    _take_back([turn for _, turn in done])
    stale = _write_standing([turn for _, turn in done if turn.standing])
    return [
        Applied.OUTDATED if any(run.pk in stale for run in turn.standing) else verdict
        for (_, turn), verdict in zip(turns, applied, strict=True)
    ]


def _write_runs(turns: Sequence[Turn]) -> None:
    bulk.insert([run for turn in turns for run in turn.created], unique=UNIQUE_RUN)
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

"""Who may write to an instance: the engine that has claimed it, until its lease runs out."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Count, F, QuerySet

from workflow.announce import announce
from workflow.code.execute import SUSPECT
from workflow.models import InstanceState, Process, RunningProcesses, TaskRun, bulk
from workflow.models.states import Priority
from workflow.transitions.brief import HeldUp, brief

TABLE = RunningProcesses._meta.db_table
LIMITED = f"SELECT 1 FROM {Process._meta.db_table} WHERE max_running IS NOT NULL"
# What is RUNNING when it is claimed has a lease that ran out: whoever held it gave it back in no state.
COUNTING = "interrupted = CASE WHEN state = 'RUNNING' THEN interrupted + 1 ELSE 0 END"
LONGEST_CLAIM = 0.25  # seconds that a claim waits for others of limited processes, which take a small part of that
AT_LEISURE = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """An engine's hold on an instance, until a deadline that the engine puts off while it works."""

    instance: int
    owner: str
    fence: int
    events: int


class PassedOver(NamedTuple):
    """What an engine does not claim, as it can't run it: versions, and instances."""

    versions: Collection[int] = ()
    instances: Collection[int] = ()


NOTHING = PassedOver()

Names = tuple[str, list[Any]]
"""A part of a condition on an instance, and its parameters."""


class LeaseLost(Exception):
    """Another engine, or an operator, has the instance: what this engine does to it has no effect any more."""


SUSPECTS_TOGETHER = 8
"""Suspects (`SUSPECT`) that are claimed together. One that was interrupted once more is claimed alone, after all that were interrupted less often: what kills
its engine adds to its count each time, so its neighbours come before it, and not only when it is given up."""


class Take(Enum):
    """What a claim looks for. It takes either ordinary instances or suspects, never both."""

    ORDINARY = "ordinary"
    ORDINARY_FIRST = "ordinary, and suspects where there are none"
    SUSPECTS_FIRST = "suspects, and ordinary ones where there are none"


def claim(
    owner: str,
    *,
    now: datetime,
    until: datetime,
    limit: int,
    processes: Collection[str] = (),
    passing_over: PassedOver = NOTHING,
    take: Take = Take.ORDINARY_FIRST,
) -> list[RunningProcesses]:
    """Lease up to `limit` due instances to `owner`, those of high priority first, then those that were due first; of all
    processes, or of those named; `passing_over` what it says. Committed before anything runs.

    Two engines never get the same instance: rows that another is claiming are passed over where the database can do
    that (`SKIP LOCKED`), and elsewhere claims wait for each other. A crash of PostgreSQL may take back a claim of the last moment,
    if no effect has followed it (`_Leasing`): then the same engine may get the same claim again.
    """
    lease = _Leasing(owner=owner, now=now, until=until, only=_only(processes, passing_over))
    if take is not Take.SUSPECTS_FIRST and connection.features.has_select_for_update_skip_locked:
        levels = sorted(Priority, reverse=True)
        if claimed := lease.limited_to(_ORDINARY).of(levels, limit=limit, unless=f"EXISTS ({LIMITED})"):
            return claimed
    ahead, are_limited = _ahead(lease)
    if not ahead:  # an idle engine must not ask for SQLite's write lock all the time
        return []
    for which, most in _in_order(lease, ahead, take=take, limit=limit):
        one = lease.limited_to(which)
        if claimed := _claimed(one, ahead, limit=most, processes=processes if are_limited else None):
            return claimed
    return []


# By what a claim is about to count: what was not RUNNING is interrupted no more.
_ORDINARY: Names = (f" AND NOT (state = 'RUNNING' AND interrupted >= {SUSPECT - 1:d})", [])
_SUSPECTS = f" AND state = 'RUNNING' AND interrupted >= {SUSPECT - 1:d}"


def _in_order(lease: "_Leasing", ahead: Sequence[Priority], *, take: Take, limit: int) -> Iterator[tuple[Names, int]]:
    """Which instances to look for, one after the other, and how many of them."""
    if take is not Take.SUSPECTS_FIRST:
        yield _ORDINARY, limit
    if take is not Take.ORDINARY:
        for often in _interruptions(lease, ahead):
            together = SUSPECTS_TOGETHER if often < SUSPECT else 1
            yield (" AND state = 'RUNNING' AND interrupted = %s", [often]), min(limit, together)
    if take is Take.SUSPECTS_FIRST:
        yield _ORDINARY, limit


def _interruptions(lease: "_Leasing", ahead: Sequence[Priority]) -> list[int]:
    """How often the suspects that are due were interrupted, each number once, the lowest first. It outranks the priority: else a few that kill their
    engine would hold up all of a lower one.
    """
    only, names = lease.only
    which = f"priority IN ({', '.join(f'{level:d}' for level in ahead)}) AND due_at <= %s{only}{_SUSPECTS}"
    asked = f"SELECT DISTINCT interrupted FROM {TABLE} WHERE {which} ORDER BY interrupted"
    return [often for (often,) in bulk.run(asked, [_at(lease.now), *names])]


def _claimed(
    lease: "_Leasing", ahead: Sequence[Priority], *, limit: int, processes: Collection[str] | None
) -> list[RunningProcesses]:
    """`processes` are those whose instances may be claimed; `None` where none of them has a limit."""
    if processes is None:
        return lease.of(ahead, limit=limit)
    try:
        with brief(patience=LONGEST_CLAIM) as setting:
            bulk.run(f"SELECT {setting}", [])
            return _within_limits(lease, ahead, limit=limit, processes=processes)
    except HeldUp:
        return _beside_limits(lease, ahead, limit=limit)


def are_suspects_due(now: datetime, processes: Collection[str] = (), *, passing_over: PassedOver = NOTHING) -> bool:
    """Whether there are suspects to claim, of all processes, or of those named; `passing_over` those of these versions."""
    only, names = _only(processes, passing_over)
    asked = f"SELECT EXISTS (SELECT 1 FROM {TABLE} WHERE due_at <= %s{only}{_SUSPECTS})"
    ((are_due,),) = bulk.run(asked, [_at(now), *names])
    return bool(are_due)


def release(owner: str, *, now: datetime) -> bool:
    """End the leases of an engine that is known to be dead, as if they had run out now. Returns whether that is done: what somebody
    has locked is passed over.
    """
    held = "state = 'RUNNING' AND owner = %s AND due_at > %s"
    which = f"SELECT id FROM {TABLE} WHERE {held} ORDER BY id{_locks()}"
    statement = f"UPDATE {TABLE} SET due_at = %s WHERE id {_once(which)} RETURNING id"
    if bulk.run(statement, [_at(now), owner, _at(now)]):
        announce()
    left = RunningProcesses.objects.filter(state=InstanceState.RUNNING, owner=owner, due_at__gt=now)
    return not left.exists()


def with_runs(claimed: Sequence[RunningProcesses]) -> dict[int, list[TaskRun]]:
    """The task runs of the step that each of these is at, by instance; and who has started them, read with them."""
    users = get_user_model()._default_manager.in_bulk({one.started_by_id for one in claimed if one.started_by_id})
    for instance in claimed:
        if instance.started_by_id in users:
            instance.started_by = users[instance.started_by_id]
    runs: dict[int, list[TaskRun]] = {instance.pk: [] for instance in claimed}
    begun = [instance.pk for instance in claimed if instance.fence > 1]  # none has run before its first claim
    if begun:
        for run in TaskRun.objects.filter(instance__in=begun, visit=F("instance__visit")):
            runs[run.instance_id].append(run)
    return runs


class Outlook(NamedTuple):
    """What an engine has to look for next."""

    due_at: datetime | None
    """When the next instance will be due that is not due yet; `None` where nothing waits for a time."""
    are_limited: bool
    """Whether any process may run only so many at once: then the end of one may let another begin."""


def outlook(now: datetime, processes: Collection[str] = (), *, passing_over: PassedOver = NOTHING) -> Outlook:
    """What is to come after `now`, of all processes, or of those named; `passing_over` what it says."""
    only, names = _only(processes, passing_over)
    # The first of each priority, which the index finds at once.
    each = [
        f"SELECT MIN(due_at) AS at FROM {TABLE} WHERE priority = {level:d} AND due_at > %s{only}" for level in Priority
    ]
    found = f"SELECT MIN(at), EXISTS ({LIMITED}) FROM ({' UNION ALL '.join(each)}) AS first"
    ((due_at, are_limited),) = bulk.run(found, [_at(now), *names] * len(each), is_kept=True)
    if isinstance(due_at, str):  # SQLite's
        due_at = datetime.fromisoformat(due_at).replace(tzinfo=UTC)
    return Outlook(due_at, bool(are_limited))


def lease_of(instance: RunningProcesses) -> Lease:
    """The lease under which `claim` gave out an instance."""
    return Lease(instance=instance.pk, owner=instance.owner, fence=instance.fence, events=instance.events)


def take_over(claim: Lease, *, by: str, until: datetime) -> RunningProcesses | None:
    """The instance with its claim, which is `by`'s from now on; `None` where it is no longer that of `claim`.

    It bears to be asked again by the same, where the connection broke before the answer.
    """
    taken = RunningProcesses.objects.filter(
        pk=claim.instance, owner__in=[claim.owner, by], fence=claim.fence, state=InstanceState.RUNNING
    )
    if not taken.update(owner=by, due_at=until):
        return None
    return taken.filter(owner=by).first()


def still_held(owner: str, claims: Collection[tuple[int, int]], *, now: datetime) -> set[tuple[int, int]]:
    """Of these claims, each an instance and its fence, those that `owner` has still, and whose leases are not over."""
    held = RunningProcesses.objects.filter(pk__in=[pk for pk, _ in claims], state=InstanceState.RUNNING)
    return set(held.filter(owner=owner, due_at__gt=now).values_list("pk", "fence")) & set(claims)


def renew(leases: Collection[Lease], *, until: datetime) -> set[int]:
    """Put off the deadline of these leases of one owner; returns the instances of which it is put off. The others are held by
    this owner no more, or locked by somebody at the moment.
    """
    if not leases:
        return set()
    # Locked in one order, and by a subquery, as an update would lock them in an order of its own.
    which = f"{among([lease.instance for lease in leases])} AND state = 'RUNNING' AND owner = %s"
    statement = f"UPDATE {TABLE} SET due_at = %s WHERE id {_once(_locking('id', which))} RETURNING id"
    return {key for (key,) in bulk.run(statement, [_at(until), next(iter(leases)).owner])}


GUARDS = "id, state, owner, fence, events"
Guard = tuple[str, str, int, int]
"""State, owner, fence and events of an instance: what a write under a lease expects."""


def guards(instances: Sequence[int], setting: str = "NULL") -> dict[int, Guard]:
    """The guards of these instances, locked until the transaction ends: in one order for all who lock
    several, so that they can't wait for each other. Those that somebody else has locked are passed over, where the database can do that.
    The `setting` is that of a transaction of which this is the first statement.
    """
    found = bulk.run(_locking(f"{GUARDS}, {setting}", among(instances)), [])
    return {key: (state, owner, fence, events) for key, state, owner, fence, events, _ in found}


def locking(which: str) -> str:
    """The query of `guards`: keys with what guards them, of those `which` have such a key."""
    return _locking(GUARDS, which)


def among(instances: Sequence[int]) -> str:
    """The condition on a key to be one of these, as numbers: as parameters, hundreds take a driver long."""
    return f"IN ({', '.join(str(int(key)) for key in instances)})"


def hold(lease: Lease) -> None:
    """Lock the instance until the transaction ends, if the lease still holds. Raises `LeaseLost`."""
    if ours(lease).select_for_update().order_by().values_list("pk", flat=True).first() is None:
        raise LeaseLost(f"The lease of instance {lease.instance} was lost.")


def ours(lease: Lease) -> QuerySet[RunningProcesses]:
    """The instance, if the lease still holds."""
    return RunningProcesses.objects.filter(
        pk=lease.instance, owner=lease.owner, fence=lease.fence, state=InstanceState.RUNNING
    )


def refresh(lease: Lease) -> tuple[Lease, RunningProcesses] | None:
    """The lease with the events that came meanwhile, and the instance as it is now; `None` where the lease is lost."""
    instance = ours(lease).first()
    return None if instance is None else (replace(lease, events=instance.events), instance)


def locked(instance_id: int, *, at_once: bool = False) -> RunningProcesses:
    """The instance, held against engines and other deciders until the caller's transaction ends. If that is to be `at_once`, raises
    `HeldUp` where somebody else has it locked.
    """
    found = RunningProcesses.objects.select_for_update(skip_locked=at_once).filter(pk=instance_id).first()
    if found is None:
        RunningProcesses.objects.only("pk").get(pk=instance_id)  # raises where there is none
        raise HeldUp(f"Somebody else has locked instance {instance_id}.")
    return found


def _only(processes: Collection[str], passing_over: PassedOver) -> Names:
    """The condition on what an engine may take. Without anything to pass over, the statements are what they are otherwise."""
    parts = [
        _named("IN", processes),
        _listed("version_id NOT IN", passing_over.versions),
        _listed("id NOT IN", passing_over.instances),
    ]
    return "".join(condition for condition, _ in parts), [one for _, parameters in parts for one in parameters]


def _listed(condition: str, listed: Collection[Any]) -> Names:
    return (f" AND {condition} ({', '.join(['%s'] * len(listed))})", list(listed)) if listed else ("", [])


def _named(operator: str, names: Collection[str]) -> Names:
    return _listed(f"process_name {operator}", names)


def _ahead(lease: "_Leasing") -> tuple[list[Priority], bool]:
    """The priorities of which something is due, highest first, and whether any process may run only so many at once."""
    only, names = lease.only
    levels = sorted(Priority, reverse=True)
    due = [f"EXISTS (SELECT 1 FROM {TABLE} WHERE priority = {level:d} AND due_at <= %s{only})" for level in levels]
    asked = f"SELECT EXISTS ({LIMITED}), {', '.join(due)}"
    ((are_limited, *are_due),) = bulk.run(asked, [_at(lease.now), *names] * len(levels), is_kept=True)
    return [level for level, is_due in zip(levels, are_due, strict=True) if is_due], bool(are_limited)


def _within_limits(
    lease: "_Leasing", ahead: Sequence[Priority], *, limit: int, processes: Collection[str]
) -> list[RunningProcesses]:
    """As `claim`, where some processes may run only so many instances at once, over all engines."""
    left = _left(lease.now)
    claimed: list[RunningProcesses] = []
    for level in ahead:
        room = limit - len(claimed)
        ours = {name: min(most, room) for name, most in left.items() if not processes or name in processes}
        parts = [(_named("NOT IN", left), room), *((_named("IN", [name]), most) for name, most in ours.items())]
        found = lease.of_each(level, [part for part in parts if part[1] > 0], limit=room)
        for instance in found:
            if instance.process_name in left:
                left[instance.process_name] -= 1
        claimed += found
    return claimed


def _beside_limits(lease: "_Leasing", ahead: Sequence[Priority], *, limit: int) -> list[RunningProcesses]:
    """As `claim`, of those processes of which any number may run."""
    limits = Process.objects.filter(max_running__isnull=False).values_list("name", flat=True)
    (only, names), (but, limited) = lease.only, _named("NOT IN", list(limits))
    return replace(lease, only=(only + but, names + limited)).of(ahead, limit=limit)


def _left(now: datetime) -> dict[str, int]:
    """How many instances more each limited process may run. Locks them: claims of other engines wait."""
    limits = Process.objects.select_for_update().filter(max_running__isnull=False).order_by("pk")
    most = dict(limits.values_list("name", "max_running"))
    # What an engine that died has left behind runs no more, and is claimed anew.
    running = RunningProcesses.objects.filter(process_name__in=most, state=InstanceState.RUNNING, due_at__gt=now)
    counted = running.order_by().values_list("process_name").annotate(Count("pk"))
    return {name: most[name] - dict(counted).get(name, 0) for name in most}


@dataclass(frozen=True, kw_only=True)
class _Leasing:
    """The statement that leases: a single one, so that it is a transaction of its own.

    PostgreSQL does not wait until it is on disk. That is for its effects to do: whatever is written after it, before an
    action is called above all, is on disk only together with all that was written before. What a crash takes back is a claim
    without effects, and an engine that still drives by it is told that the lease is lost.
    """

    owner: str
    now: datetime
    until: datetime
    only: Names

    def limited_to(self, which: Names) -> "_Leasing":
        """The same for those alone of which this condition holds."""
        (only, names), (also, parameters) = self.only, which
        return replace(self, only=(only + also, names + parameters))

    def of(self, levels: Sequence[Priority], *, limit: int, unless: str = "") -> list[RunningProcesses]:
        """Those of the first of these priorities first, in whose order they are looked for."""
        each = [f"SELECT id FROM ({self._due(level)}) AS due" for level in levels]
        which = [_at(self.now), *self.only[1], limit] * len(levels)
        return self._of(f"SELECT id FROM ({' UNION ALL '.join(each)}) AS ahead", which, limit=limit, unless=unless)

    def of_each(self, level: Priority, parts: Sequence[tuple[Names, int]], *, limit: int) -> list[RunningProcesses]:
        """Those of a priority that were due first: of each of these parts, which have none in common, at most so many."""
        if not parts:
            return []
        each = [f"SELECT id, due_at FROM ({self._due(level, also)}) AS due" for (also, _), _ in parts]
        which = [one for (_, names), most in parts for one in (_at(self.now), *self.only[1], *names, most)]
        ahead = f"SELECT id FROM ({' UNION ALL '.join(each)}) AS ahead ORDER BY due_at, id"
        return self._of(ahead, which, limit=limit)

    def _of(self, ahead: str, which: Sequence[Any], *, limit: int, unless: str = "") -> list[RunningProcesses]:
        also = "".join(f" AND {condition}" for condition in self._conditions(unless))
        statement = (
            f"UPDATE {TABLE} SET state = 'RUNNING', owner = %s, due_at = %s, fence = fence + 1, {COUNTING} "
            f"WHERE id {_once(f'{ahead} LIMIT %s')}{also} RETURNING {bulk.columns(RunningProcesses)}"
        )
        parameters = [self.owner, _at(self.until), *which, limit]
        claimed = bulk.objects(RunningProcesses, statement, parameters, is_kept=True)
        return sorted(claimed, key=lambda instance: (-instance.priority, instance.pk))

    def _due(self, level: Priority, also: str = "") -> str:
        which = f"priority = {level:d} AND due_at <= %s{self.only[0]}{also}"
        return f"SELECT id, due_at FROM {TABLE} WHERE {which} ORDER BY due_at, id LIMIT %s{_locks()}"

    def _conditions(self, unless: str) -> list[str]:
        conditions = [f"NOT {unless}"] if unless else []
        return [*conditions, AT_LEISURE] if connection.vendor == "postgresql" else conditions


def _at(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _locking(columns: str, which: str) -> str:
    return f"SELECT {columns} FROM {TABLE} WHERE id {which} ORDER BY id{_locks()}"


def _locks() -> str:
    if connection.features.has_select_for_update_skip_locked:
        return " FOR UPDATE SKIP LOCKED"
    return " FOR UPDATE" if connection.features.has_select_for_update else ""


def _once(query: str) -> str:
    """The condition on a key that this query gives it: asked once, and not again for each row, when it would pass over what it has
    locked itself.
    """
    return f"= ANY (ARRAY({query}))" if connection.vendor == "postgresql" else f"IN ({query})"

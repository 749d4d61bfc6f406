"""Deleting what has ended: instances, and with them all rows that tell of them.

An instance goes together with all that it has started, or stays together with it. So nobody finds half a history, and
nothing that still runs loses the parent that waits for it.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import ProtectedError, Q, QuerySet, RestrictedError

from workflow import clock
from workflow.durations import written
from workflow.errors import BadData
from workflow.models import InstanceState, RunningProcesses, Upload
from workflow.models.states import ENDED, FINAL

BATCH = 200
"""Instances a transaction: it takes some hundredths of a second."""

ROWS = 500
"""Keys a statement: below what any database binds."""

TURN = 0.1
"""Seconds. Who waits for SQLite's lock looks for it at least that often."""

Place = tuple[datetime, int]
"""When an instance has ended, and its id: where a search that goes on from there begins."""


@dataclass(frozen=True, kw_only=True)
class Purged:
    """What a batch has deleted, or would delete: so many instances. `protected` ones stay, as rows of the project refer to
    them that forbid it.
    """

    instances: int = 0
    protected: int = 0

    def __add__(self, other: "Purged") -> "Purged":
        return Purged(instances=self.instances + other.instances, protected=self.protected + other.protected)


def purge(
    older_than: timedelta, states: Collection[str] = FINAL, *, batch: int = BATCH, dry_run: bool = False
) -> Iterator[Purged]:
    """Delete instances that are in these states and have ended longer ago than that, by the database's clock, each with all
    that it has started; yields what each batch, a transaction of its own, has deleted.

    An instance stays that another one waits or waited for, until that goes, and one that has started what has not
    ended that long ago. Nobody waits for a purge: what somebody else holds at the moment stays until the next one.
    `batch` counts without what instances have started. A `dry_run` locks and deletes nothing. Raises `BadData`.
    """
    if batch < 1:
        raise BadData(f"A batch is at least 1 instance, not {batch}.")
    old = Old(before=_before(older_than), states=_checked(states))
    return _batches(old, size=batch, dry_run=dry_run)


def _before(older_than: timedelta) -> datetime:
    if older_than < timedelta():
        raise BadData(f"Nothing has ended {written(older_than)} ago: give a time span of 0s or more.")
    try:
        return clock.ask_database() - older_than
    except OverflowError:
        raise BadData(f"{written(older_than)} ago, there was no calendar: give a shorter time span.") from None


def _checked(states: Collection[str]) -> frozenset[str]:
    ended = ", ".join(state for state in InstanceState if state in ENDED)
    if not states:
        raise BadData(f"No state is given; instances end as {ended}.")
    for state in states:
        if state not in InstanceState.values:
            raise BadData(f"There is no state {str(state)!r}; instances end as {ended}.")
        if state not in ENDED:
            raise BadData(f"An instance that is {state} has not ended; instances end as {ended}.")
    return frozenset(states)


def _batches(old: "Old", *, size: int, dry_run: bool) -> Iterator[Purged]:
    after: Place | None = None
    while True:
        began = time.monotonic()
        with transaction.atomic():
            found = list(_held(old.roots(after), unless=dry_run).values_list("ended_at", "pk")[:size])
            families = _families([key for _, key in found], old, dry_run=dry_run)
            done = _counted(families) if dry_run else _delete(families)
        if not found:
            return
        yield done
        after = found[-1]  # type: ignore[assignment] # the query has only such as have ended
        if not dry_run:
            give_way(time.monotonic() - began)


@dataclass(frozen=True, kw_only=True)
class Old:
    """What is old enough to go."""

    before: datetime
    states: frozenset[str]

    def roots(self, after: Place | None) -> QuerySet[RunningProcesses]:
        """Those that no other instance has started, in the order of their index; behind that place."""
        roots = RunningProcesses.objects.filter(parent=None, ended_at__lte=self.before, state__in=self.states)
        if after is not None:
            # What stays is passed over once, and not again by each batch.
            roots = roots.filter(
                Q(ended_at=after[0], pk__gt=after[1]) | Q(ended_at__gt=after[0]), ended_at__gte=after[0]
            )
        return roots.order_by("ended_at", "pk")

    def includes(self, ended_at: datetime | None) -> bool:
        return ended_at is not None and ended_at <= self.before


def _held(instances: QuerySet[RunningProcesses], *, unless: bool = False) -> QuerySet[RunningProcesses]:
    """Those that nobody else holds, locked: an operator who retries one is either done before us, and it has not ended any
    more, or comes after us, and is told that there is none.
    """
    return instances if unless else instances.select_for_update(skip_locked=True)


@dataclass
class _Families:
    """Instances with all that they have started, by the one at the top."""

    root_of: dict[int, int]
    staying: set[int] = field(default_factory=set)

    def keep(self, keys: Collection[int]) -> None:
        self.staying.update(self.root_of[key] for key in keys)

    def going(self) -> list[list[int]]:
        going: dict[int, list[int]] = {}
        for key, root in self.root_of.items():
            if root not in self.staying:
                going.setdefault(root, []).append(key)
        return list(going.values())


def _families(roots: Sequence[int], old: Old, *, dry_run: bool) -> list[list[int]]:
    """The keys of the families of these, which must be locked, but for those that stay."""
    families = _Families({root: root for root in roots})
    level = list(roots)
    while level:
        # Operators lock the parent before they touch a child: below what we hold, nothing changes any more.
        below = _children(level)
        families.root_of.update({child: families.root_of[above] for child, above, _ in below})
        families.keep([child for child, _, ended_at in below if not old.includes(ended_at)])
        level = [child for child, _, _ in below if families.root_of[child] not in families.staying]
        if not dry_run:
            families.keep(set(level) - _locked(level))
    return families.going()


def _children(keys: Sequence[int]) -> list[tuple[int, int, datetime | None]]:
    """What these instances have started: its key, that of the one that did, and when it has ended."""
    return [
        child
        for part in _parts(keys)
        for child in RunningProcesses.objects.filter(parent__run__instance__in=part)
        .order_by("pk")
        .values_list("pk", "parent__run__instance", "ended_at")
    ]


def _locked(keys: Sequence[int]) -> set[int]:
    parts = (_held(RunningProcesses.objects.filter(pk__in=part).order_by("pk")) for part in _parts(keys))
    return {key for part in parts for key in part.values_list("pk", flat=True)}


def _counted(families: Sequence[Sequence[int]]) -> Purged:
    return Purged(instances=sum(map(len, families)))


def _delete(families: Sequence[Sequence[int]]) -> Purged:
    """Delete these families, but for those that rows of the project protect."""
    try:
        with transaction.atomic():
            for part in _parts([key for family in families for key in family]):
                _delete_files(part)
                # By the ORM, which knows what else hangs on an instance, also of a project; without reading their data.
                RunningProcesses.objects.filter(pk__in=part).only("pk").delete()
    except (ProtectedError, RestrictedError):
        if len(families) == 1:
            return Purged(protected=len(families[0]))
        half = len(families) // 2
        return _delete(families[:half]) + _delete(families[half:])
    return _counted(families)


def _delete_files(instances: Sequence[int]) -> None:
    """The files that were sent for these instances go with them, once that is certain."""
    for upload in Upload.objects.filter(instance__in=instances):
        transaction.on_commit(partial(upload.file.delete, save=False), robust=True)


def give_way(took: float) -> None:
    """After a transaction that took so many seconds. On SQLite, which has one writer at a time, leave the others as much time as we took."""
    if connection.vendor == "sqlite":
        time.sleep(max(took, TURN))


def _parts(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), ROWS):
        yield keys[start : start + ROWS]

"""Signs all snapshots anew with the newest key, so that a key that has leaked need not be trusted until the last sleeper wakes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Length

from workflow import health, transitions
from workflow.code import signing
from workflow.code.signing import SnapshotTampered
from workflow.errors import NotPermitted
from workflow.models import RunningProcesses, TaskRun
from workflow.purging import give_way

BATCH = 100
"""Snapshots a transaction."""

MOST_BYTES = 16_000_000
"""Of snapshots in one transaction, unless a single one has more: so much is held in memory, while the instances are locked."""

LONGEST_WAIT = 10.0
"""Seconds for which it comes back to what somebody else has locked."""

PAUSE = 0.1


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A snapshot that no known key verifies, and why."""

    run: TaskRun
    why: str


@dataclass(frozen=True, kw_only=True)
class Resigned:
    """What a batch has done: `signed` so many anew, `were_new` signed with the newest key already, `refused` are as they were, and
    so are `locked` ones: somebody else has held their instances all the time.
    """

    signed: int = 0
    were_new: int = 0
    refused: Sequence[Refused] = ()
    locked: int = 0


def resign(*, batch: int = BATCH, dry_run: bool = False) -> Iterator[Resigned]:
    """Sign every snapshot with the newest key that is not signed with it; yields what each batch, a transaction of its own, did.

    Engines may run meanwhile, as long as all of them sign with that key, too. What was done stays done if it is interrupted. A
    `dry_run` locks and changes nothing. Raises `NotPermitted` where a live engine does not know that key.
    """
    if not dry_run:
        _refuse_beside_ignorant_engines()
    left: list[int] = []
    for keys in _batches(batch):
        yield _counted(keys, left, dry_run=dry_run)
    until = time.monotonic() + LONGEST_WAIT
    while left and time.monotonic() < until:
        time.sleep(PAUSE)
        again, left = left, []
        for start in range(0, len(again), batch):
            yield _counted(again[start : start + batch], left, dry_run=dry_run)
    if left:
        yield Resigned(locked=len(left))


def _refuse_beside_ignorant_engines() -> None:
    """An engine could not go on with what is signed with a key that it lacks, and would sign what it saves with an older one."""
    newest = signing.fingerprint(signing.signing_keys()[0])
    live = [engine for engine in health.engines() if not health.is_dead(engine)]
    ignorant = [one.name for one in live if newest not in (one.abilities or {}).get("keys", ())]
    if ignorant:
        raise NotPermitted(
            f"The newest key (fingerprint {newest}) is not known to these engines, which are alive: {', '.join(ignorant)}. Restart them with "
            "that key first. Nothing was changed."
        )


def _batches(size: int) -> Iterator[list[int]]:
    """The keys of the task runs that have a snapshot, in order."""
    after = 0
    while True:
        sizes = _with_snapshot().filter(pk__gt=after).annotate(size=Length("snapshot")).values_list("pk", "size")
        keys: list[int] = []
        total = 0
        for key, length in sizes.order_by("pk")[:size]:
            total += length
            if keys and total > MOST_BYTES:
                break
            keys.append(key)
        if not keys:
            return
        yield keys
        after = keys[-1]


def _with_snapshot() -> QuerySet[TaskRun]:
    return TaskRun.objects.exclude(snapshot=b"")


def _counted(keys: Sequence[int], left: list[int], *, dry_run: bool) -> Resigned:
    """What becomes of these; those that are locked are `left`."""
    began = time.monotonic()
    with transaction.atomic():
        runs = list(_runs(keys))
        if not dry_run:
            free = _locked({run.instance_id for run in runs})
            left += [run.pk for run in runs if run.instance_id not in free]
            # As they are now, since nobody else can write to them any more.
            runs = list(_runs([run.pk for run in runs if run.instance_id in free]).filter(instance__in=free))
        done, signed = _signed(runs)
        if not dry_run:
            transitions.replace_snapshots(signed)
    if not dry_run:
        give_way(time.monotonic() - began)
    return done


def _runs(keys: Sequence[int]) -> QuerySet[TaskRun]:
    found = _with_snapshot().filter(pk__in=keys).select_related("instance").order_by("pk")
    needed = ("key", "visit", "row", "call_number", "snapshot", "task_name", "instance__process_name")
    return found.only(*needed)


def _locked(instances: set[int]) -> set[int]:
    """Those of these instances that nobody else holds, locked."""
    found = RunningProcesses.objects.select_for_update(skip_locked=True).filter(pk__in=instances)
    return set(found.order_by("pk").values_list("pk", flat=True))


def _signed(runs: Sequence[TaskRun]) -> tuple[Resigned, list[TaskRun]]:
    signed, refused = [], []
    for run in runs:
        kept = bytes(run.snapshot)
        try:
            snapshot = signing.verify(run.snapshot_name, kept, where=f"task run {run.pk}")
        except SnapshotTampered as error:
            refused.append(Refused(run=run, why=str(error)))
            continue
        if not signing.is_of_newest_key(kept):
            run.snapshot = signing.sign(run.snapshot_name, snapshot)
            signed.append(run)
    were_new = len(runs) - len(signed) - len(refused)
    return Resigned(signed=len(signed), were_new=were_new, refused=refused), signed

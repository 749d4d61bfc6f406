"""After a backup was restored: what to look at before engines start. It only looks, and changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap

from django.apps import apps
from django.db import connection, router
from django.db.migrations.executor import MigrationExecutor
from django.db.models import AutoField, Count, Max, Model

from workflow import clock, health, keys, moments
from workflow.code import signing
from workflow.models import (
    ActionCall,
    InstanceState,
    Notice,
    RunningProcesses,
    RunState,
    Signal,
    TaskRun,
    Upload,
    WaitingForApproval,
)
from workflow.models.engines import EngineState
from workflow.models.states import ENDED, OPEN
from workflow.resigning import resign

MOST_NAMED = 20
"""Of each kind, for one screen."""

MOST_EXAMPLES = 3
"""Instances that are named for all those that lack the same key."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One thing to look at: in a sentence, with what it is about. It is `wrong` where something must be done before engines start."""

    text: str
    about: Sequence[str] = ()
    wrong: bool = False


def checklist() -> Iterator[Point]:
    """What to look at, with numbers from this database, in the order in which to do it."""
    yield _migrations()
    yield _engines()
    yield _sequences()
    yield _snapshots()
    yield _uploads()
    yield from _work()
    yield _calls()
    yield _people()
    yield _signals()
    yield _mail()


def _migrations() -> Point:
    executor = MigrationExecutor(connection)
    missing = [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    text = f"Migrations that the database lacks: {len(missing):,}."
    if not missing:
        return Point(text=text)
    return Point(text=f"{text} Run manage.py migrate.", about=_named(missing), wrong=True)


def _engines() -> Point:
    now = clock.ask_database()
    live = [one for one in health.engines() if one.state(now=now, holds=0) is not EngineState.DEAD]
    text = f"Engines that may be alive: {len(live):,}."
    if not live:
        return Point(text=text)
    return Point(
        text=f"{text} Stop all engines, all workers of a task queue and the site: what they have in memory is from before the restore. "
        "An engine from the backup also counts as alive, until its lease has run out.",
        about=_named([f"{one.name}, seen {moments.to_the_second(one.seen_at)}" for one in live]),
        wrong=True,
    )


def _sequences() -> Point:
    behind = [found for model in apps.get_models(include_auto_created=True) if (found := _behind(model))]
    text = f"Sequences that would give out primary keys that are taken: {len(behind):,}."
    if not behind:
        return Point(text=text)
    remedy = "Run manage.py sqlsequencereset APP … | manage.py dbshell, with the names of these apps."
    return Point(text=f"{text} {remedy}", about=_named(behind), wrong=True)


def _behind(model: type[Model]) -> str:
    """How a sequence of PostgreSQL is behind its table; blank where it is not. SQLite never gives out a key that is taken."""
    key = model._meta.pk
    is_here = model._meta.managed and not model._meta.proxy and router.allow_migrate_model(connection.alias, model)
    if connection.vendor != "postgresql" or not is_here or not isinstance(key, AutoField):
        return ""
    most = model._base_manager.aggregate(most=Max("pk"))["most"]
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [table, key.column])
        (sequence,) = cursor.fetchone()
        if most is None or sequence is None:
            return ""
        cursor.execute(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608 - as PostgreSQL has quoted it
        last, is_called = cursor.fetchone()
    following = last + 1 if is_called else last
    return "" if following > most else f"{model._meta.label}: the next is {following}, and {most} is there"


def _snapshots() -> Point:
    total, refused = 0, dict[str, list[int]]()
    for batch in resign(dry_run=True):
        total += batch.signed + batch.were_new + len(batch.refused)
        for one in batch.refused:
            refused.setdefault(_refused_as(bytes(one.run.snapshot)), []).append(one.run.instance_id)
    count = sum(map(len, refused.values()))
    text = f"Snapshots of code that sleeps or waits: {total:,}. Those that no known key verifies: {count:,}."
    if not refused:
        return Point(text=text)
    remedy = (
        "Restore the keys that the site had at the time of the backup (WORKFLOW['SNAPSHOT_KEYS'], or SECRET_KEY and "
        "SECRET_KEY_FALLBACKS), or these tasks can't go on."
    )
    return Point(text=f"{text} {remedy}", about=_named([*starmap(_about_refused, refused.items())]), wrong=True)


def _refused_as(snapshot: bytes) -> str:
    """What a snapshot that can't be verified has in common with others: most often it is one key that is missing."""
    named = signing.signed_by(snapshot)
    if not named:
        return "changed in the database, or signed by an unknown key that they don't name"
    if named in map(signing.fingerprint, signing.signing_keys()):
        return f"changed in the database (they name the key {named}, which is known)"
    return f"signed by a key with the fingerprint {named}, which is not known here"


def _about_refused(kind: str, instances: Sequence[int]) -> str:
    examples = sorted(set(instances))
    shown = ", ".join(map(str, examples[:MOST_EXAMPLES])) + (", …" if len(examples) > MOST_EXAMPLES else "")
    return f"{len(instances):,} {kind}: instance{'s' * (len(examples) > 1)} {shown}"


def _uploads() -> Point:
    total, missing = 0, []
    for upload in Upload.objects.order_by("pk").iterator():
        total += 1
        if not upload.file.storage.exists(str(upload.file.name)):
            missing.append(f"{upload.name!r} of instance {upload.instance_id or '-'}: {upload.file.name}")
    text = f"Uploaded files: {total:,}. Missing: {len(missing):,}."
    if not missing:
        return Point(text=text)
    remedy = "Restore the files (MEDIA_ROOT, or your storage) as they were at the time of the backup, or later."
    return Point(text=f"{text} {remedy}", about=_named(missing), wrong=True)


def _work() -> Iterator[Point]:
    unfinished = RunningProcesses.objects.exclude(state__in=ENDED)
    counted = unfinished.order_by("process_name", "state").values_list("process_name", "state").annotate(Count("pk"))
    without = unfinished.filter(token="").count()
    yield Point(
        text=f"Instances that had not ended: {unfinished.count():,}. What they did after the backup, they do again. Their calls have the same keys as "
        "before, so a service that takes idempotency keys does nothing twice. Instances that were started after the backup are lost; if somebody "
        f"starts one again, it gets keys of its own. Instances from before there were tokens: {without:,}.",
        about=_named([f"{name}: {count:,} {state}" for name, state, count in counted]),
    )
    running, due = unfinished.filter(state=InstanceState.RUNNING), unfinished.due(clock.ask_database())
    yield Point(
        text=f"Instances that were running: {running.count():,}. Due now: {due.count():,}. Engines take these as soon as they start. To look at one "
        "first, pause it: manage.py manageprocess pause INSTANCE."
    )


def _calls() -> Point:
    begun = TaskRun.objects.filter(begun__gt=0, state=RunState.RUNNING).exclude(instance__state__in=ENDED)
    found = begun.select_related("instance").defer("snapshot", "log", "instance__data", "instance__results")
    return Point(
        text=f"Calls that had begun and not ended: {begun.count():,}. Each is made again, under the same key.",
        about=_named([_about_call(run) for run in found.order_by("pk")]),
    )


def _about_call(run: TaskRun) -> str:
    key = keys.call_key(run.external_key, first_attempt=run.first_attempt, number=run.call_number)
    return f"instance {run.instance_id} of {run.instance.process_name!r}, task {run.task_name!r}: {key}"


def _people() -> Point:
    late = TaskRun.objects.filter(state=RunState.WAITING, due_at__lte=clock.now()).exclude(instance__state__in=ENDED)
    return Point(
        text=f"Tasks that wait for people: {WaitingForApproval.objects.count():,}. What was decided after the backup is lost: ask for it again. Links in "
        f"e-mails that were sent after the backup may be void. Tasks with a reminder, an escalation or a decision by default that is due: {late.count():,}. "
        "It happens as soon as engines start."
    )


def _signals() -> Point:
    waiting = ActionCall.objects.filter(ended_at=None, run__state__in=OPEN).exclude(signal="")
    return Point(
        text=f"Calls that wait for a signal: {waiting.count():,}. Signals that are kept: {Signal.objects.count():,}. Signals that were sent after the "
        "backup are lost: have them sent again."
    )


def _mail() -> Point:
    queued = Notice.objects.filter(due_at__isnull=False)
    return Point(
        text=f"E-mails that are queued: {queued.count():,}. Engines send them as soon as they start, also those that were sent after the backup: with the "
        "same Message-ID, by which many mail programs show them once."
    )


def _named(lines: Sequence[str]) -> list[str]:
    more = [f"and {len(lines) - MOST_NAMED:,} more"] if len(lines) > MOST_NAMED else []
    return [*lines[:MOST_NAMED], *more]

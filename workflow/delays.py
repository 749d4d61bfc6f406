"""Why an instance that could run does not: its engine, the limit of its process, those ahead of it, a lock.

Sentences for operators. Times are the database's, because engines go by its clock.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pkgutil import iter_modules
from typing import Any

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import BinaryField, BooleanField, Count, Exists, IntegerField, Q, QuerySet, Subquery, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Substr
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflow import health, migrations, moments
from workflow.code import signing
from workflow.models import Engine, InstanceState, Process, RunningProcesses, TaskRun
from workflow.models.states import OPEN
from workflow.unstartable import unstartable

PATIENCE = timedelta(seconds=10)
"""An instance that nobody has taken for so long is held up by something. Engines look for work each second by default."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What may keep engines from an instance: one reading of the database.

    `keys` are the fingerprints that its snapshots name, `limit` is how many instances of its process may run at once, and `running` how many others do; `ahead` counts those that
    engines take first. Nothing but the `fleet` is known where no engine has announced itself.
    """

    fleet: Sequence[Engine]
    is_migrated: bool = True
    is_locked: bool = False
    keys: Collection[str] = ()
    limit: int | None = None
    running: int = 0
    ahead: int = 0


def why_not_taken(instance: RunningProcesses, now: datetime) -> str:
    """Why no engine takes an instance that has been due for a while; blank if one will do so in a moment."""
    return _why_not_taken(instance, read(instance, now), now)


def what_its_engine_does(instance: RunningProcesses, now: datetime) -> str:
    """What the engine does that holds the lease of a RUNNING instance, as far as it has reported."""
    found = read(instance, now)
    if instance.due_at is not None and instance.due_at < now:
        next_one = _why_not_taken(instance, found, now) or _("Another engine takes over in a moment.")
        return f"{_abandoned(instance)} {next_one}"
    owner = next((engine for engine in found.fleet if engine.name == instance.owner), None)
    if owner is None:
        return _held_by_a_stranger(instance, found.fleet)
    if health.is_silent(owner):
        return _silent(instance, owner, found.fleet)
    if owner.dispatch == "tasks":
        text = _(
            "The engine %(engine)s has handed it to the task queue, and no worker has taken it yet. Is one running?"
        )
        return text % {"engine": owner.name}
    if [instance.pk, instance.fence] in owner.queued:
        return _queued(owner)
    if not found.is_migrated:
        return f"{_('The engine %(engine)s holds it.') % {'engine': owner.name}} {_unapplied()}"
    return _("The engine %(engine)s is running it.") % {"engine": owner.name}


def read(instance: RunningProcesses, now: datetime) -> Circumstances:
    """The circumstances of an instance, by one query: each engine comes with all the rest."""
    with _locking_nothing():
        fleet: list[Any] = list(health.engines().annotate(**_circumstances(instance, now)))
    if not fleet:
        return Circumstances(fleet=())
    one = fleet[0]
    return Circumstances(
        fleet=fleet,
        is_migrated=one.is_migrated,
        is_locked=not one.is_free,
        keys={signing.signed_by(bytes(one.start_of_snapshot or b""))} - {""},
        limit=one.limit,
        running=one.running,
        ahead=one.ahead,
    )


def _circumstances(instance: RunningProcesses, now: datetime) -> dict[str, Any]:
    of_process = RunningProcesses.objects.filter(process_name=instance.process_name, state=InstanceState.RUNNING)
    higher = Q(priority__gt=instance.priority)
    earlier = Q(priority=instance.priority, due_at__lt=instance.due_at or now)
    return {
        "is_migrated": Exists(MigrationRecorder.Migration.objects.filter(app="workflow", name=_newest_migration())),
        "is_free": _is_free(instance),
        "start_of_snapshot": _start_of_snapshot(instance),
        "limit": Subquery(Process.objects.filter(name=instance.process_name).values("max_running")),
        "running": _count(of_process.filter(due_at__gt=now).exclude(pk=instance.pk)),
        "ahead": _count(RunningProcesses.objects.due(now).filter(higher | earlier).exclude(pk=instance.pk)),
    }


def _count(rows: QuerySet[Any]) -> Coalesce:
    counted = rows.order_by().annotate(one=Value(1)).values("one").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


def _is_free(instance: RunningProcesses) -> Any:
    """Whether an engine could lock the instance's row: its claim passes over what somebody else has locked."""
    if not connection.features.has_select_for_update_skip_locked:
        return Value(True)  # noqa: FBT003 - an expression
    row = f"SELECT id FROM {RunningProcesses._meta.db_table} WHERE id = %s FOR UPDATE SKIP LOCKED"
    return RawSQL(f"({row}) IS NOT NULL", [instance.pk], output_field=BooleanField())


@contextmanager
def _locking_nothing() -> Iterator[None]:
    """Gives back at once what a query has locked, also inside a request's own transaction."""
    if not connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        yield
        transaction.set_rollback(True)  # to the savepoint


@cache
def _newest_migration() -> str:
    return max(module.name for module in iter_modules(migrations.__path__))


def _why_not_taken(instance: RunningProcesses, found: Circumstances, now: datetime) -> str:
    """Engines come first: without one, nothing else matters. Other causes count only once it has waited for a while."""
    if trouble := health.trouble(processes=[instance.process_name], fleet=found.fleet):
        return trouble
    if missing := health.missing(instance, found.fleet, keys=found.keys):
        return _("No engine that is alive can run it: it needs %(missing)s. It continues when an engine has that.") % {
            "missing": missing
        }
    if instance.due_at is None or timedelta(0) <= now - instance.due_at <= PATIENCE:
        return ""
    if blocked := unstartable(instance, found.fleet):
        return _unstartable(*blocked)
    if instance.due_at > now:
        return ""
    if not found.is_migrated:
        return _unapplied()
    if found.limit is not None and found.running >= found.limit:
        return _limited(instance.process_name, found.limit)
    if found.is_locked:
        return _("Another transaction has locked its row in the database, so engines pass it over until that ends.")
    if found.ahead:
        return _ahead(found.ahead)
    return _("Engines are alive, but none has taken it: they may be busy with other instances. See their logs.")


def _start_of_snapshot(instance: RunningProcesses) -> Any:
    """The start of the newest snapshot that its code goes on from, which names the key that signed it."""
    runs = TaskRun.objects.filter(instance=instance, visit=instance.visit, state__in=OPEN).exclude(snapshot=b"")
    start = Substr("snapshot", 1, signing.START_BYTES, output_field=BinaryField())
    return Subquery(runs.order_by("-pk").values(part=start)[:1], output_field=BinaryField())


def _unstartable(process: str, missing: str) -> str:
    return _(
        "It starts the process “%(process)s”, and no engine that is alive can: the draft of “%(process)s” needs %(missing)s. "
        "It continues when an engine has that, or when the draft is corrected."
    ) % {"process": process, "missing": missing}


def _unapplied() -> str:
    return _("The database lacks migrations of this app, so engines can't work: run manage.py migrate.")


def _limited(process: str, limit: int) -> str:
    return ngettext(
        "Only %(count)s instance of “%(process)s” may run at once, and it is running. This one is next when that ends.",
        "Only %(count)s instances of “%(process)s” may run at once, and they are running. This one waits for one of them.",
        limit,
    ) % {"count": limit, "process": process}


def _ahead(count: int) -> str:
    return ngettext(
        "%(count)s instance with a higher priority, or due earlier, is ahead of it.",
        "%(count)s instances with a higher priority, or due earlier, are ahead of it.",
        count,
    ) % {"count": f"{count:,}"}


def _abandoned(instance: RunningProcesses) -> str:
    return _("The engine %(engine)s stopped responding; its lease ended at %(time)s.") % {
        "engine": instance.owner,
        "time": _time(instance.due_at),
    }


def _held_by_a_stranger(instance: RunningProcesses, fleet: Sequence[Engine]) -> str:
    """Workers of a task queue don't announce themselves, and an engine that has stopped is announced no longer."""
    if any(engine.dispatch == "tasks" and not health.is_dead(engine) for engine in fleet):
        return _("A worker of the task queue (%(engine)s) is running it.") % {"engine": instance.owner}
    return " ".join(
        [
            _("The engine %(engine)s held it when it stopped.") % {"engine": instance.owner},
            *_when_taken_over(instance, fleet),
        ]
    )


def _silent(instance: RunningProcesses, owner: Engine, fleet: Sequence[Engine]) -> str:
    told = _("The engine %(engine)s has not reported for %(seconds)s s: it was killed, or hangs.") % {
        "engine": owner.name,
        "seconds": f"{health.silence(owner).total_seconds():.0f}",
    }
    return " ".join([told, *_when_taken_over(instance, fleet)])


def _when_taken_over(instance: RunningProcesses, fleet: Sequence[Engine]) -> Iterator[str]:
    others = [engine for engine in fleet if engine.name != instance.owner and not health.is_silent(engine)]
    if any(health.takes(engine, instance.process_name) for engine in others):
        yield _("Another engine takes over at %(time)s, when the lease ends.") % {"time": _time(instance.due_at)}
    else:
        yield _("No other engine is alive that could take over: start one with manage.py runengine.")


def _queued(owner: Engine) -> str:
    return _(
        "The engine %(engine)s holds it, but had no thread free for it at %(time)s: all were busy with other instances. "
        "Start more engines, or raise WORKFLOW['CONCURRENCY'] if their code computes for long."
    ) % {"engine": owner.name, "time": _time(owner.seen_at)}


def _time(moment: datetime | None) -> str:
    return moments.to_the_second(moment) if moment else ""

"""Which engines are alive: what a supervisor asks, and what the admin and the page of an instance show."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pkgutil import iter_modules

from django.conf import settings
from django.db import ProgrammingError
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from workflow import clock, migrations
from workflow.abilities import Abilities, Needs
from workflow.errors import DefinitionTooNew
from workflow.models import Engine, InstanceState, RunningProcesses
from workflow.models.engines import EngineState

NOT_PERMITTED = "42501"
"""What PostgreSQL calls it."""


def engines() -> QuerySet[Engine]:
    """Engines, each with how many instances it `holds` and what time it is `now` by the database's clock."""
    held = RunningProcesses.objects.filter(owner=OuterRef("name"), state=InstanceState.RUNNING).order_by()
    counted = held.values("owner").annotate(count=Count("pk")).values("count")
    holds = Coalesce(Subquery(counted, output_field=IntegerField()), 0)
    return Engine.objects.annotate(holds=holds, now=clock.database_now())


def trouble(*, host: str = "", processes: Collection[str] = (), fleet: Iterable[Engine] | None = None) -> str:
    """Why nothing works on instances of these processes, or of all, on this host, or on any; blank where an engine does.

    `fleet` is what `engines()` gave, where it was asked before.
    """
    found = [engine for engine in (engines() if fleet is None else fleet) if not host or engine.host == host]
    where = " " + _("on %(host)s") % {"host": host} if host else ""
    if not found:
        return _("No engine has announced itself%(where)s. Start one: manage.py runengine.") % {"where": where}
    alive = [engine for engine in found if not is_dead(engine)]
    if not alive:
        last = max(found, key=lambda engine: engine.seen_at)
        silent = _now(last) - last.seen_at
        return _(
            "No engine is alive%(where)s: the last word of %(name)s was %(silent)s s ago, and its lease is %(lease)s s. "
            "Start one: manage.py runengine."
        ) % {
            "where": where,
            "name": last.name,
            "silent": f"{silent.total_seconds():.0f}",
            "lease": f"{last.lease:g}",
        }
    missing = {name for name in processes if not any(takes(engine, name) for engine in alive)}
    if missing:
        return _("No engine%(where)s takes instances of %(processes)s: see its --processes.") % {
            "where": where,
            "processes": ", ".join(map(repr, sorted(missing))),
        }
    return ""


def missing(instance: RunningProcesses, fleet: Iterable[Engine], *, keys: Collection[str] = ()) -> str:
    """What no live engine of the `fleet`, as `engines()` gave it, has of what the instance needs, in words. Blank where one has all
    of it, or may have. `keys` are the fingerprints that its snapshots name.
    """
    try:
        needs = Needs.of_version(instance.version)
    except DefinitionTooNew:
        return ""  # what there is newer than this site can't be told here
    return missing_of(needs, instance, fleet, keys=keys)


def missing_of(needs: Needs, instance: RunningProcesses, fleet: Iterable[Engine], *, keys: Collection[str] = ()) -> str:
    """What no live engine that takes the instance has of these `needs`, as `missing` tells it."""
    alive = [engine for engine in fleet if takes(engine, instance.process_name) and not is_dead(engine)]
    announced = [engine.abilities for engine in alive if engine.abilities is not None]
    if not alive or len(announced) < len(alive):
        return ""  # an engine of an older version of this software, which doesn't tell
    fewest = min([Abilities.from_json(one).lacks(needs, keys) for one in announced], key=len)
    return ", ".join(fewest)


def can_others(needs: Needs) -> bool:
    """Whether an engine is alive that has what is needed, as it announced itself."""
    announced = Engine.objects.filter(abilities__isnull=False).annotate(now=clock.database_now(), holds=Value(0))
    able = [engine for engine in announced if not Abilities.from_json(engine.abilities or {}).lacks(needs)]
    return any(not is_dead(engine) for engine in able)


def unapplied_migrations() -> list[str]:
    """The migrations of this app that the database lacks. None where that can't be told, as this database user may not look."""
    if settings.MIGRATION_MODULES.get("workflow", "") is None:
        return []
    recorded = MigrationRecorder.Migration.objects.filter(app="workflow").values_list("name", flat=True)
    try:
        applied = set(recorded)
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", None) == NOT_PERMITTED:
            return []
        raise
    return sorted({module.name for module in iter_modules(migrations.__path__)} - applied)


def takes(engine: Engine, process: str) -> bool:
    """Whether the engine takes instances of that process."""
    return not engine.processes or process in engine.processes


def is_dead(engine: Engine) -> bool:
    """Whether its leases are over, so that others take over its work. For one of `engines()`."""
    return engine.state(now=_now(engine), holds=engine.holds) is EngineState.DEAD  # type: ignore[attr-defined]


def silence(engine: Engine) -> timedelta:
    """How long ago the engine reported last, by the database's clock. For one of `engines()`."""
    return _now(engine) - engine.seen_at


def is_silent(engine: Engine) -> bool:
    """Whether it has missed a report: an engine reports three times in each lease. For one of `engines()`."""
    return silence(engine) > timedelta(seconds=engine.lease / 2)


def _now(engine: Engine) -> datetime:
    return engine.now  # type: ignore[attr-defined, no-any-return]

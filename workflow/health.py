"""Whether an engine is at work: what a supervisor asks, and what the admin shows."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from workflow import clock
from workflow.models import Engine, InstanceState, RunningProcesses
from workflow.models.engines import EngineState


def engines() -> QuerySet[Engine]:
    """Engines, each with how many instances it `holds` and what time it is `now` by the database's clock."""
    held = RunningProcesses.objects.filter(owner=OuterRef("name"), state=InstanceState.RUNNING).order_by()
    counted = held.values("owner").annotate(count=Count("pk")).values("count")
    holds = Coalesce(Subquery(counted, output_field=IntegerField()), 0)
    return Engine.objects.annotate(holds=holds, now=clock.database_now())


def trouble(*, host: str = "", processes: Collection[str] = ()) -> str:
    """Why nothing works on instances of these processes, or of all, on this host, or on any; blank where an engine does."""
    found = [engine for engine in engines() if not host or engine.host == host]
    where = " " + _("on %(host)s") % {"host": host} if host else ""
    if not found:
        return _("No engine has announced itself%(where)s. Start one: manage.py runengine.") % {"where": where}
    alive = [engine for engine in found if _state(engine) is not EngineState.DEAD]
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
    missing = {name for name in processes if not any(_takes(engine, name) for engine in alive)}
    if missing:
        return _("No engine%(where)s takes instances of %(processes)s: see its --processes.") % {
            "where": where,
            "processes": ", ".join(map(repr, sorted(missing))),
        }
    return ""


def _takes(engine: Engine, process: str) -> bool:
    return not engine.processes or process in engine.processes


def _state(engine: Engine) -> EngineState:
    return engine.state(now=_now(engine), holds=engine.holds)  # type: ignore[attr-defined]


def _now(engine: Engine) -> datetime:
    return engine.now  # type: ignore[attr-defined, no-any-return]

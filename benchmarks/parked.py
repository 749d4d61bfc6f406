"""Instances that wait or have ended, by the hundred thousand: copies of real ones, made by the database itself.

An engine drives one of each kind to where it stands. Then its row is copied, with its task runs, its calls and what waits for people: all
columns as the engine has written them, so that nothing here knows what they are.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection, models, transaction

from benchmarks import ours
from benchmarks.bench import Bench, wait_until
from benchmarks.worker import Worker
from workflow import operations
from workflow.models import (
    ActionCall,
    Assignee,
    Process,
    RunningProcesses,
    Task,
    TaskRun,
    TaskTransitions,
    WaitingForApproval,
)
from workflow.models.states import InstanceState

BATCH = 100_000  # rows of a transaction


@dataclass(frozen=True, kw_only=True)
class Parked:
    """How many of each kind."""

    asleep: int
    waiting: int
    ended: int


def define() -> None:
    """A process that sleeps for a year, one that waits for a person, and one that ends."""
    ours.define("Sleeps", (1, "sleep", {}), sleep="sleep(days=365)")
    ours.define("Ends", (1, "end", {}), end=ours.COUNT)
    process = Process.objects.create(name="Waits")
    task = Task.objects.create(parent=process, name="decide", manual=True)
    TaskTransitions.objects.create(process=process, task=task, sequence=1)


def park(worker: Worker, at: Bench, parked: Parked, *, user: Any = None) -> None:
    """So many of each, started by that user, and the statistics that the database's own housekeeping would soon gather."""
    kinds = {"Sleeps": parked.asleep, "Waits": parked.waiting, "Ends": parked.ended}
    originals = {name: operations.start(name, user=user).pk for name, count in kinds.items() if count}
    wait_until(lambda: _all_stand(list(originals.values())), [worker], every=0.1)
    for name, original in originals.items():
        _copy(original, kinds[name])
    if at.postgres:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def _all_stand(instances: list[int]) -> bool:
    moving = {InstanceState.READY, InstanceState.RUNNING}
    return not RunningProcesses.objects.filter(pk__in=instances, state__in=moving).exists()


def _copy(original: int, count: int) -> None:
    for done in range(0, count, BATCH):
        newest = RunningProcesses.objects.order_by("-pk").values_list("pk", flat=True)[0]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_times(min(BATCH, count - done)) + _instances(), [original])
            for statement in (_runs(), _calls(), _waiting(), _assignees()):
                cursor.execute(statement, [original, newest])


def _times(count: int) -> str:
    return f"WITH RECURSIVE times(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM times WHERE n < {count}) "


def _instances() -> str:
    return _insert(RunningProcesses, "times, {table} AS old WHERE old.id = %s")


def _runs() -> str:
    """Each run of the original, for each of its copies."""
    instances = RunningProcesses._meta.db_table
    source = f"{{table}} AS old, {instances} AS copy WHERE old.instance_id = %s AND copy.id > %s"
    return _insert(TaskRun, source, instance_id="copy.id")


def _calls() -> str:
    return _insert(ActionCall, _by_run("run_id"), run_id="copy.id")


def _waiting() -> str:
    return _insert(WaitingForApproval, _by_run("task_run_id"), rpid="copy.instance_id", task_run_id="copy.id")


def _assignees() -> str:
    """Whom the original asks, each of its copies asks too."""
    waiting = WaitingForApproval._meta.db_table
    source = (
        f"{{table}} AS old, {waiting} AS one, {waiting} AS copy WHERE old.waiting_id = one.id AND one.rpid = %s "
        "AND copy.rpid > %s AND copy.task_name = one.task_name"
    )
    return _insert(Assignee, source, waiting_id="copy.id")


def _by_run(column: str) -> str:
    """What belongs to a run of the original, beside each copy of that run."""
    runs = TaskRun._meta.db_table
    return (
        f"{{table}} AS old, {runs} AS run, {runs} AS copy WHERE old.{column} = run.id AND run.instance_id = %s "
        'AND copy.instance_id > %s AND copy.visit = run.visit AND copy."row" = run."row"'
    )


def _insert(model: type[models.Model], source: str, **replaced: str) -> str:
    """All columns but the number of the row itself; some with another value than the old row's."""
    table = model._meta.db_table
    columns = [field.column for field in model._meta.local_concrete_fields if not field.primary_key]
    values = ", ".join(replaced.get(column, f'old."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {source.format(table=table)}"

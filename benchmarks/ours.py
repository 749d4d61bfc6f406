"""Our side: processes as drafts in the database, and whether what was started has ended. Needs the site's models."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from benchmarks.bench import Bench, seconds_for, wait_until
from benchmarks.worker import Worker
from workflow import operations
from workflow.models import Engine, Process, RunningProcesses, RunState, Task, TaskRun, TaskTransitions
from workflow.models.states import InstanceState

COUNT = 'data["n"] = data.get("n", 0) + 1'


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What was done a second."""

    instances: float
    steps: float


def define(name: str, *rows: tuple[int, str, dict[str, object]], **code: str) -> None:
    """A process: its code by task, and its rows as sequence, task and other fields."""
    process = Process.objects.create(name=name)
    tasks = {task: Task.objects.create(parent=process, name=task, code=text) for task, text in code.items()}
    for sequence, task, fields in rows:
        TaskTransitions.objects.create(process=process, task=tasks[task], sequence=sequence, **fields)


def define_counting(name: str, *, steps: int) -> None:
    """A process of that many code steps, each of which counts one up."""
    tasks = {f"count{number}": COUNT for number in range(1, steps + 1)}
    define(name, *((number, task, {}) for number, task in enumerate(tasks, 1)), **tasks)


def newest() -> int:
    """The number of the last instance that was started."""
    return RunningProcesses.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def all_ended(after: int) -> bool:
    """Whether what was started after this one has ended."""
    return not RunningProcesses.objects.filter(pk__gt=after, ended_at=None).exists()


def has_ended(instance: int) -> bool:
    """Whether this instance has finished. Asked as others' are, by the driver itself: an ORM would take longer than the answer."""
    connection.ensure_connection()
    query = f"SELECT 1 FROM {RunningProcesses._meta.db_table} WHERE id = {instance:d} AND ended_at IS NOT NULL"
    return connection.connection.execute(query).fetchone() is not None


def start(name: str) -> int:
    """Start one; its number."""
    return operations.start(name).pk


def warm_up(at: Bench, workers: Sequence[Worker], name: str) -> None:
    """Have each worker run some instances, while the others stand still: then all of them are up."""
    for worker in workers:
        for other in workers:
            if other is not worker:
                other.pause()
        last = newest()
        operations.start_many([name], count=at.size.warm_up)
        wait_until(lambda last=last: all_ended(last), [worker])
        for other in workers:
            other.go_on()


def warm_up_together(at: Bench, worker: Worker, name: str, *, engines: int) -> None:
    """The same for one that runs several engines: more than one of them may hold, once all are there."""
    wait_until(lambda: Engine.objects.count() == engines, [worker])
    last = newest()
    operations.start_many([name], count=engines * at.size.warm_up)
    wait_until(lambda: all_ended(last), [worker])


def rates(workers: Sequence[Worker], names: Sequence[str], *, count: int) -> Rates:
    """How fast these workers, already warm, run `count` new instances, taken from each process in equal parts."""
    last = newest()
    each = count // len(names)
    seconds = seconds_for(workers, put=lambda: operations.start_many(names, count=each), ended=lambda: all_ended(last))
    _check_all_finished(after=last, count=each * len(names))
    steps = TaskRun.objects.filter(instance__gt=last, state=RunState.FINISHED).count()
    return Rates(instances=each * len(names) / seconds, steps=steps / seconds)


def _check_all_finished(*, after: int, count: int) -> None:
    finished = RunningProcesses.objects.filter(pk__gt=after, state=InstanceState.FINISHED).count()
    if finished != count:
        raise SystemExit(f"Of {count} instances only {finished} finished: what was measured is not what was meant.")

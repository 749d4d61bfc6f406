"""Keys of calls, seeds and signatures: that they stay what they were for work that is under way."""

from random import Random
from typing import Any

import pytest
from django.db import connection

from tests.build import code, process, run_until_idle
from workflow import operations, operators
from workflow.models import Process, ProcessVersion, RunningProcesses, Task, TaskRun, TaskTransitions

pytestmark = pytest.mark.django_db(transaction=True)

ASKS_TWICE = """\
import random
data["keys"] = [key()]
data["chance"] = [random.random()]
wait_for("go")
data["keys"].append(key())
data["chance"].append(random.random())
"""


def ended(instance: RunningProcesses) -> RunningProcesses:
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == "FINISHED", instance.error
    return instance


def insert_a_row(made: Process) -> ProcessVersion:
    """A later version, in which another row stands before the others."""
    new = Task.objects.create(parent=made, name="New", code="1")
    TaskTransitions.objects.create(process=made, task=new, sequence=5)
    other = operations.start(made)
    assert [one.task for one in other.version.frozen.rows] == ["New", "Pay"]
    return other.version


def move(instance: RunningProcesses, version: ProcessVersion) -> None:
    """Have the instance, which waits, go by a later version, in which its rows stand one further down."""
    RunningProcesses.objects.filter(pk=instance.pk).update(version=version)
    for run in TaskRun.objects.filter(instance=instance):
        TaskRun.objects.filter(pk=run.pk).update(row=run.row + 1)


def draw_two(seed: str) -> list[float]:
    seeded = Random(seed)
    return [seeded.random(), seeded.random()]


@pytest.mark.parametrize("loses_snapshot", [False, True])
def test_a_row_inserted_before_it_changes_nothing_for_work_under_way(loses_snapshot: bool) -> None:
    made = process("P", {"Pay": code(ASKS_TWICE)}, (10, "Pay"))
    moved, bystander = operations.start("P"), operations.start("P")
    run_until_idle()
    key = moved.task_runs.get().key
    move(moved, insert_a_row(made))
    if loses_snapshot:
        TaskRun.objects.filter(instance=moved).update(snapshot=b"")
    for instance in (moved, bystander):
        operations.signal("go", instance=instance.pk)
    assert ended(moved).data["keys"] == [f"{key}-1", f"{key}-3"]
    assert moved.data["chance"] == draw_two(key)
    other = bystander.task_runs.get().key
    assert ended(bystander).data["keys"] == [f"{other}-1", f"{other}-3"]


def test_a_restarted_task_makes_its_calls_under_other_keys() -> None:
    process("P", {"A": code("data['k'] = key()\nfail_first(1)")}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    first = TaskRun.objects.get().calls.get(number=1).result
    operators.perform(instance.pk, operators.Action.RESTART)
    again = ended(instance).data["k"]
    assert (first, again) == (f"{TaskRun.objects.get().key}-1", f"{TaskRun.objects.get().key}.2-1")


class TestWhatWasThereBefore:
    """Instances that started, and runs that began, before there were tokens and keys."""

    @pytest.fixture(params=["also its run", "its next run"])
    def old(self, request: Any) -> RunningProcesses:
        process("P", {"Wait": code("wait_for('go')"), "Pay": code(ASKS_TWICE)}, (10, "Wait"), (20, "Pay"))
        self.bystander = operations.start("P")
        old = operations.start("P")
        # As an old web server and an old engine have written them, to which these columns are unknown.
        RunningProcesses.objects.filter(pk=old.pk).update(token="")
        run_until_idle()
        operations.signal("go", instance=old.pk)
        run_until_idle()
        if request.param == "also its run":
            TaskRun.objects.filter(instance=old).update(key="")
        return old

    def test_keeps_its_keys_seed_and_signature(self, old: RunningProcesses) -> None:
        operations.signal("go", instance=old.pk)
        assert ended(old).data["keys"] == [f"{old.pk}-2-1-1", f"{old.pk}-2-1-3"]
        assert old.data["chance"] == draw_two(f"{old.pk}-2-1")
        self.bystander.refresh_from_db()
        assert self.bystander.state == "WAITING"


def test_an_engine_that_does_not_know_the_columns_can_write_rows() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    run = TaskRun.objects.get()
    with connection.cursor() as cursor:
        for row, gone in ((instance, "token"), (run, "key")):
            fields = [one.column for one in row._meta.local_concrete_fields if one.name not in {"id", gone}]
            columns = ", ".join(map(connection.ops.quote_name, fields))
            values = columns.replace('"visit"', "7")
            table = row._meta.db_table
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE id = %s", [row.pk])
    assert RunningProcesses.objects.get(visit=7).token == ""
    assert TaskRun.objects.get(visit=7).external_key == f"{instance.pk}-7-0"


class TestChildren:
    def test_have_tokens_of_their_own(self) -> None:
        child = process("Child", {"A": code("data['k'] = key()")}, (1, "A"))
        tasks = {"A": code("run_all([('Child', {}), ('Child', {})])"), "B": {"subprocess": child}}
        process("P", tasks, (1, "A"), (2, "B"))
        parent = ended(operations.start("P"))
        children = list(RunningProcesses.objects.filter(process_name="Child").order_by("pk"))
        tokens = [one.token for one in children]
        assert len({parent.token, *tokens}) == 4
        assert all(len(token) == 32 for token in tokens)
        for one in children:
            assert one.data["k"].startswith(one.token)

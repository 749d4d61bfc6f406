"""What the engine itself fails on: that instance FAILS, with the reason, and the others go on."""

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests.build import code, process, run_until_idle
from workflow import operations
from workflow.models import InstanceState, ProcessVersion, RunningProcesses, TaskRun

pytestmark = pytest.mark.django_db(transaction=True)

MANY = "'x' * (20 * 2 ** 20)"


def written_by_hand(column: str, instance: RunningProcesses) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {RunningProcesses._meta.db_table} SET {column} = %s WHERE id = %s",
            ['{"x": {"$date": "soon"}}', instance.pk],
        )


@pytest.mark.parametrize("column", ["data", "results"])
def test_what_can_not_be_read_fails_its_instance_alone(column: str, admin_client: Client) -> None:
    process("Short", {"A": code("1")}, (1, "A"))
    bad, good = operations.start("Short"), operations.start("Short")
    written_by_hand(column, bad)

    run_until_idle()

    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == (InstanceState.FAILED, InstanceState.FINISHED)
    assert f"The {column} of instance {bad.pk} can't be read" in bad.error["message"]
    page = admin_client.get(reverse("admin:workflow_runningprocesses_change", args=[bad.pk]))
    assert page.status_code == 200
    assert "can&#x27;t be read" in page.content.decode()


def test_a_definition_that_can_not_be_read_fails_its_instances() -> None:
    process("Short", {"A": code("1")}, (1, "A"))
    instance = operations.start("Short")
    ProcessVersion.objects.update(definition={"tasks": 1})

    run_until_idle()

    instance.refresh_from_db()
    assert instance.state == InstanceState.FAILED
    assert "The engine failed" in instance.error["message"]


def test_what_earlier_code_has_left_is_not_what_later_code_runs_out_of_memory_for() -> None:
    tasks = {"A": code(f"a = {MANY}\n1", memory_limit=32), "B": code(f"b = {MANY}\n2", memory_limit=32)}
    process("Large", tasks, (1, "A"), (2, "B"))
    instance = operations.start("Large")

    run_until_idle()

    instance.refresh_from_db()
    assert (instance.state, instance.results) == (InstanceState.FINISHED, {"A": 1, "B": 2}), instance.error
    assert TaskRun.objects.count() == 2

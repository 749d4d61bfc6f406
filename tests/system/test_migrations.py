"""Engines and migrations: none starts on a database that is older than its code; one that is newer is no obstacle."""

import signal
from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests.build import code, process
from tests.conftest import Manage
from tests.system.conftest import EngineProcess, eventually
from workflow import health, operations
from workflow.engine import worker
from workflow.models import RunningProcesses

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

NEWER = "9999_of_a_newer_version"


@pytest.fixture
def recorder() -> Iterator[MigrationRecorder]:
    """What is recorded as applied is so again after the test."""
    recorder = MigrationRecorder(connection)
    before = set(recorder.migration_qs.filter(app="workflow").values_list("name", flat=True))
    yield recorder
    recorder.record_unapplied("workflow", NEWER)
    recorded = set(recorder.migration_qs.filter(app="workflow").values_list("name", flat=True))
    for name in before - recorded:
        recorder.record_applied("workflow", name)


def newest(recorder: MigrationRecorder) -> str:
    return max(recorder.migration_qs.filter(app="workflow").values_list("name", flat=True))


@pytest.mark.parametrize("options", [["--until-idle"], [], ["--workers", "2"]])
def test_an_engine_does_not_start_before_the_database_is_migrated(
    manage: Manage, recorder: MigrationRecorder, options: list[str]
) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    instance = operations.start("P")
    missing = newest(recorder)
    recorder.record_unapplied("workflow", missing)
    done = manage("runengine", *options)
    told = f"CommandError: The database lacks migrations of this app: {missing}. Run manage.py migrate first.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
    instance.refresh_from_db()
    assert (instance.state, instance.fence) == ("READY", 0)


def test_a_worker_of_a_task_queue_takes_nothing_over(recorder: MigrationRecorder) -> None:
    worker._refuse_old_database.cache_clear()
    missing = newest(recorder)
    recorder.record_unapplied("workflow", missing)
    with pytest.raises(RuntimeError, match=f"The database lacks migrations of this app: {missing}"):
        worker.drive_handed_over(instance=1, owner="a", fence=1, lease=60)
    recorder.record_applied("workflow", missing)
    worker.drive_handed_over(instance=1, owner="a", fence=1, lease=60)


def test_a_newer_migration_stops_no_engine(
    start_engine: Callable[..., EngineProcess], recorder: MigrationRecorder
) -> None:
    """Neither one that runs while it is applied, nor one that starts after it, as one that died and is started again."""
    process("P", {"A": code("1")}, (1, "A"))
    engine = start_engine()
    engine.told("started.")
    recorder.record_applied("workflow", NEWER)
    operations.start("P")
    eventually(RunningProcesses.objects.filter(state="FINISHED").exists, lambda: engine.log)
    engine.signal(signal.SIGTERM)
    assert engine.ended() == 0
    operations.start("P")
    assert start_engine("--until-idle").ended() == 0
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}


def test_it_takes_no_right_that_an_engine_does_not_have_otherwise() -> None:
    """A database user that may not look at what is recorded runs engines as before."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE engine_without_rights")
            cursor.execute("SET ROLE engine_without_rights")
            try:
                assert health.unapplied_migrations() == []
            finally:
                cursor.execute("RESET ROLE")
                cursor.execute("DROP ROLE engine_without_rights")
    assert health.unapplied_migrations() == []

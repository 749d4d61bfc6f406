"""`afterrestore`: a checklist with this database's numbers."""

from io import StringIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from tests.build import code, manual, process, run_until_idle
from tests.users import User
from workflow import operations
from workflow.code import signing
from workflow.models import Engine, InstanceState, Process, RunningProcesses, RunState, TaskRun, Upload

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> str:
    output = StringIO()
    call_command("afterrestore", stdout=output)
    return output.getvalue()


def told_of_what_is_wrong() -> tuple[str, str]:
    """The checklist, and what the command ends with."""
    output = StringIO()
    with pytest.raises(CommandError) as ended:
        call_command("afterrestore", stdout=output)
    assert ended.value.returncode == 1, "so that a script that restores and starts stops here"
    return output.getvalue(), str(ended.value)


def rows() -> dict[str, list[Any]]:
    """All that a command could have changed."""
    models = (RunningProcesses, TaskRun, Upload, Engine, Process)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}  # type: ignore[attr-defined]


def test_an_empty_database_has_nothing_wrong() -> None:
    text = told()
    assert "WRONG" not in text
    for line in (
        "Migrations that the database lacks: 0.",
        "Engines that may be alive: 0.",
        "Sequences that would give out primary keys that are taken: 0.",
        "Uploaded files: 0. Missing: 0.",
        "Instances that had not ended: 0.",
    ):
        assert line in text
    assert text.endswith("Nothing keeps you from starting the site and the engines, when you have read this.\n")


def test_it_counts_what_may_happen_again_and_changes_nothing() -> None:
    User.objects.create_user("anna", email="anna@example.com")
    process("Waits", {"A": code("key()\nwait_for('go')")}, (1, "A"))
    process("Asks", {"A": manual("anna")}, (1, "A"))
    process("Ended", {"A": code("1")}, (1, "A"))
    waits, _ = operations.start("Waits"), operations.start("Ended")
    with override_settings(WORKFLOW={"MAIL": False}):
        run_until_idle()
    operations.start("Asks")
    operations.signal("nobody waits for it")
    # As it is in the middle of a call.
    TaskRun.objects.filter(instance=waits).update(state=RunState.RUNNING, begun=1)
    RunningProcesses.objects.filter(pk=waits.pk).update(
        state=InstanceState.RUNNING, due_at=timezone.now(), owner="lost", token=""
    )
    run = waits.task_runs.get()
    before = rows()
    text = told()
    assert rows() == before
    assert "WRONG" not in text
    for line in (
        "Instances that had not ended: 2.",
        "Instances from before there were tokens: 1.",
        "  Asks: 1 READY\n",
        "  Waits: 1 RUNNING\n",
        "Instances that were running: 1. Due now: 2.",
        "Calls that had begun and not ended: 1.",
        f"instance {waits.pk} of 'Waits', task 'A': {run.key}-{run.call_number}\n",
        "Calls that wait for a signal: 1. Signals that are kept: 1.",
        "Snapshots of code that sleeps or waits: 1. Those that no known key verifies: 0.",
    ):
        assert line in text, text


def test_it_names_what_is_wrong() -> None:
    anna = User.objects.create_user("anna")
    kept, lost = (operations.keep_upload(ContentFile(b"x", name=name), by=anna) for name in ("kept.txt", "lost.txt"))
    lost.file.storage.delete(lost.file.name)
    process("P", {"A": code("wait_for('go')")}, (1, "A"))
    operations.start("P")
    run_until_idle()
    now = timezone.now()
    Engine.objects.create(
        name="web1:7", host="web1", pid=7, version="1", concurrency=1, lease=600, started_at=now, seen_at=now
    )
    with override_settings(SECRET_KEY="another key"):
        text, end = told_of_what_is_wrong()
    assert "WRONG Engines that may be alive: 1. Stop all engines" in text
    assert "web1:7, seen " in text
    assert "WRONG Uploaded files: 2. Missing: 1. Restore the files" in text
    assert f"'lost.txt' of instance -: {lost.file.name}" in text
    assert kept.file.name not in text
    assert "Those that no known key verifies: 1. Restore the keys" in text
    assert end == "Put right what is marked WRONG (3), and run this again, before you start the site and the engines."


def test_snapshots_that_lack_the_same_key_are_one_line() -> None:
    process("P", {"A": code("wait_for('go')")}, (1, "A"))
    started = [one.pk for one in operations.start_many(["P"], count=5)]
    with override_settings(SECRET_KEY="the key of the site"):
        run_until_idle()
        key = signing.fingerprint(signing.signing_keys()[0])
    started.append(operations.start("P").pk)
    run_until_idle()
    here = signing.fingerprint(signing.signing_keys()[0])
    changed = TaskRun.objects.get(instance=started[-1])
    changed.snapshot = bytes(changed.snapshot) + b"!"
    changed.save(update_fields=["snapshot"])
    text, _ = told_of_what_is_wrong()
    assert [
        line.strip() for line in text.splitlines() if "key" in line and "WRONG" not in line and "instance" in line
    ] == [
        f"5 signed by a key with the fingerprint {key}, which is not known here: instances {started[0]}, {started[1]}, {started[2]}, …",
        f"1 changed in the database (they name the key {here}, which is known): instance {started[-1]}",
    ]


@pytest.mark.postgres  # SQLite gives out no key that is taken
def test_it_finds_a_sequence_that_is_behind() -> None:
    made = process("P", {"A": code("1")}, (1, "A"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('workflow_process', 'id'), %s, false)", [made.pk])
    text, _ = told_of_what_is_wrong()
    assert "WRONG Sequences that would give out primary keys that are taken: 1." in text
    assert f"workflow.Process: the next is {made.pk}, and {made.pk} is there" in text

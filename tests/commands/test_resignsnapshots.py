"""`resignsnapshots`: after it, an older key is needed for no snapshot any more."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.build import code, process, run_until_idle
from tests.code.test_signing import signed_without_fingerprint
from tests.locks import locked
from tests.system.conftest import EngineProcess, eventually, start_engine
from workflow import clock, operations, transitions
from workflow.code import signing
from workflow.models import Engine, InstanceState, RunningProcesses, RunState, TaskRun
from workflow.transitions import Applied, Turn

__all__ = ["start_engine"]

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "the old key " * 4, "the new key " * 4


def keys(*listed: str) -> Any:
    return override_settings(WORKFLOW={"SNAPSHOT_KEYS": list(listed)})


def sleepers(count: int) -> list[RunningProcesses]:
    """Instances whose code waits, signed with the old key, and one that has none to sign."""
    process("P", {"A": code("x = 1\nwait_for('go')\ndata['x'] = x")}, (1, "A"))
    process("Ended", {"A": code("1")}, (1, "A"))
    operations.start("Ended")
    with keys(OLD):
        instances = operations.start_many("P", count=count)
        run_until_idle()
    return instances


def resigned(*options: str) -> str:
    output = StringIO()
    call_command("resignsnapshots", *options, stdout=output, stderr=StringIO())
    return output.getvalue()


def test_afterwards_the_old_key_is_not_needed() -> None:
    instances = sleepers(5)
    old_format = instances[0].task_runs.get()
    plain = signed_without_fingerprint(old_format.snapshot_name, snapshot_of(old_format), OLD)
    TaskRun.objects.filter(pk=old_format.pk).update(snapshot=plain)
    fingerprint = signing.fingerprint(NEW)
    with keys(NEW, OLD):
        assert (
            resigned("--dry-run") == f"Would sign 5 snapshots with the newest key ({fingerprint}); 0 had it already.\n"
        )
        assert (
            resigned("--batch", "2") == f"Signed 5 snapshots with the newest key ({fingerprint}); 0 had it already.\n"
        )
        assert resigned() == f"Signed 0 snapshots with the newest key ({fingerprint}); 5 had it already.\n"
    with keys(NEW):
        for instance in instances:
            operations.signal("go", instance=instance.pk)
        run_until_idle()
    for instance in instances:
        instance.refresh_from_db()
        assert (instance.state, instance.data) == (InstanceState.FINISHED, {"x": 1}), instance.error
        assert "replayed" not in instance.task_runs.get().log


def snapshot_of(run: TaskRun) -> bytes:
    with keys(OLD):
        return signing.verify(run.snapshot_name, bytes(run.snapshot), where="it")


def test_what_no_known_key_verifies_is_named_and_left_as_it_is() -> None:
    first, second, third = sleepers(3)
    tampered, lost = first.task_runs.get(), second.task_runs.get()
    TaskRun.objects.filter(pk=tampered.pk).update(snapshot=bytes(tampered.snapshot) + b"x")
    with keys("a key that is lost"):
        TaskRun.objects.filter(pk=lost.pk).update(snapshot=signing.sign(lost.snapshot_name, b"2x"))
    before = dict(TaskRun.objects.values_list("pk", "snapshot"))
    output = StringIO()
    with keys(NEW, OLD), pytest.raises(CommandError) as refused:
        call_command("resignsnapshots", stdout=output)
    assert refused.value.returncode == 1
    assert output.getvalue().startswith("Signed 1 snapshot with")
    message = str(refused.value)
    assert message.startswith("No known key verifies 2 snapshots; left as before:\n")
    assert f"Task run {tampered.pk} ('A' of 'P', instance {first.pk}): " in message
    assert f"its fingerprint is {signing.fingerprint('a key that is lost')}" in message
    after = dict(TaskRun.objects.values_list("pk", "snapshot"))
    assert [pk for pk in before if bytes(before[pk]) != bytes(after[pk])] == [third.task_runs.get().pk]


def test_an_engine_that_has_read_the_old_one_does_not_write_it_again() -> None:
    instance, bystander = sleepers(2)
    operations.signal("go", instance=instance.pk)
    now = clock.ask_database()
    (claimed,) = transitions.claim("engine", now=now, until=now + timedelta(minutes=1), limit=1)
    ((run,),) = transitions.with_runs([claimed]).values()
    lease = transitions.lease_of(claimed)
    old = bytes(run.snapshot)
    with keys(NEW, OLD):
        resigned()
        turn = Turn(state=InstanceState.WAITING, changed=[run])
        run.state = RunState.RETRYING
        assert transitions.apply(lease, turn) is Applied.OUTDATED, "it has to look anew"
    assert signing.signed_by(old) == signing.fingerprint(OLD)
    for one in TaskRun.objects.exclude(snapshot=b""):
        assert signing.signed_by(bytes(one.snapshot)) == signing.fingerprint(NEW)
    bystander.refresh_from_db()
    assert (bystander.state, bystander.events) == (InstanceState.WAITING, 0), "nobody held it"


def test_beside_an_engine_that_does_not_know_the_key_nothing_is_done() -> None:
    sleepers(1)
    now = clock.ask_database()
    given: Any = {
        "host": "web1",
        "pid": 7,
        "version": "1",
        "concurrency": 1,
        "lease": 600,
        "started_at": now,
        "seen_at": now,
    }
    Engine.objects.create(
        name="web1:7", **given, abilities={"format": 1, "names": [], "keys": [signing.fingerprint(NEW)]}
    )
    with keys(NEW, OLD):
        resigned()
    before = [bytes(one) for one in TaskRun.objects.values_list("snapshot", flat=True)]
    Engine.objects.create(name="web1:8", **given)
    with keys("newest " * 6, NEW), pytest.raises(CommandError, match="are alive: web1:7, web1:8. Restart them"):
        resigned()
    assert before == [bytes(one) for one in TaskRun.objects.values_list("snapshot", flat=True)]
    Engine.objects.update(seen_at=now - timedelta(hours=1))
    with keys("newest " * 6, NEW):
        assert resigned().startswith("Signed 1 snapshot ")


def test_code_that_fails_before_its_next_call_is_written_with_the_newest_key() -> None:
    process("F", {"A": code("wait_for('go')\n1 / data['by']", max_attempts=2, retry_delay=9e6)}, (1, "A"))
    with keys(OLD):
        instance = operations.start("F", {"by": 0})
        run_until_idle()
    operations.signal("go", instance=instance.pk)
    with keys(NEW, OLD):
        run_until_idle()
    run = instance.task_runs.get()
    assert (run.state, signing.signed_by(bytes(run.snapshot))) == (RunState.RETRYING, signing.fingerprint(NEW))


@pytest.mark.postgres  # SQLite has one lock, which everybody waits for
def test_what_somebody_has_locked_is_come_back_to() -> None:
    instance = sleepers(2)[0]
    with locked(RunningProcesses.objects.filter(pk=instance.pk)) as is_over, keys(NEW, OLD):
        batches = operations.resign()
        assert next(batches).signed == 1
        is_over.set()
        assert sum(one.signed for one in batches) == 1


@pytest.mark.slow
def test_engines_go_on_meanwhile(start_engine: Callable[..., EngineProcess], effects: Path) -> None:
    text = "for n in range(15):\n    sleep(seconds=0.02)\n    note(f'{run.id} {n}')\n    attempt()"
    process("Sleeps", {"A": code(text)}, (1, "A"))
    instances = operations.start_many("Sleeps", count=20)
    run_until_idle()
    listed = json.dumps({"SNAPSHOT_KEYS": [NEW, site.SECRET_KEY]})
    engines = [start_engine(WORKFLOW=listed) for _ in range(2)]

    def all_ended() -> bool:
        with keys(NEW, site.SECRET_KEY):
            assert not any(done.refused for done in operations.resign(batch=3))
        return not RunningProcesses.objects.filter(ended_at=None).exists()

    eventually(all_ended, lambda: "\n".join(engine.log for engine in engines))
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {InstanceState.FINISHED}
    noted = effects.read_text().splitlines()
    assert sorted(noted) == sorted(f"{one.pk} {n}" for one in instances for n in range(15))

"""A task queue that drives: RQ on Redis, with workers that are processes, and die."""

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.exceptions import InvalidJobOperation
from rq.job import Job

from tests.build import code, process
from tests.conftest import Spawn
from tests.queue_server import redis_url
from tests.system.conftest import EngineProcess, eventually
from tests.system.test_chaos import (
    assert_all_ended,
    assert_booked_once,
    assert_effects,
    processes,
    start_all,
    undisturbed,
)
from workflow import operations
from workflow.models import RunningProcesses

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LEASE = 4  # seconds
EACH = 10  # instances of a process; with their children, 110
PATIENCE = 240.0  # seconds for all to end: a busy machine is slow, not wrong

Start = Callable[..., EngineProcess]


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a Redis."""
    url = redis_url(tmp_path_factory.mktemp("redis"))
    if url is None:
        pytest.skip("No Redis: start one, or install redis-server, to run the tests of task queues.")
    return url


@pytest.fixture
def queue(redis: str, effects: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """A queue of this test's own, which engines send to; others may use the same Redis."""
    name = f"workflow-test-{secrets.token_hex(6)}"
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.queue_settings")
    with Redis.from_url(redis) as server:
        queue = Queue(name, connection=server)
        yield queue
        _forget(queue)


def _forget(queue: Queue) -> None:
    for registry in (queue.finished_job_registry, queue.failed_job_registry, queue.started_job_registry):
        for job in Job.fetch_many(registry.get_job_ids(cleanup=False), connection=queue.connection):
            with suppress(InvalidJobOperation):  # what Redis has forgotten by itself meanwhile
                if job is not None:
                    job.delete()
    queue.delete(delete_jobs=True)


@pytest.fixture
def start(queue: Queue, redis: str, spawn: Spawn, effects: Path) -> Start:
    """Starts a command whose task queue this is."""
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.queue_settings",
        "TEST_QUEUE": queue.name,
        "TEST_QUEUE_URL": redis,
        "EFFECTS": str(effects),
    }
    return lambda *arguments, **more: EngineProcess(spawn(*arguments, **variables, **more))


@pytest.fixture
def start_worker(start: Start, queue: Queue) -> Start:
    """Starts a worker as a process."""
    rqworker = ("rqworker", queue.name, "--job-class", "django_tasks_rq.Job")
    return lambda kind="rq.SimpleWorker", **variables: start(*rqworker, "--worker-class", kind, **variables)


@pytest.mark.timeout(300)
def test_all_ends_as_if_no_worker_had_died(start: Start, start_worker: Start, effects: Path) -> None:
    names = processes()
    models, effects_of = undisturbed(names, effects)

    workers = [start_worker(), start_worker()]
    engine = start("runengine", "--lease", str(LEASE), "--batch", "20", "--poll-interval", "0.05")
    instances = start_all(names, count=EACH)
    workers[0].told("Result of")
    workers[0].signal(signal.SIGKILL)
    workers[0].ended()
    workers.append(start_worker())

    def told() -> str:
        return "\n".join(one.log[-5000:] for one in (engine, *workers))

    eventually(lambda: not RunningProcesses.objects.filter(ended_at=None).exists(), told, within=PATIENCE)
    for one in (engine, *workers[1:]):
        one.signal(signal.SIGTERM)
        assert one.ended() == 0, one.log[-5000:]
        assert "level=ERROR" not in one.log, one.log

    assert all("Result of" in worker.log for worker in workers), "each had its share"
    assert "Result of" not in engine.log
    assert_all_ended(instances, models)
    assert_booked_once(instances)
    assert_effects(instances, effects_of, effects)


@pytest.mark.timeout(180)
def test_workers_that_fork_for_each_task_drive_as_well(start: Start, start_worker: Start, effects: Path) -> None:
    process("P", {"A": code("note('a')"), "B": code("note('b')")}, (1, "A"), (2, "B"))
    instances = operations.start_many(["P"], count=3)
    worker = start_worker("rq.Worker")
    engine = start("runengine", "--until-idle", "--poll-interval", "0.05")
    assert engine.ended() == 0, engine.log
    assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}, worker.log
    assert sorted(effects.read_text().split()) == sorted("ab" * len(instances))


@pytest.mark.timeout(180)
def test_what_its_queue_takes_too_long_goes_on_where_it_was(start: Start, start_worker: Start, effects: Path) -> None:
    process("P", {"A": code("note('a')\npause(2)"), "B": code("note('b')")}, (1, "A"), (2, "B"))
    operations.start("P")
    worker = start_worker(TEST_QUEUE_TIMEOUT="1")
    engine = start("runengine", "--until-idle", "--poll-interval", "0.05", TEST_QUEUE_TIMEOUT="1")
    assert engine.ended() == 0, engine.log
    worker.told("JobTimeoutException")
    instance = RunningProcesses.objects.get()
    assert (instance.state, instance.fence) == ("FINISHED", 2), worker.log
    assert effects.read_text().split() == ["a", "b"]

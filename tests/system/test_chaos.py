"""Chaos: engines that are killed, frozen and cut off at random, and a database that is taken away, while all kinds of processes run.

It must end as if nothing had happened. CHAOS_SECONDS is how long to disturb (default: 6; at 60, some 500 instances and more),
CHAOS_SEED replays a schedule: what is done, when, and to which engine. On PostgreSQL the server is the tests' own, which crashes
once and is restarted once.
"""

import os
import random
import signal
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection

from tests.build import code, process, run_until_idle
from tests.postgres import OWN
from tests.system.conftest import EngineProcess, eventually
from tests.system.test_kills import told_of
from workflow import operations
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECONDS = float(os.environ.get("CHAOS_SECONDS", "6"))
PATIENCE = 240  # seconds for the rest to end: a busy machine is slow, not wrong
LEASE = 2  # seconds
AT_ONCE = 120  # instances: so many are always under way
EACH_SECOND = 500 / 60  # instances that are started at least
LEAST = 4  # disturbances, however slow the machine is
BUSY = 1.0  # seconds that an engine waits for SQLite's lock
LONGEST = SECONDS + 2 * PATIENCE
POSTGRES = connection.vendor == "postgresql"

Start = Callable[..., EngineProcess]


def processes() -> list[str]:
    """One of each kind; the names of those that are to be started."""

    def slow(text: str, gives: str = "0", **fields: Any) -> dict[str, Any]:
        return code(f"{text}\n{gives}", time_limit=60, **fields)  # whatever else this machine has to do

    process(
        "Sequence",
        {"A": slow("data['n'] = 1"), "B": slow("say('b1')\nbook(f'{run.id} b')\nsay('b2')"), "C": slow("", "data['n'] + 1")},
        (1, "A"), (2, "B"), (3, "C"),
    )  # fmt: skip
    process(
        "Rows",
        {"L": slow("say('l')\npause(0.02)", "'l'"), "R": slow("book(f'{run.id} r')\nsay('r')", "'r'"), "E": slow("", "results['L']")},
        (1, "L"), (1, "R"), (2, "E"),
    )  # fmt: skip
    process(
        "Loop",
        {"A": slow("data['n'] = data.get('n', 0) + 1\nsay(f'a{data[\"n\"]}')\nbook(f'{run.id} {data[\"n\"]}')"), "E": slow("")},
        (1, "A"), (2, "E", {"condition": "data['n'] < 4", "then": 1}), (3, "E"),
    )  # fmt: skip
    process(
        "Short",
        {"A": slow("data['a'] = data.get('b', 0) + 1"), "B": slow("data['b'] = data.get('b', 0) + 1"), "E": slow("", "data['a']")},
        (1, "A"), (1, "B"), (2, "E", {"condition": "data['b'] < 30", "then": 1}),
    )  # fmt: skip
    flaky = "say('before')\nfail_first(2)\nsay('after')"
    process("Retries", {"A": slow(flaky, max_attempts=3, retry_delay=0.05)}, (1, "A"))
    naps = "for n in range(3):\n    say(f's{n}')\n    sleep(seconds=0.05)\n    book(f'{run.id} {n}')"
    process("Sleeps", {"A": slow(naps)}, (1, "A"))
    heard = "say('asks')\ndata['got'] = [wait_for('go'), wait_for('go')]\nbook(f'{run.id} heard')"
    process("Listens", {"A": slow(heard)}, (1, "A"))
    child = process("Child", {"A": slow("say('c')\nsleep(seconds=0.02)\ndata['n'] = data['n'] * 2")}, (1, "A"))
    begets = "data['got'] = [one['n'] for one in run_all([('Child', {'n': n}) for n in range(3)])]\nsay('parent')"
    task = {"subprocess": child, "input": "{'n': 5}"}
    process("Parents", {"A": slow(begets), "B": task}, (1, "A"), (2, "B"))
    return ["Sequence", "Rows", "Loop", "Short", "Retries", "Sleeps", "Listens", "Parents"]


def start_all(names: list[str], count: int = 1) -> list[RunningProcesses]:
    started = operations.start_many(names, count=count)
    for instance in started:
        if instance.process_name == "Listens":
            operations.signal("go", 1, instance=instance.pk)  # kept, or not: as the engines are quick
            operations.signal("go", 2, instance=instance.pk)
    return started


class Disturbance(NamedTuple):
    """What is to happen, after how many seconds, to which part of those that there are, and how hard: each from 0 to 1."""

    kind: str
    after: float
    which: float
    how: float


def schedule(seed: int, kinds: list[str]) -> Iterator[Disturbance]:
    """The same for the same seed, however long each of them takes."""
    chance = random.Random(seed)
    while True:
        yield Disturbance(chance.choice(kinds), chance.uniform(0.05, 0.5), chance.random(), chance.random())


class Chaos:
    """Engines, and what happens to them."""

    def __init__(self, start_engine: Start, seed: int) -> None:
        self.start = start_engine
        self.schedule = schedule(seed, ["kill", "kill", "freeze", "cut_off" if POSTGRES else "lock"])
        self.engines: list[EngineProcess] = []
        self.did: Counter[str] = Counter()

    def begin(self, engines: int) -> None:
        for _ in range(engines):
            self._another()

    def disturb(self) -> None:
        """What comes next."""
        one = next(self.schedule)
        time.sleep(one.after)
        self.do(one)

    def do(self, one: Disturbance) -> None:
        getattr(self, one.kind)(one)
        self.did[one.kind] += 1

    def kill(self, one: Disturbance) -> None:
        engine = self.engines.pop(int(one.which * len(self.engines)))
        engine.process.kill()
        engine.ended()
        self._another()

    def freeze(self, one: Disturbance) -> None:
        """Have an engine stand still beyond its lease. It may hold locks: then all wait for it, and must bear that too."""
        engine = self.engines[int(one.which * len(self.engines))]
        engine.signal(signal.SIGSTOP)
        time.sleep(LEASE + 0.2 + one.how)
        engine.signal(signal.SIGCONT)

    def cut_off(self, one: Disturbance) -> None:
        """Break the connections of all engines, or of some."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND random() < %s",
                [0.2 if one.how < 0.5 else 1],
            )

    def crash(self, _: Disturbance) -> None:
        """Kill a server process of PostgreSQL, which then ends all others, recovers and begins anew."""
        with connection.cursor() as cursor:
            # One that is always there: a client's may have ended by now.
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'")
            (writer,) = cursor.fetchone()
        before = began_at()
        os.kill(writer, signal.SIGKILL)
        eventually(lambda: began_at() not in {None, before})  # until then it may cut us off as well

    def restart(self, one: Disturbance) -> None:
        """Stop the server, and start it after a while."""
        connection.close()
        OWN[0].stop()
        time.sleep(1 + one.how)
        OWN[0].start()

    def lock(self, one: Disturbance) -> None:
        """Keep everybody from writing, for longer than they wait."""
        other = sqlite3.connect(connection.settings_dict["NAME"], timeout=60, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(BUSY + 0.2 + one.how)
            other.execute("ROLLBACK")
        finally:
            other.close()

    def end(self) -> None:
        for engine in self.engines:
            engine.told("started")  # one that has only just begun does not listen to signals yet
            engine.signal(signal.SIGTERM)
        for engine in self.engines:
            assert engine.ended() == 0, engine.log[-5000:]

    def told(self) -> str:
        alive = RunningProcesses.objects.filter(ended_at=None).values_list("pk", "process_name", "state", "owner")
        logs = "\n".join(engine.log[-3000:] for engine in self.engines)
        return f"{dict(self.did)}; not ended: {list(alive[:20])}\n{logs}"

    def _another(self) -> None:
        self.engines.append(self.start("--lease", str(LEASE), "--batch", "10"))


def began_at() -> Any:
    """When PostgreSQL's checkpointer has begun, which is after its last recovery; by a new connection, if there is one."""
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT max(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
            return cursor.fetchone()[0]
    except (OperationalError, InterfaceError):
        return None


@pytest.fixture
def chaos(start_engine: Start, environment: dict[str, str]) -> Chaos:
    if not POSTGRES:
        environment["DATABASE_URL"] += f"?timeout={BUSY:g}"
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
    print(f"CHAOS_SEED={seed}")  # pytest shows it where the test fails
    return Chaos(start_engine, seed)


def test_a_seed_replays_the_schedule() -> None:
    kinds = ["kill", "freeze"]
    first, second, other = (schedule(seed, kinds) for seed in (7, 7, 8))
    drawn = [next(first) for _ in range(50)]
    assert drawn == [next(second) for _ in range(50)]
    assert drawn != [next(other) for _ in range(50)]


@pytest.mark.timeout(LONGEST)
def test_all_ends_as_if_nothing_had_happened(chaos: Chaos, effects: Path) -> None:
    names = processes()
    models, effects_of = undisturbed(names, effects)

    chaos.begin(engines=4 if POSTGRES else 2)
    instances: list[RunningProcesses] = []
    left = ["crash", "restart"] if OWN else []
    begun = time.monotonic()
    while (gone := time.monotonic() - begun) < SECONDS or chaos.did.total() < LEAST:
        is_behind = len(instances) < EACH_SECOND * gone
        if is_behind or RunningProcesses.objects.filter(ended_at=None).count() < AT_ONCE:
            instances += start_all(names, count=20)
        if left and gone > SECONDS * (1 - len(left) / 3):
            chaos.do(Disturbance(left.pop(0), after=0, which=0.5, how=0.5))
        chaos.disturb()
    all_end(chaos)
    chaos.end()
    print(f"{len(instances)} instances, {dict(chaos.did)}")

    assert_all_ended(instances, models)
    assert_booked_once(instances)
    assert_effects(instances, effects_of, effects)


def assert_all_ended(instances: list[RunningProcesses], models: dict[str, RunningProcesses]) -> None:
    """Each as its model did, and nothing is left of who drove it."""
    for instance in instances:
        assert told_of(instance) == told_of(models[instance.process_name]), f"instance {instance.pk}"
    assert not RunningProcesses.objects.exclude(state=InstanceState.FINISHED).exists()
    assert set(RunningProcesses.objects.values_list("owner", "due_at")) == {("", None)}
    assert set(TaskRun.objects.values_list("state", flat=True)) <= {RunState.FINISHED, RunState.SKIPPED}
    assert not ActionCall.objects.filter(ended_at=None).exists()
    assert_no_gap()
    assert_children(len([one for one in instances if one.process_name == "Parents"]))


def assert_no_gap() -> None:
    """Visits of steps count from 1 on in each instance, and calls in each task run, of which each attempt of one is a row."""
    visits = TaskRun.objects.order_by("instance", "visit", "row").values_list("instance", "visit", "row")
    for (one, before, row), (other, after, next_row) in pairwise([(0, 0, 0), *visits]):
        follows = after == before + 1 or (after == before and next_row > row)
        assert follows if one == other else after == 1, f"instance {other}: visit {after}, row {next_row}"
    calls = ActionCall.objects.order_by("run", "number").values_list("run", "number")
    for (one, before), (other, after) in pairwise([(0, 0), *calls]):
        follows = after in {before, before + 1}  # the database sees to it that no attempt of a call is there twice
        assert follows if one == other else after == 1, f"task run {other}: call {after}"


def undisturbed(names: list[str], effects: Path) -> tuple[dict[str, RunningProcesses], dict[str, Counter[str]]]:
    """An instance of each, as it ends when all goes well, and what effects that has had; they are gone again."""
    User.objects.create_user("book")
    models = start_all(names)
    while RunningProcesses.objects.filter(ended_at=None).exists():
        run_until_idle()
        time.sleep(0.02)
    effects_of = by_process(models, effects)
    effects.write_text("")
    LogEntry.objects.all().delete()
    return {model.process_name: model for model in models}, effects_of


def all_end(chaos: Chaos) -> None:
    deadline = time.monotonic() + PATIENCE
    while RunningProcesses.objects.filter(ended_at=None).exists():
        assert time.monotonic() < deadline, chaos.told()
        assert all(engine.process.poll() is None for engine in chaos.engines), chaos.told()
        time.sleep(0.1)


def assert_children(parents: int) -> None:
    children = RunningProcesses.objects.filter(process_name="Child")
    assert children.count() == 4 * (parents + 1), "none is started twice"


BOOKED = {
    "Sequence": ["b"],
    "Rows": ["r"],
    "Loop": ["1", "2", "3", "4"],
    "Sleeps": ["0", "1", "2"],
    "Listens": ["heard"],
}


def assert_booked_once(instances: list[RunningProcesses]) -> None:
    """What an atomic action writes is there exactly once."""
    expected = Counter(f"{one.pk} {what}" for one in instances for what in BOOKED.get(one.process_name, ()))
    assert Counter(LogEntry.objects.values_list("object_repr", flat=True)) == expected


def assert_effects(instances: list[RunningProcesses], effects_of: dict[str, Any], effects: Path) -> None:
    """Each other action was called at least once, and each time under the same key: of another key, there is no line."""
    done = by_process(instances, effects)
    expected = {name: Counter() for name in effects_of}
    for instance in instances:
        expected[instance.process_name] += effects_of[instance.process_name]
    assert done == expected


def by_process(instances: Any, effects: Path) -> dict[str, Counter[str]]:
    """How many different calls had each effect, by the process of the instance at the top."""
    top = {one.pk: one.process_name for one in instances}
    for child, above in RunningProcesses.objects.filter(parent__isnull=False).values_list(
        "pk", "parent__run__instance"
    ):
        if above in top:
            top[child] = top[above]
    keys = dict(RunningProcesses.objects.values_list("token", "pk"))
    told: dict[str, Counter[str]] = defaultdict(Counter, {name: Counter() for name in set(top.values())})
    for line in set(effects.read_text().splitlines()):
        text, key = line.split()
        told[top[keys[key.split("-")[0]]]][text] += 1  # a key begins with the instance's token
    return dict(told)

"""SQLite under load from all sides: two engines that work, and people who log in, start and decide on the pages.

One writes at a time there, and the others wait: nobody may ever be told that the database is locked.
SQLITE_STEPS is how many steps of code the engines have to do meanwhile (default: 2,000).
"""

import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from tests.build import code, manual, process
from tests.system.conftest import EngineProcess, eventually
from tests.system.test_many_engines import assert_calm
from workflow import operations
from workflow.models import Process, RunningProcesses, RunState, TaskRun, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

STEPS = int(os.environ.get("SQLITE_STEPS", "2000"))
PEOPLE = 3
AT_ONCE = 200  # instances that are started together


class Person:
    """Somebody who works on the pages, by requests one after the other, until it is over."""

    def __init__(self, name: str, asks: Process, over: Event) -> None:
        self.name, self.asks, self.over = name, asks, over
        self.chance = random.Random(name)
        self.longest = 0.0
        self.started = self.decided = 0

    def work(self) -> "Person":
        try:
            while not self.over.is_set():
                self.client = Client()
                assert self.post("/login/", username=self.name, password="secret", next="/") == 302
                for _ in range(5):
                    self.start()
                    self.decide()
            while WaitingForApproval.objects.exists():
                self.decide()
        finally:
            connection.close()
        return self

    def start(self) -> None:
        path = f"/start/{self.asks.pk}/"
        token = self.found(r'name="token" value="([^"]+)"', self.get(path))
        assert self.post(path, token=token) == 302
        self.started += 1

    def decide(self) -> None:
        """Whatever waits; another one may be quicker."""
        self.get("/")
        runs = list(WaitingForApproval.objects.values_list("task_run_id", flat=True)[:20])
        if not runs:
            time.sleep(0.01)
            return
        path = f"/waiting/{self.chance.choice(runs)}/"
        seen = re.search(r'name="seen" value="([^"]+)"', self.get(path))
        if seen:
            status = self.post(path, decision="approve", seen=seen[1])
            assert status in {302, 409}
            self.decided += status == 302

    def get(self, path: str) -> str:
        begun = time.monotonic()
        response = self.client.get(path)
        self.longest = max(self.longest, time.monotonic() - begun)
        assert response.status_code in {200, 409}
        return response.content.decode()

    def post(self, path: str, **given: str) -> int:
        begun = time.monotonic()
        status: int = self.client.post(path, given).status_code
        self.longest = max(self.longest, time.monotonic() - begun)
        return status

    def found(self, pattern: str, page: str) -> str:
        match = re.search(pattern, page)
        assert match is not None, page
        return match[1]


def processes() -> Process:
    """What the engines work on, and what people start and decide: that one."""
    User.objects.create_user("book")
    tasks = {name: code("data['n'] = data.get('n', 0) + 1") for name in "ABC"}
    process("Works", {**tasks, "Book": code("book(str(run.id))")}, (1, "A"), (2, "Book"), (3, "B"), (3, "C"), (4, "A"))
    asks = process("Asks", {"Sign": manual("people"), "End": code("book(f'{run.id} end')")}, (1, "Sign"), (2, "End"))
    Process.objects.filter(pk=asks.pk).update(starters="people")
    return asks


@pytest.fixture
def over() -> Event:
    return Event()


@pytest.fixture
def people(transactional_db: None, over: Event) -> Iterator[list[Future[Person]]]:
    """They work until the test is over, or waits for one of them."""
    group, asks = Group.objects.create(name="people"), processes()
    users = [User.objects.create_user(f"person{number}", password="secret") for number in range(PEOPLE)]
    group.user_set.add(*users)
    with ThreadPoolExecutor(PEOPLE) as threads:
        yield [threads.submit(Person(user.username, asks, over).work) for user in users]
        over.set()


@pytest.mark.timeout(120 + STEPS / 20)
def test_no_lock_reaches_anyone(
    start_engine: Callable[..., EngineProcess], people: list[Future[Person]], over: Event, effects: Path
) -> None:
    engines = [start_engine() for _ in range(2)]
    begun = time.monotonic()
    works = started_in_parts(STEPS // 5)
    eventually(lambda: all_ended("Works"), lambda: "\n".join(one.log[-3000:] for one in engines))
    over.set()
    did = [one.result() for one in people]  # raises what any of them was told
    eventually(lambda: all_ended("Asks"))
    seconds = time.monotonic() - begun
    for engine in engines:
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0
        assert_calm(engine.log)

    starts = sum(one.started for one in did)
    assert sum(one.decided for one in did) == starts >= PEOPLE
    states = RunningProcesses.objects.values_list("process_name", "state")
    assert set(states) == {("Works", "FINISHED"), ("Asks", "FINISHED")}
    assert LogEntry.objects.count() == works + starts
    assert Session.objects.count() >= PEOPLE
    steps = TaskRun.objects.filter(state=RunState.FINISHED).count()
    longest = max(one.longest for one in did)
    print(f"{steps} task runs, {starts} starts and decisions in {seconds:.0f} s; longest request: {longest:.2f} s")


def started_in_parts(count: int) -> int:
    """As programs start them, some hundred together, for as long as there are not too many."""
    begun = 0
    while begun < count:
        begun += len(operations.start_many(["Works"], count=min(AT_ONCE, count - begun)))
        eventually(lambda: RunningProcesses.objects.filter(process_name="Works", ended_at=None).count() < AT_ONCE)
    return begun


def all_ended(name: str) -> bool:
    return not RunningProcesses.objects.filter(process_name=name, ended_at=None).exists()

"""A driver by itself, with a committer that the test answers for."""

from concurrent.futures import Executor, Future
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.build import code, process
from workflow import operations, transitions
from workflow.code.runner import get_runner
from workflow.engine.commit import Direct
from workflow.engine.company import Way
from workflow.engine.crew import Crew
from workflow.engine.driver import Driver
from workflow.engine.patience import Patience
from workflow.engine.slots import NoSlots
from workflow.models import InstanceState, RunningProcesses
from workflow.transitions import Applied, HeldUp, Lease, Turn

pytestmark = pytest.mark.django_db(transaction=True)


class Answered(Direct):
    """A committer that writes when the test wants it to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Lease, Turn, Future[Applied]]] = []
        self.was_asked = Event()

    def ask(self, lease: Lease, turn: Turn, *, is_urgent: bool = False) -> Future[Applied]:  # noqa: ARG002 - a protocol's
        self.asked.append((lease, turn, Future()))
        self.was_asked.set()
        return self.asked[-1][2]


def claimed() -> RunningProcesses:
    process("Short", {"A": code("1")}, (1, "A"))
    operations.start("Short")
    now = timezone.now()
    (instance,) = transitions.claim("ours", now=now, until=now + timedelta(seconds=60), limit=1)
    return instance


def refuse(*_: Any) -> None:
    raise AssertionError("The committer's thread must make no query: all writes wait for it.")


def held_up(commit: Answered, main: Executor) -> RunningProcesses:
    """An instance that is to be released, while another transaction locks it."""
    instance = claimed()
    driver = Driver(
        runner=get_runner(),
        lease=60.0,
        clock=timezone.now,
        commit=commit,
        later=lambda _: None,
        main=main,
        side=main,
        slots=NoSlots(),
        patience=Patience(stopping=Event()),
        ended=lambda _: None,
    )

    def start(_: Any) -> Any:
        raise HeldUp("Somebody else has locked it.")

    driver.go_on(Way(instance=instance, start=start), None, driver.runner)
    RunningProcesses.objects.update(events=7)  # what whoever had it locked has done
    commit.was_asked.clear()
    return instance


def test_what_is_handed_back_again_is_looked_up_by_another_thread_than_the_committer_s() -> None:
    commit = Answered()
    with Crew(1, "test") as main:
        held_up(commit, main)
        with connection.execute_wrapper(refuse):
            commit.asked[0][2].set_result(Applied.OUTDATED)
        assert commit.was_asked.wait(20)
    lease, turn, _ = commit.asked[1]
    assert (lease.events, turn.state) == (7, InstanceState.READY)


def test_an_engine_that_has_ended_meanwhile_leaves_it_to_its_lease(caplog: pytest.LogCaptureFixture) -> None:
    commit = Answered()
    with Crew(1, "test") as main:
        instance = held_up(commit, main)
    commit.asked[0][2].set_result(Applied.OUTDATED)
    assert len(commit.asked) == 1
    instance.refresh_from_db()
    assert (instance.state, instance.owner) == (InstanceState.RUNNING, "ours")
    assert not caplog.records

"""What threads ask to be written: together, again where somebody else has an instance locked, and each as if it were alone."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain, pairwise, repeat
from threading import Event
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import Any

import pytest
from django.utils import timezone

from tests.build import code, process
from workflow import operations, transitions
from workflow.engine.commit import FIRST_PAUSE, LONGEST_PAUSE, LONGEST_REST, LONGEST_WAIT, Direct, GroupCommit
from workflow.engine.crew import Crew
from workflow.models import InstanceState, RunningProcesses
from workflow.transitions import Applied, HeldUp, Turn

pytestmark = pytest.mark.django_db(transaction=True)

HELD_UP = [Applied.HELD_UP]
LONG = 20


class Scripted:
    """Stands in for `Patience`: each try goes as this says, and after these as it goes. None begins before `begin`."""

    def __init__(self, ways: Iterable[Any] = ()) -> None:
        self.ways = chain(ways, repeat(None))
        self.begin, self.stopping = Event(), Event()
        self.tried: list[float] = []

    def __call__(self, ask: Callable[[], Any]) -> Any:
        self.tried.append(monotonic())
        way = next(self.ways)
        if isinstance(way, Exception):
            raise way
        return way or ask()

    def connect(self) -> None:
        self.begin.wait(LONG)

    def share(self) -> None:
        self.begin.set()


@pytest.fixture
def claimed() -> list[RunningProcesses]:
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=2)
    now = timezone.now()
    return transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=2)


def paused() -> Turn:
    return Turn(state=InstanceState.PAUSED)


def states(claimed: list[RunningProcesses]) -> list[str]:
    return [RunningProcesses.objects.get(pk=one.pk).state for one in claimed]


def test_what_can_not_be_written_keeps_no_other_from_being_written(claimed: list[RunningProcesses]) -> None:
    patience = Scripted([ValueError("all"), ValueError("the first")])
    with GroupCommit(patience, lambda: True) as commit:
        first, second = (commit.ask(transitions.lease_of(one), paused()) for one in claimed)
        patience.begin.set()
        with pytest.raises(ValueError, match="the first"):
            first.result(LONG)
        assert second.result(LONG) is Applied.DONE
    assert len(patience.tried) == 3
    assert states(claimed) == ["RUNNING", "PAUSED"]


@pytest.mark.parametrize(("is_urgent", "rest"), [(True, LONGEST_WAIT), (False, LONGEST_REST)])
def test_while_others_are_on_their_way_it_waits_for_them(
    claimed: list[RunningProcesses], is_urgent: bool, rest: float
) -> None:
    patience = Scripted()
    patience.begin.set()
    with GroupCommit(patience, lambda: True) as commit:
        assert "commit" in {thread.name for thread in enumerate_threads()}
        asked = monotonic()
        written = commit.ask(transitions.lease_of(claimed[0]), paused(), is_urgent=is_urgent)
        assert written.result(LONG) is Applied.DONE
    assert patience.tried[0] - asked >= rest * 0.9


def test_what_is_held_up_is_tried_again_after_ever_longer_pauses(claimed: list[RunningProcesses]) -> None:
    patience = Scripted([HELD_UP] * 8)
    with GroupCommit(patience, lambda: False) as commit:
        written = commit.ask(transitions.lease_of(claimed[0]), paused())
        patience.begin.set()
        assert written.result(LONG) is Applied.DONE
        assert written.is_held_up
        assert commit._pause == FIRST_PAUSE
    pauses = [min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) for number in range(8)]
    between = [after - before for before, after in pairwise(patience.tried)]
    assert all(took >= pause * 0.9 for took, pause in zip(between, pauses, strict=True))
    assert sum(between) < LONG
    assert states(claimed) == ["PAUSED", "RUNNING"]


def test_what_is_held_up_keeps_no_other_from_being_written(claimed: list[RunningProcesses]) -> None:
    patience = Scripted([[Applied.HELD_UP, Applied.DONE], *[HELD_UP] * 3])
    with GroupCommit(patience, lambda: True) as commit:
        first, second = (commit.ask(transitions.lease_of(one), paused()) for one in claimed)
        patience.begin.set()
        assert second.result(LONG) is Applied.DONE
        assert first.result(LONG) is Applied.DONE
        assert (first.is_held_up, second.is_held_up) == (True, False)


def test_while_it_is_held_up_its_crew_may_have_one_more(claimed: list[RunningProcesses]) -> None:
    is_free = Event()
    patience = Scripted(None if is_free.is_set() else HELD_UP for _ in repeat(None))
    with GroupCommit(patience, lambda: False) as commit, Crew(1, "crew") as crew:
        written = crew.submit(commit.write, transitions.lease_of(claimed[0]), paused())
        try:
            assert crew.submit(lambda: "meanwhile").result(5) == "meanwhile"
        finally:
            is_free.set()
        assert written.result(LONG) is Applied.DONE


def test_it_is_given_up_with_the_patience_of_who_waits(claimed: list[RunningProcesses]) -> None:
    with GroupCommit(Scripted(repeat(HELD_UP)), lambda: False) as commit:
        began = monotonic()
        with pytest.raises(HeldUp, match="^Somebody else has locked it.$"):
            commit.write(transitions.lease_of(claimed[0]), paused(), patience=0.1)
        assert monotonic() - began >= 0.1
    assert states(claimed) == ["RUNNING", "RUNNING"]


def test_what_is_written_at_once_is_told_in_the_same_way(claimed: list[RunningProcesses]) -> None:
    lease = transitions.lease_of(claimed[0])
    assert Direct().ask(lease, paused()).result() is Applied.DONE
    assert Direct().ask(lease, paused()).result() is Applied.LOST
    assert isinstance(Direct().ask(lease, None).exception(), AttributeError)

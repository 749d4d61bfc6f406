"""What was interrupted often is held apart from others: what kills an engine must not take neighbours with it again and again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.build import code, process
from workflow import operations, transitions
from workflow.code.execute import SUSPECT
from workflow.engine.apart import LONGEST, LOOK, MOST_EXPECTED, Apart
from workflow.models import InstanceState, Process, RunningProcesses
from workflow.models.states import Priority
from workflow.transitions import Take
from workflow.transitions.leases import SUSPECTS_TOGETHER

LEASE = timedelta(minutes=1)


class Interrupted:
    """What a claim has given."""

    def __init__(self, interrupted: int) -> None:
        self.interrupted = interrupted


@pytest.mark.django_db(transaction=True)
class TestClaims:
    @pytest.fixture(autouse=True)
    def _instances(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        process("Limited", {"A": code("1")}, (1, "A"))

    def interrupted(self, often: int, count: int = 1, name: str = "P") -> set[int]:
        """Instances that engines have died with so often, as the next claim counts."""
        keys = {one.pk for one in operations.start_many([name], count=count)}
        if often:
            RunningProcesses.objects.filter(pk__in=keys).update(
                state=InstanceState.RUNNING, owner="dead", fence=often, interrupted=often - 1
            )
        return keys

    def claimed(self, take: Take = Take.ORDINARY_FIRST, limit: int = 100, **options: Any) -> set[int]:
        now = timezone.now() + timedelta(seconds=1)
        found = transitions.claim("me", now=now, until=now + LEASE, limit=limit, take=take, **options)
        return {one.pk for one in found}

    @pytest.mark.parametrize("limit", [None, 50])
    def test_suspects_are_claimed_after_all_others_and_the_worst_alone_and_last(self, limit: int | None) -> None:
        Process.objects.filter(name="Limited").update(max_running=limit)
        others = self.interrupted(0) | self.interrupted(SUSPECT - 1) | self.interrupted(0, name="Limited")
        suspects = self.interrupted(SUSPECT, SUSPECTS_TOGETHER + 1)
        worst = self.interrupted(SUSPECT + 4) | self.interrupted(SUSPECT + 3)
        worse = self.interrupted(SUSPECT + 1, 2, name="Limited")
        RunningProcesses.objects.filter(pk__in=worst).update(priority=Priority.HIGH)
        assert self.claimed() == others
        assert len(first := self.claimed()) == SUSPECTS_TOGETHER
        assert first | self.claimed() == suspects
        assert len(one := self.claimed()) == 1
        assert len(two := self.claimed()) == 1
        assert one | two == worse
        assert [self.claimed(), self.claimed()] == [{max(worst)}, {min(worst)}], (
            "the one that was interrupted least first"
        )
        assert self.claimed() == set()

    def test_a_suspect_that_has_no_place_left_holds_up_no_other(self) -> None:
        Process.objects.filter(name="Limited").update(max_running=1)
        self.interrupted(0, name="Limited")
        self.claimed()
        self.interrupted(SUSPECT, name="Limited")
        worse = self.interrupted(SUSPECT + 1)
        assert self.claimed() == worse
        assert self.claimed() == set()

    def test_an_engine_that_holds_others_gets_none(self) -> None:
        self.interrupted(SUSPECT)
        assert self.claimed(Take.ORDINARY) == set()
        others = self.interrupted(0)
        assert self.claimed(Take.ORDINARY) == others

    def test_suspects_first(self) -> None:
        others, suspects = self.interrupted(0), self.interrupted(SUSPECT)
        assert self.claimed(Take.SUSPECTS_FIRST) == suspects
        assert self.claimed(Take.SUSPECTS_FIRST) == others

    def test_a_claim_takes_no_more_suspects_than_it_asks_for(self) -> None:
        self.interrupted(SUSPECT, 3)
        assert len(self.claimed(limit=2)) == 2

    def test_what_was_handed_back_is_no_suspect_any_more(self) -> None:
        one = self.interrupted(SUSPECT + 2)
        RunningProcesses.objects.update(state=InstanceState.READY)
        assert self.claimed(Take.ORDINARY) == one
        assert RunningProcesses.objects.get().interrupted == 0

    def test_whether_any_are_due(self) -> None:
        def are_due(**options: Any) -> bool:
            return transitions.are_suspects_due(timezone.now() + timedelta(seconds=1), **options)

        self.interrupted(0)
        self.interrupted(SUSPECT - 1)
        assert not are_due()
        self.interrupted(SUSPECT)
        assert are_due()
        assert are_due(processes=["P"])
        assert not are_due(processes=["Limited"])
        assert not transitions.are_suspects_due(timezone.now() - timedelta(days=1))


@pytest.mark.django_db(transaction=True)
class TestRelease:
    @pytest.fixture
    def held(self) -> RunningProcesses:
        process("P", {"A": code("1")}, (1, "A"))
        operations.start("P")
        (held,) = self.claimed("dead")
        return held

    def claimed(self, owner: str, now: datetime | None = None) -> list[RunningProcesses]:
        now = now or timezone.now() + timedelta(seconds=1)
        return transitions.claim(owner, now=now, until=now + LEASE, limit=10)

    def test_what_a_dead_engine_held_is_due_and_counts_as_interrupted(self, held: RunningProcesses) -> None:
        assert self.claimed("other") == []
        assert transitions.release("dead", now=timezone.now())
        (taken,) = self.claimed("other")
        assert (taken.pk, taken.interrupted, taken.fence) == (held.pk, 1, 2)
        assert transitions.refresh(transitions.lease_of(held)) is None

    def test_no_other_engine_loses_anything(self, held: RunningProcesses) -> None:
        for name in ("", "dea", "dead:", "%", "DEAD"):
            assert transitions.release(name, now=timezone.now())
        assert self.claimed("other") == []
        assert transitions.refresh(transitions.lease_of(held))

    def test_what_is_no_longer_its_own_stays_as_it_is(self, held: RunningProcesses) -> None:
        lease = transitions.lease_of(held)
        turn = transitions.Turn(state=InstanceState.READY, due_at=timezone.now() + timedelta(hours=1))
        transitions.apply(lease, turn)
        before = RunningProcesses.objects.values().get()
        assert transitions.release("dead", now=timezone.now())
        assert RunningProcesses.objects.values().get() == before

    @pytest.mark.postgres  # It locks no rows
    def test_what_is_locked_is_left_for_another_try(self, held: RunningProcesses) -> None:
        from tests.locks import locked

        with locked(RunningProcesses.objects.filter(pk=held.pk)):
            assert not transitions.release("dead", now=timezone.now())
        assert transitions.release("dead", now=timezone.now())
        assert len(self.claimed("other")) == 1


def apart(are_due: Callable[[], bool] = lambda: True) -> tuple[Apart, list[float]]:
    now = [1_000.0]
    return Apart(are_due=are_due, clock=lambda: now[0]), now


ORDINARY: Any = [Interrupted(0), Interrupted(SUSPECT - 1)]
SUSPECTS: Any = [Interrupted(SUSPECT)]


def test_beside_suspects_nothing_is_claimed() -> None:
    one, _ = apart()
    assert one.take(holds_any=False) is Take.ORDINARY_FIRST
    one.took(SUSPECTS)
    assert one.take(holds_any=True) is None
    assert one.take(holds_any=False) is Take.SUSPECTS_FIRST
    one.took(ORDINARY)
    assert one.take(holds_any=True) is Take.ORDINARY


def test_an_engine_that_always_has_work_makes_room_for_them_now_and_then() -> None:
    one, now = apart()
    assert one.take(holds_any=True) is Take.ORDINARY
    now[0] += LOOK
    assert one.take(holds_any=True) is None
    assert one.take(holds_any=False) is Take.SUSPECTS_FIRST


def test_where_there_are_none_it_goes_on_and_does_not_ask_all_the_time() -> None:
    asked: list[None] = []
    one, now = apart(lambda: bool(asked.append(None)))
    for _ in range(100):
        now[0] += LOOK / 10
        assert one.take(holds_any=True) is Take.ORDINARY
        one.took(ORDINARY)
    assert len(asked) <= 10


def test_slow_work_or_a_slow_suspect_holds_it_up_for_a_minute_at_most() -> None:
    one, now = apart()
    one.take(holds_any=False)
    one.took(SUSPECTS)
    now[0] += LONGEST - 1
    assert one.take(holds_any=True) is None
    now[0] += 1
    assert one.take(holds_any=True) is Take.SUSPECTS_FIRST
    one.took(ORDINARY)
    assert one.take(holds_any=True) is Take.ORDINARY


def test_it_warns_once_of_suspects_that_may_kill_it() -> None:
    warned: list[None] = []
    one = Apart(are_due=lambda: True, warn=lambda: warned.append(None))
    hopeless: Any = [Interrupted(MOST_EXPECTED + 1)]
    for claimed in ([], ORDINARY, hopeless):
        one.took(claimed)
        assert warned == []
    for _ in range(2):
        one.took([*SUSPECTS, *hopeless])
        assert warned == [None]


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.booleans())))
def test_it_never_claims_nothing_for_longer_than_a_minute(steps: list[tuple[float, bool, bool]]) -> None:
    one, now = apart()
    last = now[0]
    for seconds, holds_any, are_suspects in steps:
        now[0] += seconds
        take = one.take(holds_any=holds_any)
        if take is None:
            assert now[0] - last < LONGEST + 30
        else:
            last = now[0]
            one.took(SUSPECTS if are_suspects and take is not Take.ORDINARY else ORDINARY)

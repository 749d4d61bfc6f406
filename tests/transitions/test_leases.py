"""A lease holds as long as all of it is as the claim made it: the instance, who holds it, by which claim, and that it runs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tests.build import code, process
from workflow import operations, transitions
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun
from workflow.transitions import Lease, LeaseLost, RunClosed

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
LATER = NOW + timedelta(seconds=60)


@pytest.fixture
def pair() -> list[RunningProcesses]:
    """Two instances that one engine holds."""
    process("P", {"A": code("1")}, (1, "A"))
    operations.start_many(["P"], count=2)
    now = timezone.now()
    return transitions.claim("me", now=now, until=now + timedelta(seconds=60), limit=2, processes=["P"])


@pytest.fixture
def lease(pair: list[RunningProcesses]) -> Lease:
    return transitions.lease_of(pair[0])


def hold(lease: Lease) -> None:
    with transaction.atomic():
        transitions.hold(lease)


def checkpoint(lease: Lease) -> None:
    given = {"task_name": "A", "sequence": 1, "state": RunState.RUNNING, "started_at": NOW}
    run, _ = TaskRun.objects.get_or_create(instance_id=lease.instance, visit=9, row=0, defaults=given)
    with transaction.atomic():
        transitions.checkpoint(lease, run, [], until=LATER)


def refresh(lease: Lease) -> None:
    if transitions.refresh(lease) is None:
        raise LeaseLost(f"The lease of instance {lease.instance} was lost.")


@pytest.mark.parametrize("use", [hold, checkpoint, refresh])
@pytest.mark.parametrize("stale", [{"fence": 0}, {"owner": "another"}])
def test_one_that_another_claim_has_replaced_is_lost(
    lease: Lease, use: Callable[[Lease], None], stale: dict[str, Any]
) -> None:
    use(lease)
    with pytest.raises(LeaseLost, match=f"^The lease of instance {lease.instance} was lost.$"):
        use(replace(lease, **stale))


@pytest.mark.parametrize("use", [hold, checkpoint, refresh])
def test_one_of_an_engine_that_has_claimed_it_anew_is_lost(lease: Lease, use: Callable[[Lease], None]) -> None:
    """The same engine, after its lease had run out: what it began before must not be written beside what it does now."""
    late = timezone.now() + timedelta(days=1)
    again = transitions.claim("me", now=late, until=late + timedelta(seconds=60), limit=2, processes=["P"])
    assert lease.instance in [one.pk for one in again]
    with pytest.raises(LeaseLost):
        use(lease)


@pytest.mark.parametrize("use", [hold, checkpoint, refresh])
def test_one_of_an_instance_that_runs_no_more_is_lost(lease: Lease, use: Callable[[Lease], None]) -> None:
    RunningProcesses.objects.filter(pk=lease.instance).update(state=InstanceState.PAUSED)
    with pytest.raises(LeaseLost):
        use(lease)


@pytest.mark.parametrize("use", [hold, checkpoint, refresh])
def test_one_that_is_lost_is_not_found_in_what_the_engine_holds_besides(
    pair: list[RunningProcesses], lease: Lease, use: Callable[[Lease], None]
) -> None:
    RunningProcesses.objects.filter(pk=lease.instance).update(owner="another")
    with pytest.raises(LeaseLost):
        use(lease)
    use(transitions.lease_of(pair[1]))


def test_a_checkpoint_renews_its_own_lease_alone(pair: list[RunningProcesses], lease: Lease) -> None:
    before = pair[1].due_at
    checkpoint(lease)
    due = dict(RunningProcesses.objects.filter(pk__in=[one.pk for one in pair]).values_list("pk", "due_at"))
    assert due == {pair[0].pk: LATER, pair[1].pk: before}


def runs_of(pair: list[RunningProcesses]) -> list[TaskRun]:
    given = {"task_name": "A", "visit": 9, "row": 0, "sequence": 1, "state": RunState.RUNNING, "started_at": NOW}
    return [TaskRun.objects.create(instance=one, **given) for one in pair]


def test_a_checkpoint_writes_where_the_code_stands(pair: list[RunningProcesses], lease: Lease) -> None:
    own, other = runs_of(pair)
    own.log = "so far"
    with transaction.atomic():
        transitions.checkpoint(lease, own, [], until=LATER)
    assert [TaskRun.objects.get(pk=run.pk).log for run in (own, other)] == ["so far", ""]


def test_a_call_that_has_waited_long_enough_ends_and_no_other(pair: list[RunningProcesses], lease: Lease) -> None:
    own, other = runs_of(pair)
    for run in (own, other):
        ActionCall.objects.create(run=run, number=1, attempt=1, name="sleep", arguments={}, started_at=NOW)
    turn = transitions.Turn(state=InstanceState.RUNNING, woken=[own], at=LATER)
    assert transitions.apply(lease, turn) is transitions.Applied.DONE
    assert [run.calls.get().ended_at for run in (own, other)] == [LATER, None]


def test_a_checkpoint_of_a_run_that_was_closed_writes_nothing_of_it(lease: Lease) -> None:
    runs = [
        TaskRun.objects.create(
            instance_id=lease.instance, task_name="A", visit=9, row=row, sequence=1, state=state, started_at=NOW
        )
        for row, state in enumerate([RunState.CANCELLED, RunState.RUNNING])
    ]
    closed = runs[0]
    closed.log = "it went on"
    calls = [ActionCall(run=closed, number=1, attempt=1, name="note", arguments={}, started_at=NOW)]
    with pytest.raises(RunClosed, match=f"Task run {closed.pk} was closed"), transaction.atomic():
        transitions.checkpoint(lease, closed, calls, until=LATER)
    closed.refresh_from_db()
    assert closed.log == ""
    assert not ActionCall.objects.filter(run=closed).exists()


def test_a_refreshed_lease_has_the_events_that_came_meanwhile(pair: list[RunningProcesses], lease: Lease) -> None:
    with transaction.atomic():
        transitions.wake(pair[0])
    found = transitions.refresh(lease)
    assert found is not None
    assert found[0] == replace(lease, events=1)
    assert found[1].pk == lease.instance


class TestTakingOver:
    def test_the_claim_is_of_whom_it_was_handed_to(self, pair: list[RunningProcesses], lease: Lease) -> None:
        for _ in range(2):
            taken = transitions.take_over(lease, by="worker", until=LATER)
            assert taken is not None
            assert (taken.pk, taken.owner, taken.fence, taken.due_at) == (lease.instance, "worker", 1, LATER)
        pair[1].refresh_from_db()
        assert pair[1].owner == "me"

    @pytest.mark.parametrize("stale", [{"fence": 0}, {"owner": "another"}])
    def test_not_one_that_is_lost(self, lease: Lease, stale: dict[str, Any]) -> None:
        assert transitions.take_over(replace(lease, **stale), by="worker", until=LATER) is None

    def test_not_of_what_runs_no_more(self, lease: Lease) -> None:
        RunningProcesses.objects.filter(pk=lease.instance).update(state=InstanceState.PAUSED)
        assert transitions.take_over(lease, by="worker", until=LATER) is None


class TestStillHeld:
    def test_what_the_owner_holds_by_that_claim(self, pair: list[RunningProcesses]) -> None:
        one, other = (each.pk for each in pair)
        asked = [(one, 1), (other, 0), (other + 5, 1)]
        now = timezone.now()
        assert transitions.still_held("me", asked, now=now) == {(one, 1)}
        assert transitions.still_held("another", asked, now=now) == set()
        assert transitions.still_held("me", asked, now=now + timedelta(days=1)) == set()
        RunningProcesses.objects.filter(pk=one).update(state=InstanceState.WAITING)
        assert transitions.still_held("me", asked, now=now) == set()


class TestRenewing:
    def test_only_these_of_that_owner_that_run(self, pair: list[RunningProcesses], lease: Lease) -> None:
        assert transitions.renew([lease], until=LATER) == {lease.instance}
        pair[1].refresh_from_db()
        assert pair[1].due_at != LATER
        assert transitions.renew([replace(lease, owner="another")], until=LATER) == set()
        RunningProcesses.objects.filter(pk=lease.instance).update(state=InstanceState.PAUSED)
        assert transitions.renew([lease], until=LATER) == set()
        assert transitions.renew([], until=LATER) == set()


class TestReleasing:
    def test_what_a_dead_engine_held_is_due_now_and_nothing_else(self, pair: list[RunningProcesses]) -> None:
        operations.start_many(["P"], count=1)
        now = timezone.now()
        (other,) = transitions.claim("other", now=now, until=LATER, limit=1, processes=["P"])
        assert transitions.release("me", now=now)
        due = {one.pk: one.due_at for one in RunningProcesses.objects.filter(owner__in=["me", "other"])}
        assert due == {pair[0].pk: now, pair[1].pk: now, other.pk: LATER}

    def test_what_runs_no_more_stays_as_it_is(self, pair: list[RunningProcesses]) -> None:
        RunningProcesses.objects.filter(pk=pair[0].pk).update(state=InstanceState.PAUSED)
        before = RunningProcesses.objects.get(pk=pair[0].pk).due_at
        assert transitions.release("me", now=timezone.now())
        assert RunningProcesses.objects.get(pk=pair[0].pk).due_at == before

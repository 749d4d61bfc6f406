"""Turns that follow one another as one: nothing of any is lost."""

from typing import Any

import pytest

from tests.build import code, process
from workflow import operations
from workflow.models import ActionCall, InstanceState, RunState, TaskRun
from workflow.transitions import Applied, Lease, Turn
from workflow.transitions.turn import verdicts


def run(key: int | None, state: RunState = RunState.RUNNING) -> TaskRun:
    return TaskRun(pk=key, state=state)


def test_one_alone_is_itself() -> None:
    turn = Turn(state=InstanceState.WAITING)
    assert Turn.merged([turn]) is turn


def test_the_last_says_how_it_stands_and_later_fields_win() -> None:
    first = Turn(state=InstanceState.RUNNING, fields={"step": 1, "data": {}})
    second = Turn(state=InstanceState.READY, fields={"step": 3})
    last = Turn(state=InstanceState.WAITING, fields={"step": 2})
    merged = Turn.merged([first, second, last])
    assert (merged.state, merged.fields) == (InstanceState.WAITING, {"step": 2, "data": {}})


@pytest.mark.parametrize("name", ["calls", "woken", "created", "waiting", "children"])
def test_what_each_brings_is_kept_in_order(name: str) -> None:
    first, second, third = object(), object(), object()
    turns = [Turn(state=InstanceState.RUNNING, **{name: given}) for given in ([first], [], [second, third])]
    assert getattr(Turn.merged(turns), name) == [first, second, third]


def test_a_run_that_changed_twice_is_written_once_as_it_was_last() -> None:
    before, after, other, new = run(1), run(1, RunState.FINISHED), run(2), run(None)
    turns = [Turn(state=InstanceState.RUNNING, changed=given) for given in ([before, new], [other], [after])]
    merged = Turn.merged(turns)
    assert [id(one) for one in merged.changed] == [id(after), id(other)]


@pytest.mark.parametrize(
    ("call", "listens"),
    [({"signal": "paid"}, True), ({"signal": ""}, False), ({"signal": "paid", "ended_at": "then"}, False)],
)
def test_a_call_listens_until_it_has_ended(call: dict[str, Any], listens: bool) -> None:
    made = ActionCall(**{"ended_at": None, **call})
    assert Turn(state=InstanceState.RUNNING, calls=[made]).listening == ([made] if listens else [])


def test_runs_that_go_no_further_have_waited_for_something() -> None:
    changed = [run(number, state) for number, state in enumerate(RunState, start=1)]
    unanswered = Turn(state=InstanceState.RUNNING, changed=[*changed, run(None, RunState.FAILED)]).unanswered
    assert unanswered == [one.pk for one in changed if one.state in {RunState.CANCELLED, RunState.FAILED}]


@pytest.mark.django_db
def test_what_was_not_found_is_held_up_if_it_is_there_and_else_lost() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    there, bystander = operations.start("P"), operations.start("P")
    leases = [Lease(instance=key, owner="me", fence=1, events=0) for key in (there.pk, bystander.pk, bystander.pk + 1)]
    found = {bystander.pk: (InstanceState.RUNNING, "me", 1, 0)}
    assert verdicts(leases, found) == [Applied.HELD_UP, Applied.DONE, Applied.LOST]

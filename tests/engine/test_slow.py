"""Code that is known to compute for long, and the queues in which it stands behind the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.engine import slow
from workflow.engine.slow import Queue, SlowCode

KINDS = 4
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, KINDS - 1)),
        st.tuples(st.just("note"), st.integers(0, KINDS - 1)),
        st.tuples(st.just("take"), st.integers(1, 5)),
        st.tuples(st.just("take_slow"), st.just(1)),
    ),
    max_size=60,
)


def slow_code(code: str) -> SlowCode:
    """What an engine knows that has met this slow code."""
    known = SlowCode()
    known.note(code)
    return known


@given(STEPS)
def test_each_is_taken_once_and_in_its_order(steps: list[tuple[str, int]]) -> None:
    """Whatever is found slow while it waits: none is lost, none comes twice, and of one kind the first comes first."""
    known = SlowCode()
    queue: Queue[tuple[int, int]] = Queue(known, lambda item: str(item[1]))
    put, taken = [], []
    for number, (what, value) in enumerate(steps):
        if what == "append":
            put.append((number, value))
            queue.append((number, value))
        elif what == "note":
            known.note(str(value))
        elif what == "take":
            found = queue.take(most=value)
            assert len(found) <= value
            assert all(str(kind) not in known for _, kind in found)
            taken += found
        else:
            taken += queue.take_slow()
        assert len(queue) == len(put) - len(taken)
    while queue:
        taken += queue.take() or queue.take_slow()
    assert sorted(taken) == put
    for kind in range(KINDS):
        of_kind = [item for item in taken if item[1] == kind]
        assert of_kind == sorted(of_kind)


def test_none_that_waits_is_looked_at_more_often_than_it_is_taken() -> None:
    """A long queue costs no more than a short one: what is slow is set apart once."""
    looked: list[int] = []

    def code_of(item: int) -> str:
        looked.append(item)
        return "quick" if item % 2 else "slow"

    queue: Queue[int] = Queue(slow_code("slow"), code_of)
    queue.extend(range(1_000))
    while queue:
        assert queue.take() or queue.take_slow()
    assert len(looked) <= 4 * 1_000


def test_what_does_not_fit_the_first_is_left() -> None:
    queue: Queue[int] = Queue(slow_code("0"), str)
    queue.extend([1, 0, 1, 2, 1])
    assert queue.take(most=5, fits=lambda first, other: first == other) == [1, 1]
    assert list(queue) == [2, 1, 0]
    assert queue.has_others()
    assert queue.has_slow()


def test_code_is_forgotten_some_time_after_it_was_slow_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stood still may have been to blame."""
    now = [1_000.0]
    monkeypatch.setattr(slow, "monotonic", lambda: now[0])
    known = SlowCode()
    known.note("a")
    now[0] += slow.REMEMBERED - 1
    known.note("b")
    assert "a" in known
    now[0] += 2
    assert "a" not in known
    assert "b" in known
    known.note("c")
    assert set(known._seen) == {"b", "c"}, "it grows no further than by what is slow now"

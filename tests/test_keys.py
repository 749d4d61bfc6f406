"""Names of work that leave the database: what is the same, and what never is."""

import re

from hypothesis import given
from hypothesis import strategies as st

from workflow import keys

TASKS = st.lists(st.text(max_size=5), max_size=6)
TOKEN = "0123456789abcdef0123456789abcdef"


def step(tasks: list[str], *, visit: int = 1, sequence: int = 10, token: str = TOKEN) -> list[str]:
    """The keys of the runs of a step with these tasks, in row order."""
    taken: list[str] = []
    for task in tasks:
        taken.append(keys.run_key(token, visit=visit, sequence=sequence, task=task, taken=taken))
    return taken


def calls(run: str) -> set[str]:
    return {keys.call_key(run, first_attempt=first, number=number) for first in (1, 2, 3) for number in (1, 2, 3)}


@given(tasks=TASKS, inserted=st.text(min_size=6, max_size=8), place=st.integers(0, 6))
def test_a_row_that_is_inserted_changes_no_other_key(tasks: list[str], inserted: str, place: int) -> None:
    later = [*tasks[:place], inserted, *tasks[place:]]
    assert step(tasks) == [key for task, key in zip(later, step(later), strict=True) if task != inserted]


@given(tasks=TASKS, others=TASKS)
def test_no_two_runs_of_an_instance_have_a_call_of_the_same_key(tasks: list[str], others: list[str]) -> None:
    runs = [*step(tasks), *step(others, visit=2), *step(tasks, visit=3, sequence=20), *step(others, token="f" * 32)]
    named = [key for run in runs for key in calls(run)]
    assert len(set(named)) == len(named)
    assert len({keys.child_token(key, attempt=a, place=p) for key in named for a in (1, 2) for p in (0, 1)}) == 4 * len(
        named
    )


@given(task=st.text(max_size=300), count=st.integers(1, 5), visit=st.integers(1, 2**31), sequence=st.integers(0, 2**31))
def test_a_key_fits_into_its_column_and_into_a_header(task: str, count: int, visit: int, sequence: int) -> None:
    for key in step([task] * count, visit=visit, sequence=sequence):
        assert re.fullmatch(r"[0-9a-z_-]{1,100}", key)


def test_another_branch_is_other_work_with_the_same_task() -> None:
    assert step(["Pay"], sequence=10) != step(["Pay"], sequence=20)


def test_tokens_are_long_and_differ() -> None:
    tokens = {keys.new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", token) for token in tokens)

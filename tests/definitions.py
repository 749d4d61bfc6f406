"""Arbitrary definitions, for properties."""

from typing import Any

from hypothesis import strategies as st

from workflow.definition import Definition, Field, Kind, Row, TaskDefinition

NAMES = ("a", "b", "c", "d")
SEQUENCES = st.sampled_from((10, 20, 30, 40))
# -0.0 equals 0.0, but is written differently; nobody means it.
SECONDS = st.floats(allow_nan=False).map(lambda number: number + 0.0)


def form() -> st.SearchStrategy[tuple[Field, ...]]:
    """Any fields, sense or not."""
    field = st.builds(
        Field,
        name=st.text(max_size=3),
        label=st.text(max_size=3),
        kind=st.sampled_from(Kind),
        required=st.booleans(),
        choices=st.lists(st.text(max_size=2), max_size=2).map(tuple),
        help=st.text(max_size=2),
    )
    return st.lists(field, max_size=2).map(tuple)


def arbitrary() -> st.SearchStrategy[Definition]:
    """Anything that the types permit, sense or not."""
    task = st.builds(
        TaskDefinition,
        name=st.text(max_size=3),
        manual=st.booleans(),
        code=st.text(max_size=5),
        approver=st.text("ab,= ", max_size=5),
        quorum=st.integers(-1, 3),
        not_starter=st.booleans(),
        not_same_as=st.text("ab", max_size=1),
        same_as=st.text("ab", max_size=1),
        instructions=st.text(max_size=3),
        due=st.text("12dh", max_size=3),
        calendar=st.text("ab", max_size=1),
        remind=st.text("-1dh,", max_size=4),
        escalate_to=st.text("ab,= ", max_size=5),
        escalate_after=st.text("12dh", max_size=3),
        by_default=st.sampled_from(("", "approve", "reject")),
        by_default_after=st.text("12dh", max_size=3),
        fields=form(),
        max_attempts=st.integers(-1, 3),
        retry_delay=SECONDS,
        time_limit=st.none() | SECONDS,
        memory_limit=st.none() | st.integers(-1, 3),
    )
    jump = st.none() | st.integers(0, 4)
    row = st.builds(
        Row,
        task=st.text(max_size=3),
        sequence=st.integers(0, 4),
        condition=st.text(" x", max_size=2),
        then=jump,
        on_reject=jump,
        on_error=jump,
        ends_step=st.booleans(),
    )
    return st.builds(
        Definition,
        name=st.text(max_size=3),
        tasks=st.lists(task, max_size=4).map(tuple),
        rows=st.lists(row, max_size=6).map(tuple),
        fields=form(),
    )


@st.composite
def runnable(draw: st.DrawFn) -> Definition:
    """Definitions in which every jump leads somewhere, and every task has work: only their flow can be wrong."""
    tasks = tuple(draw(_task(name)) for name in NAMES)
    sequences = draw(st.lists(SEQUENCES, min_size=1, max_size=7))
    jump = st.none() | st.sampled_from(sequences)
    row: Any = st.fixed_dictionaries(
        {
            "task": st.sampled_from(NAMES),
            "condition": st.sampled_from(("", "", "data['x']")),
            "then": jump,
            "on_reject": jump,
            "on_error": jump,
            "ends_step": st.booleans(),
        }
    )
    rows = tuple(Row(sequence=sequence, **draw(row)) for sequence in sorted(sequences))
    return Definition(name="P", tasks=tasks, rows=rows)


def _task(name: str) -> st.SearchStrategy[TaskDefinition]:
    return st.sampled_from(
        (
            TaskDefinition(name=name, code="1"),
            TaskDefinition(name=name, manual=True),
            TaskDefinition(name=name, manual=True, approver="anna"),
        )
    )

"""What an operator passes over on the way from one step to another: a table, and what holds for every process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.definition import Definition, Row, TaskDefinition
from workflow.flow import RowStatus
from workflow.reading import may_ask
from workflow.routes import routes
from workflow.undecided import Way

F, R, C, W, S, X = (
    RowStatus.FINISHED,
    RowStatus.REJECTED,
    RowStatus.CANCELLED,
    RowStatus.OPEN,
    RowStatus.SKIPPED,
    RowStatus.FAILED,
)


def a_process(*rows: Row) -> Definition:
    """Tasks that begin with a capital are manual."""
    names = dict.fromkeys(row.task for row in rows)
    tasks = [
        TaskDefinition(name=name, manual=name[0].isupper(), code="" if name[0].isupper() else "1") for name in names
    ]
    return Definition(name="P", tasks=tuple(tasks), rows=rows)


def row(sequence: int, task: str, **fields: int | str | bool) -> Row:
    return Row(sequence=sequence, task=task, **fields)  # type: ignore[arg-type]


def passed(definition: Definition, here: int, to: int, *statuses: RowStatus | None) -> list[str]:
    """`statuses` are those of the rows in order, of which the last ones have not begun."""
    known = {index: status for index, status in enumerate(statuses) if status is not None}
    manual = {index for index in range(len(definition.rows)) if definition.task_of(index).manual}
    return list(
        Way(
            definition=definition, statuses=known, here=here, to=to, asks=manual.__contains__, ways=routes(definition)
        ).passes_over()
    )


LINE = a_process(row(10, "check"), row(20, "Sign"), row(30, "Countersign"), row(40, "pay"), row(50, "tell"))
CLAIM = a_process(
    row(10, "check"),
    row(20, "Manager", condition="data['large']", on_reject=50),
    row(40, "pay", then=60),
    row(50, "Correct", then=10),
    row(60, "tell"),
)
REFUSED = a_process(
    row(10, "check"), row(20, "Sign", on_reject=60), row(40, "pay", then=70), row(60, "tell", then=70), row(70, "end")
)
BRANCHES = a_process(
    row(10, "check", condition="data['small']", then=60),
    row(10, "look", condition="else", then=20),
    row(20, "a", then=30),
    row(30, "end", then=90),
    row(60, "Sign"),
    row(70, "pay", then=90),
    row(90, "tell"),
)


@pytest.mark.parametrize(
    ("definition", "here", "to", "statuses", "expected"),
    [
        # From where it is: open, failed, cancelled with what failed beside it, or not entered yet.
        (LINE, 20, 30, [F, W], ["Sign"]),
        (LINE, 20, 10, [F, W], ["Sign"]),
        (LINE, 20, 20, [F, X], ["Sign"]),
        (LINE, 20, 30, [F, C], ["Sign"]),
        (LINE, 20, 30, [F], ["Sign"]),
        # On the way.
        (LINE, 10, 40, [X], ["Sign", "Countersign"]),
        (LINE, 10, 20, [X], []),
        (LINE, 10, 30, [X], ["Sign"]),
        (LINE, 40, 50, [F, F, F, X], []),
        # Back: what was decided is decided, and what was not is asked anew.
        (LINE, 40, 10, [F, F, F, X], []),
        (LINE, 40, 20, [F, F, F, X], []),
        # Decided in an earlier round of a loop: the process would ask again.
        (CLAIM, 10, 40, [X, F, None, F], ["Manager"]),
        # Skipped, as its condition was false.
        (CLAIM, 40, 60, [F, S, X], []),
        (CLAIM, 40, 50, [F, F, X], []),
        # Beyond a decision that was made against it, also backwards.
        (REFUSED, 60, 40, [F, R, None, X], ["Sign"]),
        (REFUSED, 60, 70, [F, R, None, X], []),
        (REFUSED, 60, 60, [F, R, None, X], []),
        # Into another branch, which nothing leads to from here.
        (BRANCHES, 30, 70, [S, F, F, X], ["Sign"]),
        (BRANCHES, 30, 60, [S, F, F, X], []),
        (BRANCHES, 30, 90, [S, F, F, X], []),
    ],
)
def test_what_is_passed_over(
    definition: Definition, here: int, to: int, statuses: list[RowStatus | None], expected: list[str]
) -> None:
    assert passed(definition, here, to, *statuses) == expected


def test_what_a_neighbour_ended_was_not_for_people_to_decide_any_more() -> None:
    definition = a_process(row(10, "sleep", ends_step=True), row(10, "Sign"), row(20, "pay"), row(30, "tell"))
    assert passed(definition, 10, 20, F, C) == []
    assert passed(definition, 10, 20, X, C) == ["Sign"]
    assert passed(definition, 20, 30, F, C, X) == []


steps = st.integers(1, 5).map(lambda number: number * 10)
a_row = st.builds(
    Row,
    task=st.sampled_from(["a", "b", "Sign", "Countersign", "Third"]),
    sequence=steps,
    condition=st.sampled_from(["", "data['x']"]),
    then=st.none() | steps,
    on_reject=st.none() | steps,
    on_error=st.none() | steps,
    ends_step=st.booleans(),
)


@given(st.lists(a_row, min_size=1, max_size=7), st.data())
def test_nothing_is_passed_over_unless_people_decide_it_and_never_what_it_goes_to(
    rows: list[Row], data: st.DataObject
) -> None:
    ordered = sorted(rows, key=lambda one: one.sequence)
    definition = a_process(*ordered)
    here = data.draw(st.sampled_from(definition.sequences))
    to = data.draw(st.sampled_from(definition.sequences))
    statuses = [data.draw(st.sampled_from([None, F, R, C, W, S, X])) for _ in ordered]
    found = passed(definition, here, to, *statuses)
    assert all(definition.task(name).manual for name in found)
    only_there = {one.task for one in ordered if one.sequence == to} - {
        one.task for one in ordered if one.sequence != to
    }
    if here != to:
        assert only_there.isdisjoint(found)


@given(st.lists(a_row, min_size=2, max_size=7), st.data())
def test_who_is_asked_on_each_way_to_a_step_is_never_left_out_unnoticed(rows: list[Row], data: st.DataObject) -> None:
    """Nothing has been decided yet: wherever it goes, each task that stands before that on all ways is told."""
    ordered = sorted(rows, key=lambda one: one.sequence)
    definition = a_process(*ordered)
    first = definition.sequences[0]
    to = data.draw(st.sampled_from(definition.sequences))
    found = passed(definition, first, to)
    for step in definition.sequences:
        asked = [one.task for one in ordered if one.sequence == step and one.task[0].isupper()]
        if step != to and asked and to not in _reachable_without(definition, step):
            reachable = to in _reachable_without(definition, None)
            assert not reachable or set(asked) <= set(found)


def _reachable_without(definition: Definition, left_out: int | None) -> set[int]:
    """The steps that can be reached from the first one without passing that one: by trying all ways."""
    first = definition.sequences[0]
    if first == left_out:
        return set()
    found, ahead = {first}, [first]
    while ahead:
        at = ahead.pop()
        for way in routes(definition):
            target = way.target
            if way.source == at and target in definition.sequences and target not in found and target != left_out:
                found.add(target)
                ahead.append(target)
    return found


@pytest.mark.parametrize(
    ("code", "answered", "expected"),
    [
        ("pay(1)", 0, False),
        ("approval('anna', 'Well?')", 0, True),
        ("approval('anna', 'Well?')", 1, False),
        ("approval('anna', 'Well?')\npay(1)\napproval('bert', 'And now?')", 1, True),
        ("ask = approval\nask('anna', 'Well?')", 0, True),
        ("for x in data['all']:\n    approval('anna', x)", 7, True),
        ("[approval('anna', x) for x in data['all']]", 7, True),
        ("'approval'", 0, False),
        ("# approval", 0, False),
        ("approval(", 0, True),
        ("", 0, False),
    ],
)
def test_whether_code_may_ask_once_more(code: str, answered: int, *, expected: bool) -> None:
    assert may_ask(code, answered=answered) is expected

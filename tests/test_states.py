"""The table of moves: that the picture in the docs is the same, and that the sets of states agree with it."""

import re
from pathlib import Path

from workflow.models import MOVES, InstanceState
from workflow.models.states import DUE, ENDED

DOCS = Path(__file__).parent.parent / "docs" / "states.md"


def test_the_picture_in_the_docs_is_the_table() -> None:
    drawn = set(re.findall(r"^    ([A-Z]+) --> ([A-Z]+)$", DOCS.read_text(), re.MULTILINE))
    assert drawn == {(before.value, after.value) for before, afters in MOVES.items() for after in afters}


def test_every_state_has_its_moves_and_its_line_in_the_docs() -> None:
    assert set(MOVES) == set(InstanceState)
    described = set(re.findall(r"^\| `([A-Z]+)` \|", DOCS.read_text(), re.MULTILINE))
    assert described == set(InstanceState.values)


def test_what_has_ended_is_moved_by_nothing_but_a_retry() -> None:
    assert {state for state in ENDED if MOVES[state]} == {InstanceState.FAILED}
    assert MOVES[InstanceState.FAILED] == {InstanceState.READY}
    assert not DUE & ENDED

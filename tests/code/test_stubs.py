"""The declarations for the type checker agree with what the interpreter has."""

import pytest

from tests.code.granted import run
from workflow.code.job import Completed
from workflow.code.runner import get_runner
from workflow.code.stubs import stubs

KNOWN = {
    "map": ("list(map(str, [1, 2]))", ["1", "2"]),
    "map of two": ("list(map(lambda a, b: a + b, [1], [2]))", [3]),
    "filter": ("list(filter(None, [0, 1]))", [1]),
    "format": ("format(3, '03d')", "003"),
    "getattr": ("getattr(run, 'id') > 0", True),
    "hasattr": ("hasattr(run, 'foo')", False),
    "an action's error": (
        "try:\n    raise PermissionError('no')\nexcept PermissionError as error:\n    x = str(error)\nx",
        "no",
    ),
    "its base": ("try:\n    raise FileNotFoundError('no')\nexcept OSError as error:\n    x = str(error)\nx", "no"),
}


@pytest.mark.parametrize("what", KNOWN)
def test_what_runs_has_no_finding(what: str) -> None:
    code, result = KNOWN[what]
    assert get_runner().check(code, expression=False, stubs=stubs()) == []
    outcome = run(get_runner(), code)
    assert isinstance(outcome, Completed), outcome
    assert outcome.result == result


@pytest.mark.parametrize("code", ["map(1, [2])", "len(map(str, [1]))", "format()", "list(map(str))"])
def test_what_is_wrong_is_found(code: str) -> None:
    assert get_runner().check(code, expression=False, stubs=stubs())

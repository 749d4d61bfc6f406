"""What the mutation run draws, and what it takes for noticed: a run in which nothing ran must not look like a good one."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import mutants, mutation


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """As mutmut leaves them, of one module."""
    codes = {
        "killed": 1,
        "endless": 36,
        "survived": 0,
        "unreached": 33,
        "not run": None,
        "used wrongly": 4,
        "tests unknown": 255,
    }
    folder = tmp_path / "workflow" / "people"
    folder.mkdir(parents=True)
    (folder / "rights.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    (folder / "__init__.py.meta").write_text(json.dumps({"exit_code_by_key": {}}))
    monkeypatch.setattr(mutation, "MUTANTS", tmp_path)
    return codes


def test_a_seed_draws_the_same_of_each_module() -> None:
    names = [f"x{number}" for number in range(100)]
    drawn = mutation._drawn(names, seed="20 workflow.flow", most=25)
    assert drawn == mutation._drawn(names, seed="20 workflow.flow", most=25)
    assert drawn != mutation._drawn(names, seed="21 workflow.flow", most=25)
    assert len(set(drawn)) == 25
    assert mutation._drawn(["x"], seed="1", most=25) == ["x"]


def test_only_tests_that_failed_or_came_to_no_end_have_noticed_one(results: dict[str, int | None]) -> None:
    assert mutation._mutants() == {"workflow.people.rights": sorted(results)}
    assert list(mutation._unnoticed(results, list(results))) == [
        ("survived", "survived"),
        ("unreached", "no test reaches it"),
        ("not run", "its tests did not run (exit code None)"),
        ("used wrongly", "its tests did not run (exit code 4)"),
        ("tests unknown", "its tests did not run (exit code 255)"),
    ]


def test_a_modules_own_and_short_tests_come_first_and_those_without_time_are_left_out() -> None:
    far, near, long, short, own = (
        SimpleNamespace(nodeid=name) for name in ("far", "near", "long", "short", "tests/test_flow.py::test_it")
    )
    reached = {"one": ["far", "near", "long", "short", own.nodeid], "other": ["far", own.nodeid], "third": ["far"]}
    seconds = {"far": 1, "near": 1, "long": 59, "short": 0.1, own.nodeid: 2}
    ordered = mutants._likely_first([far, long, near, own, short], reached, seconds, own="/test_flow.py::")
    assert ordered == ([own, short, near, far], [long])


def test_what_tests_reach_on_another_database_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "MUTANTS", tmp_path)
    stats = tmp_path / "mutmut-stats.json"
    for database, is_kept in [("sqlite", True), ("sqlite", True), ("postgres", False), ("postgres", True)]:
        stats.touch()
        monkeypatch.setenv("TEST_DATABASE", database)
        mutation._forget_another_database()
        assert stats.exists() == is_kept

"""The process as a whole."""

from dataclasses import replace

from tests.lint.samples import found, manual, process, row, told
from workflow.definition import Definition, Field, TaskDefinition


def test_a_sound_process_has_no_findings() -> None:
    sound = process(
        row(10, "a"),
        row(20, "b", on_reject=10),
        row(20, "c", condition="data['x']", ends_step=True),
        row(30, "a", on_error=40),
        row(40, "d"),
        b=manual("b", "anna, managers"),
    )
    assert told(sound) == []


def test_no_tasks() -> None:
    assert told(Definition(name="P")) == [
        "error: The process has no tasks. Add one, and a transition that gives it a step."
    ]


def test_no_transitions() -> None:
    """That each of its tasks is at no step goes without saying."""
    assert told(process(a=TaskDefinition(name="a", code="1"))) == [
        "error: The process has no transitions. Add one for each task: it says at which step."
    ]


def test_no_name() -> None:
    nameless = Definition(name=" ", tasks=(TaskDefinition(name="a", code="1"),), rows=(row(1, "a"),))
    assert told(nameless) == ["error: The process has no name. Give it one."]


def test_its_start_form_makes_sense() -> None:
    (finding,) = found(replace(process(row(1, "a")), fields=(Field(name="x"), Field(name="-"))))
    assert (finding.task, finding.entry) == (None, 1)
    assert str(finding).startswith("Start form: A field can't be named '-'")

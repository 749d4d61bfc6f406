"""Definitions as values: what goes out as JSON comes back, and equal ones have one fingerprint."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.definitions import arbitrary
from workflow.definition import FORMAT, Definition, Field, Kind, Row, TaskDefinition
from workflow.errors import DefinitionTooNew

CHANGES: dict[str, Any] = {
    "name": "other",
    "task": "other",
    "manual": True,
    "code": "other",
    "approver": "other",
    "quorum": 2,
    "not_starter": True,
    "not_same_as": "other",
    "same_as": "other",
    "instructions": "other",
    "due": "2d",
    "calendar": "other",
    "remind": "0",
    "escalate_to": "other",
    "escalate_after": "2d",
    "by_default": "reject",
    "by_default_after": "2d",
    "fields": (Field(name="other"),),
    "label": "other",
    "kind": Kind.DATE,
    "required": True,
    "choices": ("other",),
    "help": "other",
    "subprocess": "other",
    "input": "other",
    "output": "other",
    "timeout": 2.0,
    "max_attempts": 2,
    "retry_delay": 11.0,
    "time_limit": 2.0,
    "memory_limit": 2,
    "sequence": 2,
    "condition": "other",
    "then": 2,
    "on_reject": 2,
    "on_error": 2,
    "ends_step": True,
}
TASK = TaskDefinition(name="a")
ROW = Row(task="a", sequence=1)


@given(arbitrary())
def test_json_gives_back_an_equal_definition(definition: Definition) -> None:
    read = Definition.from_json(json.loads(json.dumps(definition.to_json())))
    assert read == definition
    assert read.digest == definition.digest


@given(arbitrary(), arbitrary())
def test_equal_definitions_and_only_those_have_the_same_digest(one: Definition, other: Definition) -> None:
    assert (one.digest == other.digest) == (one == other)
    assert replace(one).digest == one.digest


@pytest.mark.parametrize("field", [field.name for field in fields(TaskDefinition)])
def test_every_field_of_a_task_counts_for_the_digest(field: str) -> None:
    changed = Definition(name="P", tasks=(replace(TASK, **{field: CHANGES[field]}),), rows=(ROW,))
    assert changed.digest != Definition(name="P", tasks=(TASK,), rows=(ROW,)).digest


@pytest.mark.parametrize("field", [field.name for field in fields(Row)])
def test_every_field_of_a_row_counts_for_the_digest(field: str) -> None:
    changed = Definition(name="P", tasks=(TASK,), rows=(replace(ROW, **{field: CHANGES[field]}),))
    assert changed.digest != Definition(name="P", tasks=(TASK,), rows=(ROW,)).digest


@pytest.mark.parametrize("field", [field.name for field in fields(Field)])
def test_every_part_of_a_form_counts_for_the_digest(field: str) -> None:
    form = (Field(name="a"),)
    changed = (replace(form[0], **{field: CHANGES[field]}),)
    digests = {
        Definition(name="P", fields=form).digest,
        Definition(name="P", fields=changed).digest,
        Definition(name="P", tasks=(replace(TASK, fields=form),)).digest,
        Definition(name="P", tasks=(replace(TASK, fields=changed),)).digest,
    }
    assert len(digests) == 4


def test_a_field_without_a_label_is_called_by_its_name() -> None:
    assert Field(name="cost_centre").title == "Cost centre"
    assert Field(name="x", label="Cost centre").title == "Cost centre"


def test_fields_that_json_lacks_take_their_defaults() -> None:
    read = Definition.from_json({"name": "P", "tasks": [{"name": "a"}], "rows": [{"task": "a", "sequence": 1}]})
    assert read == Definition(name="P", tasks=(TASK,), rows=(ROW,))


@given(arbitrary())
def test_steps_partition_the_rows_in_row_order(definition: Definition) -> None:
    steps = [definition.step(sequence) for sequence in definition.sequences]
    assert sorted(index for step in steps for index in step) == list(range(len(definition.rows)))
    assert all(step == tuple(sorted(step)) for step in steps)
    for sequence in definition.sequences:
        assert {definition.rows[index].sequence for index in definition.step(sequence)} == {sequence}


@given(arbitrary(), st.integers(-1, 6))
def test_after_is_the_next_higher_sequence_of_any_number(definition: Definition, sequence: int) -> None:
    higher = {row.sequence for row in definition.rows if row.sequence > sequence}
    assert definition.after(sequence) == (min(higher) if higher else None)


@given(arbitrary(), st.integers(-1, 6))
def test_a_step_that_does_not_exist_has_no_rows(definition: Definition, sequence: int) -> None:
    assert bool(definition.step(sequence)) == (sequence in definition.sequences)


def test_a_walk_by_after_visits_each_step_once() -> None:
    definition = Definition(name="P", rows=tuple(Row(task="a", sequence=number) for number in (5, 5, 7, 70)))
    assert definition.sequences == (5, 7, 70)
    assert [definition.after(number) for number in definition.sequences] == [7, 70, None]


def test_tasks_are_found_by_name_and_by_row() -> None:
    definition = Definition(name="P", tasks=(TASK, TaskDefinition(name="b")), rows=(Row(task="b", sequence=1),))
    assert definition.task("a") is TASK
    assert definition.task_of(0).name == "b"
    with pytest.raises(KeyError):
        definition.task("c")


def test_a_definition_never_changes() -> None:
    for value in (TASK, ROW, Definition(name="P")):
        with pytest.raises(AttributeError):
            value.name = "other"  # type: ignore[misc, union-attr]


@dataclass(frozen=True, kw_only=True)
class NewerRow(Row):
    """A row as a later version of this software has it."""

    priority: int = field(default=2, metadata={"since": FORMAT + 1})


class TestFormats:
    """Processes of two versions of this software read each other's definitions while one takes the other's place."""

    @given(arbitrary())
    def test_what_was_frozen_before_formats_were_counted_is_no_other_definition_now(
        self, definition: Definition
    ) -> None:
        parts = {name: [asdict(one) for one in getattr(definition, name)] for name in ("tasks", "rows", "fields")}
        text = json.dumps({"name": definition.name, **parts}, sort_keys=True, separators=(",", ":"))
        assert definition.digest == hashlib.sha256(text.encode()).hexdigest()
        assert Definition.from_json(json.loads(text)) == definition

    @given(arbitrary())
    def test_a_new_field_that_is_not_used_changes_nothing(self, definition: Definition) -> None:
        newer = replace(definition, rows=tuple(NewerRow(**vars(row)) for row in definition.rows))
        assert (newer.format, newer.to_json(), newer.digest) == (1, definition.to_json(), definition.digest)

    @given(arbitrary().filter(lambda definition: definition.rows))
    def test_one_that_is_used_is_refused_by_software_that_does_not_know_it(self, definition: Definition) -> None:
        newer = replace(definition, rows=tuple(NewerRow(**vars(row), priority=3) for row in definition.rows))
        assert newer.format == newer.to_json()["format"] == FORMAT + 1
        assert newer.digest != definition.digest
        with pytest.raises(
            DefinitionTooNew, match=f"has format {FORMAT + 1}; this software reads formats up to {FORMAT}"
        ):
            Definition.from_json(newer.to_json())

    @pytest.mark.parametrize(
        ("place", "named"),
        [
            ((), "The definition of 'P' has 'new'"),
            (("tasks", 0), "a TaskDefinition with 'new'"),
            (("rows", 0), "a Row with 'new'"),
            (("fields", 0), "a Field with 'new'"),
            (("tasks", 0, "fields", 0), "a Field with 'new'"),
        ],
    )
    def test_what_is_unknown_is_refused_wherever_it_stands(self, place: tuple[Any, ...], named: str) -> None:
        form = (Field(name="a"),)
        read = Definition(name="P", tasks=(replace(TASK, fields=form),), rows=(ROW,), fields=form).to_json()
        part: Any = read
        for key in place:
            part = part[key]
        part["new"] = None
        with pytest.raises(DefinitionTooNew, match=named):
            Definition.from_json(read)

    @pytest.mark.parametrize(
        "changed", [{"format": FORMAT + 1}, {"format": "2"}, {"fields": [{"name": "a", "kind": "colour"}]}]
    )
    def test_so_are_a_higher_format_and_a_new_kind_of_field(self, changed: dict[str, Any]) -> None:
        with pytest.raises(DefinitionTooNew):
            Definition.from_json({**Definition(name="P").to_json(), **changed})

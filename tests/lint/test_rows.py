"""Tasks of rows, and jumps."""

import pytest

from tests.lint.samples import found, manual, process, row, told


def test_a_row_of_a_task_that_is_not_the_processes() -> None:
    assert told(process(row(1, "Pay"), row(2, "Pya"), Pya=None)) == [
        "error: Step 2, 'Pya': This process has no task 'Pya'. Did you mean 'Pay'?"
    ]


@pytest.mark.parametrize(
    ("field", "when"), [("then", "when finished"), ("on_reject", "when rejected"), ("on_error", "when it fails")]
)
def test_a_jump_to_nowhere(field: str, when: str) -> None:
    definition = process(row(10, "a"), row(20, "a"), row(30, "Pay", **{field: 70}), Pay=manual("Pay", "anna"))
    (finding,) = found(definition)
    assert str(finding) == f"Step 30, 'Pay': Goes to step 70 {when}, but there is no step 70. There are 10, 20, 30."
    assert (finding.level, finding.task, finding.row, finding.field) == ("error", "Pay", 2, field)


def test_a_jump_to_nowhere_in_a_long_process_names_the_nearest_steps() -> None:
    definition = process(*(row(10 * number, "a") for number in range(1, 40)), row(400, "a", then=201))
    assert told(definition) == [
        (
            "error: Step 400, 'a': Goes to step 201 when finished, but there is no step 201. "
            "The nearest are 150, 160, 170, 180, 190, 200, 210, 220, 230, 240, 250, 260."
        )
    ]


def test_a_jump_to_nowhere_from_the_only_step() -> None:
    assert told(process(row(10, "a", then=20))) == [
        "error: Step 10, 'a': Goes to step 20 when finished, but there is no step 20. There is 10."
    ]


def test_a_task_twice_at_a_step() -> None:
    assert told(process(row(1, "a"), row(1, "b"), row(1, "a", condition="x"))) == [
        (
            "warning: Step 1, 'a': 'a' is at this step more than once: the later result replaces the earlier one. "
            "Make a task of its own for each, or give each a condition."
        )
    ]


def test_a_task_twice_with_conditions_is_a_choice_of_ways() -> None:
    assert told(process(row(1, "a", condition="x", then=2), row(1, "a", condition="not x"), row(2, "b"))) == []


def test_a_task_at_several_steps_is_fine() -> None:
    assert told(process(row(1, "a"), row(2, "a"))) == []


def test_then_below_one_that_always_decides() -> None:
    assert told(process(row(1, "a", then=2), row(1, "b", then=3), row(2, "a"), row(3, "b"))) == [
        (
            "warning: Step 1, 'b': Never goes to step 3: a row above it at this step always decides. "
            "Clear one of the two."
        )
    ]


def test_then_beside_a_row_that_always_ends_the_step() -> None:
    definition = process(row(1, "a", then=3), row(1, "b", ends_step=True, then=2), row(2, "b"), row(3, "a"))
    assert told(definition) == [
        (
            "warning: Step 1, 'a': Never goes to step 3: a row that ends the step decides where to go, and one always "
            "ends this step. Clear it, or tick ends step here as well."
        )
    ]


def test_then_of_each_row_that_can_end_the_step() -> None:
    ends = {"ends_step": True}
    definition = process(row(1, "a", then=3, **ends), row(1, "b", then=2, **ends), row(2, "b"), row(3, "a"))
    assert told(definition) == []


def test_on_reject_of_code() -> None:
    assert told(process(row(1, "a"), row(2, "a", on_reject=1))) == [
        ("warning: Step 2, 'a': Never goes to step 1 when rejected: only manual tasks are. Clear it, or use on error.")
    ]


def test_on_error_of_a_task_in_which_nothing_can_fail() -> None:
    assert told(process(row(1, "a"), row(2, "b", on_error=1), b=manual("b"))) == [
        (
            "warning: Step 2, 'b': Never goes to step 1 when it fails: nothing in this task can fail. "
            "Clear it, or use on reject."
        )
    ]


@pytest.mark.parametrize("approver", ["=data['boss']", "anna"])
def test_a_manual_task_fails_where_its_approver_is_not_found(approver: str) -> None:
    assert told(process(row(1, "a"), row(2, "b", on_error=1), b=manual("b", approver))) == []


def test_a_manual_task_fails_where_its_condition_does() -> None:
    assert told(process(row(1, "a"), row(2, "b", on_error=1, condition="x"), b=manual("b"))) == []

"""Steps that are never reached, and loops without end: told of some, and found by walking every way."""

from typing import Any

import pytest
from hypothesis import given, settings

from tests.definitions import runnable
from tests.lint.samples import found, manual, process, row, told
from tests.walk import walked
from workflow.definition import Definition, TaskDefinition
from workflow.flow import Ending
from workflow.routes import Cause


class TestNeverReached:
    def test_a_step_that_is_jumped_over(self) -> None:
        definition = process(row(10, "a", then=30), row(20, "b"), row(30, "c"))
        (finding,) = found(definition)
        assert str(finding) == (
            "Step 20: No instance ever comes to this step: step 10 always goes to step 30 when finished, "
            "and nothing else leads here. Have a row of another step go to it, or delete it."
        )
        assert (finding.level, finding.task, finding.row, finding.field) == ("error", None, 1, "sequence")

    def test_steps_after_one_that_is_never_reached(self) -> None:
        definition = process(row(10, "a", then=50), row(20, "b"), row(30, "c"), row(40, "c", then=20), row(50, "d"))
        assert told(definition) == [
            f"error: Step {step}: No instance ever comes to this step: none comes to step {before} either, "
            "and nothing else leads here. Have a row of another step go to it, or delete it."
            for step, before in ((20, 40), (30, 20), (40, 30))
        ]

    @pytest.mark.parametrize(
        "fields",
        [
            {"condition": "x"},  # it may be skipped
            {"on_error": 20},
        ],
    )
    def test_a_step_that_something_may_lead_to(self, fields: dict[str, Any]) -> None:
        assert told(process(row(10, "a", then=30, **fields), row(20, "b"), row(30, "c"))) == []

    def test_a_step_that_a_rejection_leads_to(self) -> None:
        assert told(process(row(10, "a", then=30, on_reject=20), row(20, "b"), row(30, "c"), a=manual("a"))) == []

    def test_a_step_that_follows_where_a_neighbour_ends_the_step(self) -> None:
        neighbour = row(10, "b", ends_step=True, condition="x")
        assert told(process(row(10, "a", then=30), neighbour, row(20, "b"), row(30, "c"))) == []

    def test_a_jump_that_ends_the_step_decides_for_itself(self) -> None:
        definition = process(row(10, "a", then=30, ends_step=True), row(10, "b"), row(20, "b"), row(30, "c"))
        assert [finding.step for finding in found(definition)] == [20]


class TestLoops:
    def test_a_step_that_leads_only_back_to_itself(self) -> None:
        (finding,) = found(process(row(10, "a"), row(20, "b"), row(20, "c", then=20)))
        assert str(finding) == (
            "Step 20, 'c': Step 20 leads only back to itself: an instance that comes here never ends. "
            "Put a condition on this row, which goes back, or have a row there go elsewhere."
        )
        assert (finding.level, finding.row, finding.field) == ("error", 2, "then")

    def test_steps_that_lead_only_to_each_other(self) -> None:
        assert told(process(row(10, "a"), row(20, "b"), row(30, "c"), row(40, "d", then=20))) == [
            (
                "error: Step 40, 'd': Steps 20, 30 and 40 lead only to each other: an instance that comes here never ends. "
                "Put a condition on this row, which goes back, or have a row there go elsewhere."
            )
        ]

    def test_a_rejection_that_goes_back_as_well(self) -> None:
        definition = process(row(10, "a"), row(20, "b", then=10, on_reject=10), b=manual("b"))
        assert [(finding.row, finding.field) for finding in found(definition)] == [(1, "then")]

    @pytest.mark.parametrize(
        "task", [TaskDefinition(name="b", code="1"), manual("b", "anna")], ids=["code", "an approver that is gone"]
    )
    def test_that_something_may_fail_is_no_way_out(self, task: TaskDefinition) -> None:
        definition = process(row(10, "a"), row(20, "b", then=10, on_reject=10 if task.manual else None), b=task)
        assert [finding.level for finding in found(definition)] == ["error"]

    def test_an_error_that_is_told_where_to_go_may_be_meant(self) -> None:
        assert told(process(row(10, "a", then=10, on_error=20), row(20, "b"))) == [
            (
                "warning: Step 10, 'a': Step 10 leads only back to itself: an instance that comes here never ends, "
                "unless something fails. Put a condition on this row, which goes back, or have a row there go elsewhere."
            )
        ]

    def test_a_rejection_that_ends_the_instance_is_a_way_out(self) -> None:
        assert told(process(row(10, "a", then=10), a=manual("a"))) == []

    def test_a_condition_on_the_row_that_goes_back_is_a_way_out(self) -> None:
        assert told(process(row(10, "a"), row(20, "b", then=10, condition="x"))) == []

    def test_a_jump_to_nowhere_is_told_once(self) -> None:
        definition = process(row(10, "a", then=10, on_reject=11), a=manual("a"))
        assert [finding.field for finding in found(definition)] == ["on_reject"]


@settings(deadline=None, max_examples=200)
@given(runnable())
def test_a_step_is_said_to_be_never_reached_exactly_where_no_walk_comes_to_it(definition: Definition) -> None:
    never = {finding.step for finding in found(definition) if finding.field == "sequence"}
    assert never == set(definition.sequences) - walked(definition, {definition.sequences[0]}, set(Cause))


@settings(deadline=None, max_examples=200)
@given(runnable())
def test_a_loop_is_found_exactly_where_some_walk_comes_to_a_step_that_no_end_can_be_reached_from(
    definition: Definition,
) -> None:
    good = {Ending.FINISHED, Ending.REJECTED}
    within = [step for step in walked(definition, {definition.sequences[0]}, set(Cause)) if isinstance(step, int)]
    hopeless = [step for step in within if not walked(definition, {step}, set(Cause)) & good]
    luckless = [step for step in within if not walked(definition, {step}, set(Cause) - {Cause.FAILED}) & good]
    loops = [finding for finding in found(definition) if "never ends" in finding.message]
    assert bool(loops) == bool(luckless)
    assert any(finding.level == "error" for finding in loops) == bool(hopeless)

"""The rules of DESIGN.md 3, each by a table, and together by properties over arbitrary definitions."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow import flow, values
from workflow.definition import Definition, Row, TaskDefinition
from workflow.flow import Changes, End, Ending, Failed, Finished, Go, Limits, Position, Rejected, RowStatus, Stay

LIMITS = Limits(max_steps=50, max_data_bytes=1000)
ERROR = {"type": "ValueError", "message": "no", "line": 3}


def definition(*rows: Row) -> Definition:
    names = dict.fromkeys(row.task for row in rows)
    ordered = tuple(sorted(rows, key=lambda row: row.sequence))
    return Definition(name="P", tasks=tuple(TaskDefinition(name=name, code="1") for name in names), rows=ordered)


def at(process: Definition, sequence: int, *, skip: tuple[str, ...] = (), **data: Any) -> Position:
    """The step entered, with the rows of the tasks in `skip` not started."""
    position = Position(sequence=sequence, data=data)
    verdicts = {row: process.rows[row].task not in skip for row in process.step(sequence)}
    return flow.enter(process, position, verdicts)


def after(process: Definition, position: Position, **outcomes: flow.Outcome) -> flow.Decision:
    """What is decided once the named tasks have come to these outcomes."""
    for row in process.step(position.sequence):
        if outcome := outcomes.get(process.rows[row].task):
            position = flow.record(position, row, outcome)
    return flow.decide(process, position, LIMITS)


def changed(**keys: Any) -> Finished:
    return Finished(changes=Changes(set=keys))


class TestStart:
    def test_an_instance_starts_at_its_smallest_sequence(self) -> None:
        process = definition(Row(task="b", sequence=70), Row(task="a", sequence=5))
        assert flow.first(process, {"x": 1}) == Position(sequence=5, visit=1, data={"x": 1})

    def test_a_step_is_not_entered_before_its_conditions_are_known(self) -> None:
        assert not flow.first(definition(Row(task="a", sequence=5)), {}).entered


class TestConditions:
    def test_rows_whose_condition_is_false_are_skipped(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=1))
        position = at(process, 1, skip=("b",))
        assert position.having(RowStatus.SKIPPED) == (1,)
        assert position.having(RowStatus.OPEN) == (0,)

    def test_a_step_with_no_row_left_leads_to_the_next_higher_sequence(self) -> None:
        process = definition(Row(task="a", sequence=1, then=99), Row(task="b", sequence=40), Row(task="c", sequence=99))
        decision = flow.decide(process, at(process, 1, skip=("a",), x=1), LIMITS)
        assert decision == Go(position=Position(sequence=40, visit=2, data={"x": 1}))

    def test_a_last_step_with_no_row_left_ends_the_instance(self) -> None:
        process = definition(Row(task="a", sequence=1))
        decision = flow.decide(process, at(process, 1, skip=("a",)), LIMITS)
        assert isinstance(decision, End)
        assert decision.ending is Ending.FINISHED

    def test_a_condition_that_can_not_be_evaluated_fails_its_row(self) -> None:
        process = definition(Row(task="a", sequence=1, on_error=9), Row(task="z", sequence=9))
        position = flow.enter(process, flow.first(process, {}), {0: Failed(error=ERROR)})
        decision = flow.decide(process, position, LIMITS)
        assert isinstance(decision, Go)
        assert decision.position.sequence == 9

    def test_a_verdict_is_nothing_but_true_false_or_failed(self) -> None:
        process = definition(Row(task="a", sequence=1))
        with pytest.raises(TypeError, match="A verdict is True, False or Failed, not 'yes'"):
            flow.enter(process, flow.first(process, {}), {0: "yes"})  # type: ignore[dict-item]


class TestEndOfStep:
    parallel = definition(Row(task="a", sequence=1), Row(task="b", sequence=1), Row(task="c", sequence=2))

    def test_it_waits_for_every_started_row(self) -> None:
        assert after(self.parallel, at(self.parallel, 1), a=Finished()) == Stay()
        assert isinstance(after(self.parallel, at(self.parallel, 1), a=Finished(), b=Finished()), Go)

    def test_it_does_not_wait_for_skipped_rows(self) -> None:
        assert isinstance(after(self.parallel, at(self.parallel, 1, skip=("b",)), a=Finished()), Go)

    def test_ends_step_cancels_what_is_open(self) -> None:
        process = definition(
            Row(task="a", sequence=1), Row(task="b", sequence=1, ends_step=True), Row(task="c", sequence=2)
        )
        decision = after(process, at(process, 1), b=Finished())
        assert isinstance(decision, Go)
        assert decision.cancelled == (0,)

    def test_ends_step_counts_only_once_its_row_is_finished(self) -> None:
        process = definition(Row(task="a", sequence=1, ends_step=True), Row(task="b", sequence=1))
        assert after(process, at(process, 1), b=Finished()) == Stay()
        assert after(process, at(process, 1, skip=("a",)), b=Finished()) != Stay()

    def test_a_cancelled_row_is_not_waited_for(self) -> None:
        position = at(self.parallel, 1)
        position = replace(position, rows={**position.rows, 1: flow.RowState(cancelled=True)})
        assert isinstance(after(self.parallel, position, a=Finished()), Go)

    @pytest.mark.parametrize("row", [1, 7])
    def test_only_an_open_row_has_an_outcome(self, row: int) -> None:
        with pytest.raises(ValueError, match=f"Row {row} is not open at step 1"):
            flow.record(at(self.parallel, 1, skip=("b",)), row, Finished())


class TestWhereToGo:
    def test_the_next_higher_sequence(self) -> None:
        process = definition(Row(task="a", sequence=10), Row(task="b", sequence=35))
        decision = after(process, at(process, 10), a=Finished())
        assert isinstance(decision, Go)
        assert (decision.position.sequence, decision.position.visit) == (35, 2)
        assert not decision.position.entered

    def test_finished_where_there_is_none(self) -> None:
        process = definition(Row(task="a", sequence=10))
        decision = after(process, at(process, 10), a=changed(x=1))
        assert isinstance(decision, End)
        assert decision.ending is Ending.FINISHED
        assert decision.position.data == {"x": 1}
        assert decision.position.results == {"a": None}

    def test_the_first_finished_row_with_then_decides(self) -> None:
        process = definition(
            Row(task="a", sequence=1),
            Row(task="b", sequence=1, then=7),
            Row(task="c", sequence=1, then=1),
            Row(task="z", sequence=7),
        )
        decision = after(process, at(process, 1), c=Finished(), b=Finished(), a=Finished())
        assert isinstance(decision, Go)
        assert decision.position.sequence == 7
        decision = after(process, at(process, 1, skip=("b",)), c=Finished(), a=Finished())
        assert isinstance(decision, Go)
        assert decision.position.sequence == 1

    race = definition(
        Row(task="quick", sequence=10, then=40),
        Row(task="signal", sequence=10),
        Row(task="sleep", sequence=10, then=90, ends_step=True),
        Row(task="stop", sequence=10, then=95, ends_step=True),
        Row(task="enough", sequence=10, ends_step=True),
        *(Row(task="z", sequence=number) for number in (20, 40, 90, 95)),
    )

    @pytest.mark.parametrize(
        ("finished", "skipped", "target"),
        [
            ("quick sleep", "", 90),
            ("sleep quick", "", 90),
            ("quick signal sleep", "stop enough", 90),
            ("sleep stop enough", "", 90),
            ("quick stop", "sleep", 95),
            ("enough", "", 20),
            ("quick enough", "", 20),
            ("enough stop", "", 95),
            ("quick signal", "sleep stop enough", 40),
            ("signal", "quick sleep stop enough", 20),
            ("", "quick signal sleep stop enough", 20),
        ],
    )
    def test_of_the_rows_that_ended_the_step_the_first_with_then_decides(
        self, finished: str, skipped: str, target: int
    ) -> None:
        position = at(self.race, 10, skip=tuple(skipped.split()))
        outcomes: dict[str, flow.Outcome] = {name: Finished() for name in finished.split()}
        decision = after(self.race, position, **outcomes)
        assert isinstance(decision, Go)
        assert decision.position.sequence == target

    def test_a_rejection_decides_at_once(self) -> None:
        process = definition(
            Row(task="a", sequence=1), Row(task="b", sequence=1, on_reject=1), Row(task="c", sequence=1)
        )
        decision = after(process, at(process, 1), a=changed(x=1), b=Rejected())
        assert isinstance(decision, Go)
        assert decision.position.sequence == 1
        assert decision.position.data == {"x": 1}
        assert decision.cancelled == (2,)

    def test_a_rejection_without_on_reject_ends_the_instance(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=1), Row(task="c", sequence=2))
        decision = after(process, at(process, 1), a=Rejected(result={"approved": False}))
        assert isinstance(decision, End)
        assert decision.ending is Ending.REJECTED
        assert decision.cancelled == (1,)
        assert decision.position.results == {"a": {"approved": False}}

    def test_a_failure_leads_to_on_error_with_the_error_in_data(self) -> None:
        process = definition(Row(task="a", sequence=1, on_error=5), Row(task="b", sequence=5))
        decision = after(process, at(process, 1, x=1), a=Failed(error=ERROR))
        assert isinstance(decision, Go)
        error = {"task": "a", "type": "ValueError", "message": "no"}
        assert decision.position == Position(sequence=5, visit=2, data={"x": 1, "error": error})

    def test_the_error_of_a_sub_process_says_which_instance_it_was_and_what_failed_there(self) -> None:
        process = definition(Row(task="a", sequence=1, on_error=5), Row(task="b", sequence=5))
        inner = {"type": "ValueError", "message": "no", "task": "c", "line": 3, "traceback": "…"}
        middle = {"type": "SubprocessFailed", "message": "C", "task": "d", "instance": 8, "cause": inner, "line": None}
        error = {"type": "SubprocessFailed", "message": "D", "instance": 7, "cause": middle}
        decision = after(process, at(process, 1), a=Failed(error=error))
        assert isinstance(decision, Go)
        assert decision.position.data["error"] == {
            "task": "a",
            "type": "SubprocessFailed",
            "message": "D",
            "instance": 7,
            "cause": {
                "task": "d",
                "type": "SubprocessFailed",
                "message": "C",
                "instance": 8,
                "cause": {"task": "c", "type": "ValueError", "message": "no"},
            },
        }

    def test_only_so_many_causes_are_kept(self) -> None:
        error: dict[str, Any] = {"type": "ValueError", "message": "no"}
        for number in range(100):
            error = {"type": "SubprocessFailed", "message": "no", "instance": number, "cause": error}
        told = flow.told(error)
        values.check(told)
        assert str(told).count("'instance'") == flow.MOST_CAUSES + 1

    def test_a_failure_without_on_error_fails_the_instance_and_keeps_the_step_for_a_retry(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=1))
        position = at(process, 1, x=1)
        decision = after(process, position, a=Failed(error=ERROR))
        assert isinstance(decision, End)
        assert decision.ending is Ending.FAILED
        assert decision.error == {**ERROR, "task": "a"}
        assert decision.cancelled == (1,)
        assert decision.position.data == {"x": 1}
        assert decision.position.having(RowStatus.FAILED) == (0,)

    def test_a_rejection_comes_before_a_failure(self) -> None:
        process = definition(Row(task="a", sequence=1), Row(task="b", sequence=1))
        decision = after(process, at(process, 1), a=Failed(error=ERROR), b=Rejected())
        assert isinstance(decision, End)
        assert decision.ending is Ending.REJECTED

    def test_a_jump_to_nowhere_fails_the_instance(self) -> None:
        process = definition(Row(task="a", sequence=1, then=8))
        decision = after(process, at(process, 1), a=Finished())
        assert isinstance(decision, End)
        assert decision.error == {"type": "NoSuchStep", "message": "Step 1 leads to step 8, which does not exist."}


class TestData:
    process = definition(Row(task="a", sequence=1), Row(task="b", sequence=1), Row(task="c", sequence=2))

    def merged(self, a: Changes, b: Changes, **data: Any) -> dict[str, Any]:
        decision = after(self.process, at(self.process, 1, **data), b=Finished(changes=b), a=Finished(changes=a))
        assert isinstance(decision, Go)
        return dict(decision.position.data)

    def test_changes_are_merged_key_by_key_in_row_order(self) -> None:
        a, b = Changes(set={"x": 1, "only_a": 1}), Changes(set={"x": 2, "only_b": 2})
        assert self.merged(a, b, kept=0) == {"kept": 0, "x": 2, "only_a": 1, "only_b": 2}

    def test_a_key_removed_by_one_is_gone_unless_a_later_row_sets_it(self) -> None:
        gone, set_again = Changes(removed=("x",)), Changes(set={"x": 5})
        assert self.merged(Changes(), gone, x=1) == {}
        assert self.merged(gone, set_again, x=1) == {"x": 5}
        assert self.merged(set_again, gone, x=1) == {}

    def test_what_a_row_left_alone_does_not_undo_what_another_changed(self) -> None:
        before = {"x": 1, "y": 1}
        assert self.merged(Changes.between(before, {"x": 2, "y": 1}), Changes.between(before, before), **before) == {
            "x": 2,
            "y": 1,
        }

    def test_results_are_kept_by_task_and_the_last_one_counts(self) -> None:
        position = replace(at(self.process, 1), results={"a": "old", "z": "kept"})
        decision = after(self.process, position, a=Finished(result="new"), b=Finished(result=2))
        assert isinstance(decision, Go)
        assert decision.position.results == {"a": "new", "b": 2, "z": "kept"}

    @pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), ([1], [True])])
    def test_a_value_of_another_type_is_a_change(self, before: Any, after: Any) -> None:
        assert Changes.between({"x": before}, {"x": after}).set == {"x": after}


class TestLimits:
    def test_a_loop_ends_at_the_limit_of_steps(self) -> None:
        process = definition(Row(task="a", sequence=1, then=1))
        decision = after(process, replace(at(process, 1), visit=50), a=Finished())
        assert isinstance(decision, End)
        assert decision.ending is Ending.FAILED
        assert decision.error is not None
        assert decision.error["type"] == "TooManySteps"
        assert isinstance(after(process, replace(at(process, 1), visit=49), a=Finished()), Go)

    @pytest.mark.parametrize("last", [True, False])
    @pytest.mark.parametrize("outcome", [changed(x="ä" * 500), Finished(result="x" * 1000)])
    def test_too_much_data_fails_the_instance_and_leaves_the_data(self, outcome: Finished, last: bool) -> None:
        process = definition(Row(task="a", sequence=1), *([] if last else [Row(task="b", sequence=2)]))
        decision = after(process, at(process, 1, y=1), a=outcome)
        assert isinstance(decision, End)
        assert decision.error is not None
        assert decision.error["type"] == "TooMuchData"
        assert "limit (MAX_DATA_BYTES) is 1,000" in decision.error["message"]
        assert decision.position.data == {"y": 1}


names = st.sampled_from(["a", "b", "c", "d"])
sequences = st.integers(1, 5)
rows = st.builds(
    Row,
    task=names,
    sequence=sequences,
    then=st.none() | sequences,
    on_reject=st.none() | sequences,
    on_error=st.none() | sequences,
    ends_step=st.booleans(),
)
definitions = st.lists(rows, min_size=1, max_size=8).map(lambda drawn: definition(*drawn))
scalars = st.integers() | st.booleans() | st.text("ab", max_size=3) | st.none()
objects = st.dictionaries(st.sampled_from("xyz"), scalars)


class TestProperties:
    @given(objects, objects)
    def test_changes_between_lead_from_the_one_to_the_other(
        self, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        assert Changes.between(before, after).applied_to(before) == after

    @given(st.lists(st.tuples(rows, st.sampled_from("FFSOC")), min_size=1, max_size=8))
    @settings(max_examples=300)
    def test_a_finished_step_goes_where_the_rule_says(self, drawn: list[tuple[Row, str]]) -> None:
        """In the words of the rule, and without regard to what is open, or to the order in which rows finished."""
        drawn = [(replace(row, sequence=1), became) for row, became in drawn]
        states = {"F": flow.RowState(outcome=Finished()), "S": flow.RowState(outcome=flow.Skipped())}
        states |= {"O": flow.RowState(), "C": flow.RowState(cancelled=True)}
        process = definition(*(row for row, _ in drawn), *(Row(task="z", sequence=number) for number in range(2, 6)))
        position = replace(at(process, 1), rows={index: states[became] for index, (_, became) in enumerate(drawn)})
        finished = [row for row, became in drawn if became == "F"]
        decision = flow.decide(process, position, LIMITS)
        if ended_by := [row for row in finished if row.ends_step]:
            expected = next((row.then for row in ended_by if row.then), 2)
        elif any(became == "O" for _, became in drawn):
            assert decision == Stay()
            return
        else:
            expected = next((row.then for row in finished if row.then), 2)
        assert isinstance(decision, Go)
        assert decision.position.sequence == expected
        assert decision.cancelled == position.having(RowStatus.OPEN)

    @given(definitions, st.data())
    @settings(max_examples=300)
    def test_every_walk_keeps_the_rules(self, process: Definition, data: st.DataObject) -> None:
        position = flow.first(process, {})
        for _ in range(LIMITS.max_steps + 1):
            verdicts = {row: data.draw(st.booleans()) for row in process.step(position.sequence)}
            position = flow.enter(process, position, verdicts)
            decision = flow.decide(process, position, LIMITS)
            while isinstance(decision, Stay):
                assert position.having(RowStatus.OPEN), "a step that stays must have something to wait for"
                row = data.draw(st.sampled_from(position.having(RowStatus.OPEN)))
                outcome = data.draw(st.sampled_from([Finished(result=row), Rejected(), Failed(error=ERROR)]))
                position = flow.record(position, row, outcome)
                decision = flow.decide(process, position, LIMITS)
            assert decision.cancelled == position.having(RowStatus.OPEN)
            assert flow.decide(process, position, LIMITS) == decision, "a decision must not depend on when it is asked"
            if isinstance(decision, End):
                assert (decision.error is not None) == (decision.ending is Ending.FAILED)
                return
            assert process.step(decision.position.sequence)
            assert decision.position.visit == position.visit + 1
            if (
                not position.having(
                    RowStatus.FINISHED,
                )
                and not position.having(RowStatus.REJECTED)
                and not position.having(RowStatus.FAILED)
            ):
                assert decision.position.sequence > position.sequence, "only an outcome can lead back"
            position = decision.position
        pytest.fail("the limit on steps did not end the instance")

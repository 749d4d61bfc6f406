"""What is wrong with a definition: each mistake by its whole message, and the flow's by walking every way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from tests.definitions import arbitrary, runnable
from workflow import flow
from workflow.definition import Definition, Field, Kind, Row, TaskDefinition
from workflow.flow import End, Ending, Failed, Finished, Go, Limits, Position, Rejected
from workflow.lint import Finding, lint
from workflow.routes import Cause, routes

LIMITS = Limits(max_steps=10, max_data_bytes=1000)
KNOWN = frozenset({"anna", "managers"})


@dataclass(frozen=True)
class Problem:
    line: int
    column: int
    message: str


def no_problems(code: str, *, expression: bool) -> list[Problem]:
    return []


def unknown(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in KNOWN]


def found(definition: Definition) -> list[Finding]:
    return lint(definition, check_code=no_problems, unknown_approvers=unknown)


def told(definition: Definition, level: str | None = None) -> list[str]:
    """The findings as a terminal shows them, with their level where it is not asked for."""
    return [str(f) if level else f"{f.level}: {f}" for f in found(definition) if level in (None, f.level)]


def process(*rows: Row, **tasks: TaskDefinition | None) -> Definition:
    """A process of these rows. Tasks are code, but for those given; a task given as `None` does not exist."""
    names = dict.fromkeys([*tasks, *(row.task for row in rows)])
    made = {name: tasks.get(name, TaskDefinition(name=name, code="1")) for name in names}
    ordered = tuple(sorted(rows, key=lambda row: row.sequence))
    return Definition(name="P", tasks=tuple(task for task in made.values() if task is not None), rows=ordered)


def row(sequence: int, task: str, **fields: Any) -> Row:
    return Row(task=task, sequence=sequence, **fields)


def manual(name: str, approver: str = "") -> TaskDefinition:
    return TaskDefinition(name=name, manual=True, approver=approver)


def with_task(task: TaskDefinition) -> Definition:
    return process(row(1, task.name), **{task.name: task})


def with_form(*fields: Field) -> Definition:
    return with_task(replace(manual("a"), fields=fields))


class TestDeciding:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"quorum": 0}, "0 people can't approve. Give 1 or more; 1 means that one is enough."),
            ({"not_same_as": "a"}, "This names the task itself. Name another manual task, one that is decided before this one."),
            ({"not_same_as": "signe"}, "This process has no other task 'signe'. Did you mean 'sign'?"),
            ({"same_as": "work"}, "The task 'work' is not manual: nobody decides it. Name a manual task."),
            ({"same_as": "sign", "not_same_as": "sign"}, "Nobody both did 'sign' and did not. Clear this, or the line before."),
            ({"same_as": "sign", "approver": "anna"}, "Whoever decided 'sign' decides, and the approver is 'anna' as well. Clear one of the two."),
        ],
    )  # fmt: skip
    def test_who_decides_makes_sense(self, fields: dict[str, Any], message: str) -> None:
        task = replace(manual("a"), **fields)
        definition = process(row(1, "work"), row(2, "sign"), row(3, "a"), sign=manual("sign"), a=task)
        assert told(definition) == [f"error: Task 'a': {message}"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"quorum": 2},
            {"not_starter": True},
            {"not_same_as": "x"},
            {"same_as": "x"},
            {"instructions": "Look."},
            {"fields": (Field(name="1"),)},
        ],
    )
    def test_nobody_is_asked_of_code(self, fields: dict[str, Any]) -> None:
        (finding,) = found(with_task(TaskDefinition(name="a", code="1", **fields)))
        assert (finding.level, finding.field) == ("warning", next(iter(fields)))
        assert str(finding) == (
            "Task 'a': Only of manual tasks people are asked, and this one is not manual. Clear it, or tick manual."
        )

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"quorum": 3}, ["Task 'a': 3 people have to approve, and there are only 2 who can be asked today."]),
            ({"quorum": 2}, []),
            ({"quorum": 3, "approver": ""}, []),
            ({"quorum": 3, "approver": '=data["who"]'}, []),
            ({"quorum": 3, "approver": "", "same_as": "sign"}, []),
        ],
    )
    def test_a_quorum_of_more_than_there_are_is_warned_of(self, fields: dict[str, Any], expected: list[str]) -> None:
        task = replace(manual("a"), **{"approver": "managers", **fields})
        definition = process(row(1, "sign"), row(2, "a"), sign=manual("sign"), a=task)
        findings = lint(
            definition, check_code=no_problems, unknown_approvers=unknown, count_people=lambda names: 2 * len(names)
        )
        assert [str(finding) for finding in findings if finding.level == "warning"] == expected

    def test_a_task_can_have_all_of_it(self) -> None:
        task = replace(manual("a"), quorum=3, not_starter=True, not_same_as="sign", instructions="# Look")
        assert told(process(row(1, "sign"), row(2, "a"), sign=manual("sign"), a=task)) == []


class TestForms:
    @pytest.mark.parametrize(
        ("field", "message"),
        [
            (Field(name="cost centre"), "error: Task 'a': A field can't be named 'cost centre': its name becomes a key of data. Give letters, digits and underscores, such as invoice_number."),
            (Field(name=""), "error: Task 'a': A field can't be named '': its name becomes a key of data. Give letters, digits and underscores, such as invoice_number."),
            (Field(name="x" * 101), f"error: Task 'a': The name {'x' * 20!r}… is too long: up to 100 characters."),
            (Field(name="x", kind=Kind.CHOICE), "error: Task 'a': The field 'x' is a choice, and has no choices. Give some."),
            (Field(name="x", kind=Kind.CHOICE, choices=("a", "a")), "error: Task 'a': The field 'x' has one of its choices twice. Give each once."),
            (Field(name="x", choices=("a",)), "warning: Task 'a': The field 'x' is no choice, and has choices. Clear them, or make it a choice."),
        ],
    )  # fmt: skip
    def test_a_field_makes_sense(self, field: Field, message: str) -> None:
        assert told(with_form(field)) == [message]

    def test_each_field_has_a_name_of_its_own(self) -> None:
        findings = found(with_form(Field(name="x"), Field(name="y"), Field(name="x")))
        assert [(one.entry, one.field) for one in findings] == [(0, "fields"), (2, "fields")]
        assert findings[0].message == "2 fields of this form are named 'x'. Give each a name of its own."

    def test_the_start_form_too(self) -> None:
        (finding,) = found(replace(process(row(1, "a")), fields=(Field(name="x"), Field(name="-"))))
        assert (finding.task, finding.entry) == (None, 1)
        assert str(finding).startswith("Start form: A field can't be named '-'")


class TestProcess:
    def test_a_sound_process_has_no_findings(self) -> None:
        sound = process(
            row(10, "a"),
            row(20, "b", on_reject=10),
            row(20, "c", condition="data['x']", ends_step=True),
            row(30, "a", on_error=40),
            row(40, "d"),
            b=manual("b", "anna, managers"),
        )
        assert told(sound) == []

    def test_no_tasks(self) -> None:
        assert told(Definition(name="P")) == [
            "error: The process has no tasks. Add one, and a transition that gives it a step."
        ]

    def test_no_transitions(self) -> None:
        """That each of its tasks is at no step goes without saying."""
        assert told(process(a=TaskDefinition(name="a", code="1"))) == [
            "error: The process has no transitions. Add one for each task: it says at which step."
        ]

    def test_no_name(self) -> None:
        nameless = Definition(name=" ", tasks=(TaskDefinition(name="a", code="1"),), rows=(row(1, "a"),))
        assert told(nameless) == ["error: The process has no name. Give it one."]


class TestTasks:
    def test_a_task_at_no_step(self) -> None:
        assert told(process(row(1, "a"), b=manual("b"))) == [
            "warning: Task 'b': This task is at no step, so it never runs. Add a transition for it, or delete it."
        ]

    def test_a_task_without_a_name(self) -> None:
        assert told(with_task(TaskDefinition(name=" ", code="1"))) == [
            "error: Task ' ': The task has no name. Give it one."
        ]

    def test_tasks_of_the_same_name(self) -> None:
        task = TaskDefinition(name="a", code="1")
        other_case = TaskDefinition(name="A", code="1")
        twins = Definition(name="P", tasks=(task, other_case, task), rows=(row(1, "a"), row(2, "A")))
        assert told(twins) == ["error: Task 'a': 2 tasks have this name. Give each a name of its own."]

    @pytest.mark.parametrize("code", ["", " \n\t"])
    def test_a_task_without_work(self, code: str) -> None:
        assert told(with_task(TaskDefinition(name="a", code=code))) == [
            (
                "error: Task 'a': Nobody and nothing does this task, so its step could never end. "
                "Tick manual to have people decide it, write its code, or choose a sub-process."
            )
        ]

    def test_a_task_that_is_manual_and_code(self) -> None:
        assert told(with_task(TaskDefinition(name="a", manual=True, code="1"))) == [
            "error: Task 'a': This task is manual and has code. Move its code to a task of its own, or untick manual."
        ]

    @pytest.mark.parametrize(("other", "is_other"), [({"manual": True}, "is manual"), ({"code": "1"}, "has code")])
    def test_a_task_that_is_a_sub_process_and_something_else(self, other: dict[str, Any], is_other: str) -> None:
        assert told(with_task(TaskDefinition(name="a", subprocess="Q", **other))) == [
            f"error: Task 'a': This task {is_other} and is the process 'Q' as well. Make a task of its own of one of the two."
        ]

    def test_a_sub_process_can_be_rejected(self) -> None:
        assert told(process(row(1, "a", on_reject=1), a=TaskDefinition(name="a", subprocess="Q"))) == []

    @pytest.mark.parametrize("field", ["input", "output"])
    def test_what_only_a_sub_process_has(self, field: str) -> None:
        assert told(with_task(TaskDefinition(name="a", code="1", **{field: "{}"}))) == [
            f"warning: Task 'a': Only a sub-process has {field}, and this task is none. Clear it, or choose a sub-process."
        ]

    def test_an_approver_of_code(self) -> None:
        """Its names are not looked up: nobody is asked anyway."""
        assert told(with_task(TaskDefinition(name="a", code="1", approver="nobody"))) == [
            (
                "warning: Task 'a': Only manual tasks are approved, and this one is not manual. "
                "Clear its approver, or tick manual."
            )
        ]

    def test_approvers_that_do_not_exist(self) -> None:
        assert told(with_task(manual("a", "anna, bob, managers, staf"))) == [
            f"error: Task 'a': There is no active user and no group '{name}'. Give user names and groups, "
            'separated by commas, or an expression such as =data["manager"].'
            for name in ("bob", "staf")
        ]

    @pytest.mark.parametrize("field", ["approver", "escalate_to"])
    def test_only_commas_are_nobody_and_not_any_member_of_staff(self, field: str) -> None:
        task = replace(manual("a"), due="1d", **{field: " , ,"})
        (finding,) = found(with_task(task))
        assert (finding.level, finding.field) == ("error", field)
        assert finding.message == "This names nobody. Name users or groups, or clear it."
        assert told(with_task(replace(task, **{field: " "}))) == []

    def test_whom_it_is_escalated_to_is_looked_up_as_approvers_are(self) -> None:
        late = replace(manual("a"), due="1d", escalate_to="anna, nobody")
        (finding,) = found(with_task(late))
        assert (finding.field, finding.message.split(". ")[0]) == (
            "escalate_to",
            "There is no active user and no group 'nobody'",
        )
        assert told(with_task(replace(late, escalate_to="="))) == [
            "error: Task 'a': After = comes an expression, such as =data[\"manager\"]. For nobody, leave it blank."
        ]

    def test_deadlines_that_make_no_sense(self) -> None:
        assert told(with_task(replace(manual("a"), due="1w"))) == [
            "error: Task 'a': Due after: '1w' has weeks; write working days, such as 5d for a week from Monday to Friday."
        ]

    def test_deadlines_of_code(self) -> None:
        assert (
            told(with_task(TaskDefinition(name="a", code="1", due="1d", by_default="reject")))
            == [
                "warning: Task 'a': Only of manual tasks people are asked, and this one is not manual. "
                "Clear it, or tick manual."
            ]
            * 2
        )

    def test_an_approver_expression_without_its_sign(self) -> None:
        assert told(with_task(manual("a", "data['boss']"))) == [
            (
                "error: Task 'a': There is no active user and no group \"data['boss']\". "
                "To have the approver worked out, start it with =."
            )
        ]

    def test_approvers_are_looked_up_all_at_once(self) -> None:
        asked: list[Sequence[str]] = []

        def look_up(names: Sequence[str]) -> list[str]:
            asked.append(names)
            return []

        tasks = {name: manual(name, f"anna, {name}") for name in "bcd"}
        lint(process(*(row(1, name) for name in tasks), **tasks), check_code=no_problems, unknown_approvers=look_up)
        assert asked == [["anna", "b", "c", "d"]]

    def test_an_approver_that_is_no_expression_at_all(self) -> None:
        assert told(with_task(manual("a", "= "))) == [
            (
                "error: Task 'a': After = comes an expression, such as =data[\"manager\"]. "
                "For any member of staff, leave it blank."
            )
        ]

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("max_attempts", 0, "0 attempts can't be made. Give 1 or more; 1 means no retry."),
            ("retry_delay", -1.0, "A delay of -1 seconds can't be waited. Give 0 or more."),
            ("retry_delay", float("nan"), "A delay of nan seconds can't be waited. Give 0 or more."),
            ("retry_delay", float("inf"), "A delay of inf seconds can't be waited. Give 0 or more."),
            (
                "time_limit",
                0.0,
                "In 0 seconds no code can run. Give more than 0, or leave it blank for the default.",
            ),
            (
                "memory_limit",
                0,
                "In 0 MiB no code can run. Give 1 or more, or leave it blank for the default.",
            ),
        ],
    )
    def test_numbers_that_make_no_sense(self, field: str, value: Any, message: str) -> None:
        (finding,) = found(with_task(TaskDefinition(name="a", code="1", **{field: value})))
        assert (finding.level, finding.field, str(finding)) == ("error", field, f"Task 'a': {message}")

    def test_numbers_at_their_bounds(self) -> None:
        task = TaskDefinition(name="a", code="1", max_attempts=1, retry_delay=0.0, time_limit=0.01, memory_limit=1)
        assert told(with_task(task)) == []


class TestCode:
    def check(self, definition: Definition, problem: Problem) -> list[Finding]:
        self.checked: list[tuple[str, bool]] = []

        def check_code(code: str, *, expression: bool) -> list[Problem]:
            self.checked.append((code, expression))
            return [problem]

        return lint(definition, check_code=check_code, unknown_approvers=unknown)

    def test_code_is_checked_as_a_block(self) -> None:
        task = TaskDefinition(name="a", code="x = 1\ny")
        (finding,) = self.check(with_task(task), Problem(2, 1, "Name `y` used when not defined"))
        assert self.checked == [("x = 1\ny", False)]
        assert str(finding) == "Task 'a', code line 2, column 1: Name `y` used when not defined"
        assert (finding.level, finding.task, finding.row, finding.field) == ("error", "a", None, "code")

    def test_a_condition_is_checked_as_an_expression(self) -> None:
        definition = process(row(1, "a"), row(2, "b", condition="nope"), a=manual("a"), b=manual("b"))
        (finding,) = self.check(definition, Problem(1, 3, "No."))
        assert self.checked == [("nope", True)]
        assert str(finding) == "Step 2, 'b', condition line 1, column 3: No."
        assert (finding.level, finding.task, finding.row, finding.field) == ("error", "b", 1, "condition")

    def test_blank_code_and_conditions_are_not_checked(self) -> None:
        self.check(process(row(1, "a", condition=" "), a=manual("a")), Problem(1, 1, "No."))
        assert self.checked == []

    @pytest.mark.parametrize(("approver", "column"), [("=nope", 5), ("  =  nope", 9)])
    def test_an_approver_expression_is_placed_where_its_field_starts(self, approver: str, column: int) -> None:
        (finding,) = self.check(with_task(manual("a", approver)), Problem(1, 4, "No."))
        assert self.checked == [("nope", True)]
        assert str(finding) == f"Task 'a', approver line 1, column {column}: No."

    def test_later_lines_of_an_approver_expression_are_not_shifted(self) -> None:
        (finding,) = self.check(with_task(manual("a", "=(\nnope)")), Problem(2, 4, "No."))
        assert (finding.line, finding.column) == (2, 4)


class TestRows:
    def test_a_row_of_a_task_that_is_not_the_processes(self) -> None:
        assert told(process(row(1, "Pay"), row(2, "Pya"), Pya=None)) == [
            "error: Step 2, 'Pya': This process has no task 'Pya'. Did you mean 'Pay'?"
        ]

    @pytest.mark.parametrize(
        ("field", "when"), [("then", "when finished"), ("on_reject", "when rejected"), ("on_error", "when it fails")]
    )
    def test_a_jump_to_nowhere(self, field: str, when: str) -> None:
        definition = process(row(10, "a"), row(20, "a"), row(30, "Pay", **{field: 70}), Pay=manual("Pay", "anna"))
        (finding,) = found(definition)
        assert str(finding) == f"Step 30, 'Pay': Goes to step 70 {when}, but there is no step 70. There are 10, 20, 30."
        assert (finding.level, finding.task, finding.row, finding.field) == ("error", "Pay", 2, field)

    def test_a_jump_to_nowhere_in_a_long_process_names_the_nearest_steps(self) -> None:
        definition = process(*(row(10 * number, "a") for number in range(1, 40)), row(400, "a", then=201))
        assert told(definition) == [
            (
                "error: Step 400, 'a': Goes to step 201 when finished, but there is no step 201. "
                "The nearest are 150, 160, 170, 180, 190, 200, 210, 220, 230, 240, 250, 260."
            )
        ]

    def test_a_jump_to_nowhere_from_the_only_step(self) -> None:
        assert told(process(row(10, "a", then=20))) == [
            "error: Step 10, 'a': Goes to step 20 when finished, but there is no step 20. There is 10."
        ]

    def test_a_task_twice_at_a_step(self) -> None:
        assert told(process(row(1, "a"), row(1, "b"), row(1, "a", condition="x"))) == [
            (
                "warning: Step 1, 'a': 'a' is at this step more than once: the later result replaces the earlier one. "
                "Make a task of its own for each, or give each a condition."
            )
        ]

    def test_a_task_twice_with_conditions_is_a_choice_of_ways(self) -> None:
        assert told(process(row(1, "a", condition="x", then=2), row(1, "a", condition="not x"), row(2, "b"))) == []

    def test_a_task_at_several_steps_is_fine(self) -> None:
        assert told(process(row(1, "a"), row(2, "a"))) == []

    def test_then_below_one_that_always_decides(self) -> None:
        assert told(process(row(1, "a", then=2), row(1, "b", then=3), row(2, "a"), row(3, "b"))) == [
            (
                "warning: Step 1, 'b': Never goes to step 3: a row above it at this step always decides. "
                "Clear one of the two."
            )
        ]

    def test_on_reject_of_code(self) -> None:
        assert told(process(row(1, "a"), row(2, "a", on_reject=1))) == [
            (
                "warning: Step 2, 'a': Never goes to step 1 when rejected: only manual tasks are. "
                "Clear it, or use on error."
            )
        ]

    def test_on_error_of_a_task_in_which_nothing_can_fail(self) -> None:
        assert told(process(row(1, "a"), row(2, "b", on_error=1), b=manual("b"))) == [
            (
                "warning: Step 2, 'b': Never goes to step 1 when it fails: nothing in this task can fail. "
                "Clear it, or use on reject."
            )
        ]

    @pytest.mark.parametrize("approver", ["=data['boss']", "anna"])
    def test_a_manual_task_fails_where_its_approver_is_not_found(self, approver: str) -> None:
        assert told(process(row(1, "a"), row(2, "b", on_error=1), b=manual("b", approver))) == []

    def test_a_manual_task_fails_where_its_condition_does(self) -> None:
        assert told(process(row(1, "a"), row(2, "b", on_error=1, condition="x"), b=manual("b"))) == []


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
        assert told(process(row(10, "a", then=30), row(10, "b", ends_step=True), row(20, "b"), row(30, "c"))) == []

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


def test_findings_come_in_reading_order() -> None:
    definition = Definition(
        name="",
        tasks=(
            TaskDefinition(name="z", max_attempts=0, code="1", approver="x"),
            TaskDefinition(name="a", manual=True, approver="x, y"),
            TaskDefinition(name="idle", code="1"),
        ),
        rows=(row(1, "z", condition="x", on_reject=5), row(1, "a", then=5), row(2, "b", on_error=6)),
    )

    def check_code(code: str, *, expression: bool) -> list[Problem]:
        return [Problem(2, 1, "second"), Problem(1, 9, "first, later"), Problem(1, 2, "first")]

    findings = lint(definition, check_code=check_code, unknown_approvers=unknown)
    assert [(f.task, f.row, f.field, f.line, f.column) for f in findings] == [
        (None, None, "name", None, None),
        ("z", None, "approver", None, None),
        ("z", None, "code", 1, 2),
        ("z", None, "code", 1, 9),
        ("z", None, "code", 2, 1),
        ("z", None, "max_attempts", None, None),
        ("a", None, "approver", None, None),
        ("a", None, "approver", None, None),
        ("idle", None, "name", None, None),
        ("idle", None, "code", 1, 2),
        ("idle", None, "code", 1, 9),
        ("idle", None, "code", 2, 1),
        ("z", 0, "condition", 1, 2),
        ("z", 0, "condition", 1, 9),
        ("z", 0, "condition", 2, 1),
        ("z", 0, "on_reject", None, None),
        ("z", 0, "on_reject", None, None),
        ("a", 1, "then", None, None),
        (None, 2, "sequence", None, None),
        ("b", 2, "task", None, None),
        ("b", 2, "on_error", None, None),
    ]


# Properties. The walk below knows nothing of `routes`: it plays every step through `flow` itself, with every
# verdict on its conditions and every order in which its rows could come to every outcome.


@cache
def ways(definition: Definition, sequence: int) -> set[tuple[Cause, int | Ending]]:
    """What a step can lead to, and by what."""
    rows = definition.step(sequence)
    return {
        way
        for verdicts in product(*(_verdicts(definition, index) for index in rows))
        for way in _played(
            definition, flow.enter(definition, Position(sequence=sequence), dict(zip(rows, verdicts, strict=True)))
        )
    }


def _verdicts(definition: Definition, index: int) -> list[bool | Failed]:
    task = definition.task_of(index)
    conditions: list[bool | Failed] = [True]
    if definition.rows[index].condition:
        conditions += [False, Failed(error={})]
    if task.manual and task.approver:
        conditions += [Failed(error={})]
    return conditions


def _played(definition: Definition, position: Position) -> Iterator[tuple[Cause, int | Ending]]:
    match flow.decide(definition, position, LIMITS):
        case Go(position=after):
            yield _cause(position), after.sequence
        case End(ending=ending):
            yield _cause(position), ending
        case _:
            for index in position.having(flow.RowStatus.OPEN):
                worse = Rejected() if definition.task_of(index).manual else Failed(error={})
                for outcome in (Finished(), worse):
                    yield from _played(definition, flow.record(position, index, outcome))


def _cause(position: Position) -> Cause:
    if position.having(flow.RowStatus.REJECTED):
        return Cause.REJECTED
    return Cause.FAILED if position.having(flow.RowStatus.FAILED) else Cause.FINISHED


def walked(definition: Definition, starts: set[int], causes: set[Cause]) -> set[int | Ending]:
    """Everything that can be come to from `starts`, playing on as long as something new turns up."""
    found: set[int | Ending] = set(starts)
    size = -1
    while size != len(found):
        size = len(found)
        steps = [step for step in found if isinstance(step, int)]
        found |= {target for step in steps for cause, target in ways(definition, step) if cause in causes}
    return found


@given(arbitrary())
def test_lint_never_raises_and_every_finding_has_its_place(definition: Definition) -> None:
    for finding in found(definition):
        assert finding.level in ("error", "warning")
        assert finding.message[-1] in ".?"
        assert str(finding).endswith(finding.message)
        assert finding.row is None or definition.rows[finding.row].sequence == finding.step
        if finding.task is not None and finding.row is not None:
            assert definition.rows[finding.row].task == finding.task
        elif finding.task is not None:
            assert finding.task in {task.name for task in definition.tasks}


@settings(deadline=None, max_examples=200)
@given(runnable())
def test_the_ways_out_of_a_step_are_those_that_the_flow_takes(definition: Definition) -> None:
    endings = {Cause.FINISHED: Ending.FINISHED, Cause.REJECTED: Ending.REJECTED, Cause.FAILED: Ending.FAILED}
    for sequence in definition.sequences:
        expected = {
            (way.cause, endings[way.cause] if way.target is None else way.target)
            for way in routes(definition)
            if way.source == sequence
        }
        assert ways(definition, sequence) == expected


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

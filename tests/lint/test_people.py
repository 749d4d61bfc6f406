"""Who decides a manual task, how many of them, what they are asked, and by when."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.lint.samples import found, manual, no_problems, process, row, told, unknown, with_form, with_task
from workflow.definition import Field, Kind, TaskDefinition
from workflow.lint import lint


class TestNamedByWhoeverStartsIt:
    """What the form of the start asks for, its starter can answer with their own name."""

    WARNING = "The person who starts the process gives 'manager', so they could name themselves."

    def of(self, task: TaskDefinition, **others: TaskDefinition) -> list[str]:
        made = process(
            *[row(number, name) for number, name in enumerate([task.name, *others], 1)], **{task.name: task}, **others
        )
        form = (Field(name="manager", kind=Kind.USER), Field(name="other"))
        return told(replace(made, fields=form))

    @pytest.mark.parametrize(
        "text", ['=data["manager"]', '=["anna", data.get("manager", "anna")]', '= "user:" + data["manager"]']
    )
    @pytest.mark.parametrize("field", ["approver", "escalate_to"])
    def test_a_manual_task(self, field: str, text: str) -> None:
        task = replace(manual("a", "anna"), due="1d", **{field: text})
        (finding,) = self.of(task)
        assert finding.startswith(f"warning: Task 'a': {self.WARNING} Tick “not who started it”")
        assert self.of(replace(task, not_starter=True)) == []

    @pytest.mark.parametrize("text", ['=data["boss"]', '=results["manager"]', "anna", '=data["x"]["manager"]', "=1 +"])
    def test_not_what_comes_from_elsewhere(self, text: str) -> None:
        assert self.of(manual("a", text)) == []

    @pytest.mark.parametrize(
        "other",
        [
            TaskDefinition(name="b", code='data["manager"] = "anna"'),
            TaskDefinition(name="b", code='for key in ["manager"]:\n    data[key] = 1'),
            TaskDefinition(name="b", code="data.update(manager=1)"),
            TaskDefinition(name="b", code="data |= {'manager': 1}"),
            TaskDefinition(name="b", subprocess="P", output='{"manager": data["who"]}'),
            TaskDefinition(name="b", manual=True, fields=(Field(name="manager"),)),
        ],
    )
    def test_not_what_something_else_sets_too(self, other: TaskDefinition) -> None:
        assert self.of(manual("a", '=data["manager"]'), b=other) == []

    def test_other_code_changes_nothing(self) -> None:
        other = TaskDefinition(name="b", code='data["other"] = data["manager"]')
        assert len(self.of(manual("a", '=data["manager"]'), b=other)) == 1

    def test_a_question_of_code(self) -> None:
        asks = 'note("x")\napproval(data["manager"], "Well?"{})'
        (finding,) = self.of(TaskDefinition(name="a", code=asks.format("")))
        assert finding.startswith(f"warning: Task 'a', code line 2, column 1: {self.WARNING} Add not_starter=True")
        assert len(self.of(TaskDefinition(name="a", code=asks.format(", not_starter=False")))) == 1
        for more in (", not_starter=True", ', **data["more"]', ', not_starter=data["x"]'):
            assert self.of(TaskDefinition(name="a", code=asks.format(more))) == []
        by_name = 'approval(question=data["manager"], approver="anna")'
        assert self.of(TaskDefinition(name="a", code=by_name)) == []


class TestNames:
    def test_approvers_that_do_not_exist(self) -> None:
        assert told(with_task(manual("a", "anna, bob, managers, staf"))) == [
            f"error: Task 'a': There is no active user and no group '{name}'. Give user names and groups, "
            'separated by commas, or an expression such as =data["manager"].'
            for name in ("bob", "staf")
        ]

    def test_an_approver_that_a_user_and_a_group_could_be(self) -> None:
        def both(names: Sequence[str]) -> list[str]:
            return [name for name in names if name == "anna"]

        findings = lint(
            with_task(manual("a", "anna, managers")),
            check_code=no_problems,
            unknown_approvers=unknown,
            ambiguous_approvers=both,
        )
        assert [f"{one.level}: {one}" for one in findings] == [
            "error: Task 'a': A user and a group are both named 'anna'. Write user:anna or group:anna."
        ]

    def test_an_approver_expression_without_its_sign(self) -> None:
        assert told(with_task(manual("a", "data['boss']"))) == [
            (
                "error: Task 'a': There is no active user and no group \"data['boss']\". "
                "To have the approver worked out, start it with =."
            )
        ]

    @pytest.mark.parametrize("field", ["approver", "escalate_to"])
    def test_only_commas_are_nobody_and_not_any_member_of_staff(self, field: str) -> None:
        task = replace(manual("a"), due="1d", **{field: " , ,"})
        (finding,) = found(with_task(task))
        assert (finding.level, finding.field) == ("error", field)
        assert finding.message == "This names nobody. Name users or groups, or clear it."
        assert told(with_task(replace(task, **{field: " "}))) == []

    def test_approvers_are_looked_up_all_at_once(self) -> None:
        asked: list[Sequence[str]] = []

        def look_up(names: Sequence[str]) -> list[str]:
            asked.append(names)
            return []

        tasks = {name: manual(name, f"anna, {name}") for name in "bcd"}
        lint(process(*(row(1, name) for name in tasks), **tasks), check_code=no_problems, unknown_approvers=look_up)
        assert asked == [["anna", "b", "c", "d"]]

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
        ("a", "b", "c", "at"),
        [
            ({"same_as": "b"}, {"not_same_as": "a"}, {}, [("a", "b")]),
            ({"same_as": "b"}, {"same_as": "c"}, {"not_same_as": "a"}, [("a", "c")]),
            ({"same_as": "b", "not_same_as": "c"}, {"same_as": "c"}, {}, [("a", "c")]),
            ({"same_as": "b"}, {"not_same_as": "c"}, {}, []),
            ({"same_as": "b"}, {}, {"same_as": "b", "not_same_as": ""}, []),
        ],
    )
    def test_nobody_can_be_the_same_and_another(
        self, a: dict[str, Any], b: dict[str, Any], c: dict[str, Any], at: list[tuple[str, str]]
    ) -> None:
        tasks = {name: replace(manual(name), **fields) for name, fields in (("a", a), ("b", b), ("c", c))}
        assert told(process(row(1, "c"), row(2, "b"), row(3, "a"), **tasks)) == [
            f"error: Task {task!r}: Because of this, the same people decide {task!r} and {other!r}, but “not same as”, "
            "which works in both directions, says that different people do. Nobody could decide it. Clear one of the two."
            for task, other in at
        ]

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


def test_deadlines_that_make_no_sense() -> None:
    assert told(with_task(replace(manual("a"), due="1w"))) == [
        "error: Task 'a': Due after: '1w' has weeks; write working days, such as 5d for a week from Monday to Friday."
    ]


class TestNobodyIsAskedOfCode:
    def test_an_approver_of_code(self) -> None:
        """Its names are not looked up: nobody is asked anyway."""
        assert told(with_task(TaskDefinition(name="a", code="1", approver="nobody"))) == [
            (
                "warning: Task 'a': Only manual tasks are approved, and this one is not manual. "
                "Clear its approver, or tick manual."
            )
        ]

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

    def test_deadlines_of_code(self) -> None:
        assert (
            told(with_task(TaskDefinition(name="a", code="1", due="1d", by_default="reject")))
            == [
                "warning: Task 'a': Only of manual tasks people are asked, and this one is not manual. "
                "Clear it, or tick manual."
            ]
            * 2
        )

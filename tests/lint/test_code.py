"""What the checker of code finds, at its place."""

import pytest

from tests.lint.samples import Problem, manual, process, row, told, unknown, with_task
from workflow.definition import Definition, TaskDefinition
from workflow.lint import Finding, lint


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

    def test_an_approver_that_is_no_expression_at_all(self) -> None:
        assert told(with_task(manual("a", "= "))) == [
            (
                "error: Task 'a': After = comes an expression, such as =data[\"manager\"]. "
                "For any member of staff, leave it blank."
            )
        ]

"""All of it, in reading order."""

from hypothesis import given

from tests.definitions import arbitrary
from tests.lint.samples import Problem, found, row, unknown
from workflow.definition import Definition, TaskDefinition
from workflow.lint import lint


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

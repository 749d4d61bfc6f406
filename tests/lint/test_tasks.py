"""Names, work and numbers of tasks."""

from typing import Any

import pytest

from tests.lint.samples import found, manual, process, row, told, with_task
from workflow.definition import Definition, TaskDefinition


class TestNames:
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


class TestWork:
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


class TestNumbers:
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

"""All that is wrong with a definition, in the order in which a reader meets it."""

from collections.abc import Iterable

from workflow.definition import Definition
from workflow.findings import Finding
from workflow.lint import code, keys, people, process, rows, steps, tasks
from workflow.routes import routes

FIELDS = (
    *("name", "manual", "approver", *people.OF_MANUAL),
    *("code", "subprocess", "input", "output"),
    *("timeout", "max_attempts", "retry_delay", "time_limit", "memory_limit"),
    *("sequence", "task", "condition", *rows.JUMPS, "ends_step"),
)
"""In the order in which a reader meets them: first those of a task, then those of a row."""


def lint(
    definition: Definition,
    *,
    check_code: code.CheckCode,
    unknown_approvers: people.UnknownApprovers,
    count_people: people.CountPeople | None = None,
    ambiguous_approvers: people.AmbiguousApprovers | None = None,
    definition_of: keys.DefinitionOf = lambda _: None,
) -> list[Finding]:
    """Everything that is wrong with a definition, in reading order: the process, its tasks, its rows.

    `unknown_approvers` tells which names are neither a user's nor a group's, and `ambiguous_approvers` which are both; each is
    asked at most once. `count_people` tells how many active people some names stand for, and no names: all members of staff. It
    is asked for each task of a quorum. `definition_of` tells what a sub-process of some name would run; it is asked only about those
    without an output that run beside other tasks.
    """
    ways = routes(definition)
    of_parts = [
        *tasks.findings(definition),
        *people.findings(definition, unknown_approvers, count_people, ambiguous_approvers),
        *code.findings(definition, check_code),
        *rows.findings(definition, ways),
        *keys.findings(definition, definition_of),
        *steps.findings(definition, ways),
    ]
    return [*process.findings(definition), *_in_order(of_parts, definition)]


def _in_order(findings: Iterable[Finding], definition: Definition) -> list[Finding]:
    """As a reader meets them on the page: task by task and then row by row, field by field, line by line."""
    number_of = {task.name: number for number, task in reversed(list(enumerate(definition.tasks)))}

    def place(finding: Finding) -> tuple[int, ...]:
        return (
            -1 if finding.row is None else finding.row,
            number_of[finding.task or ""] if finding.row is None else 0,
            FIELDS.index(finding.field or FIELDS[0]),
            finding.entry or 0,
            finding.line or 0,
            finding.column or 0,
        )

    return sorted(findings, key=place)

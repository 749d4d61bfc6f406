"""What is wrong with a definition, found before anything runs (DESIGN.md 3, "Validation").

Pure: what only the sandbox or the database know is asked through the functions that `lint` is given. Only what
is certain is an error, because an error keeps the process from being started; what is merely odd is a warning.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Protocol

from workflow import approvers, deadlines, questions
from workflow.definition import Definition, TaskDefinition
from workflow.errors import suggestion
from workflow.findings import Finding, Level, Problem, at_problem, at_row, at_step, at_task
from workflow.language import gettext as _
from workflow.language import gettext_noop, ngettext
from workflow.routes import Cause, Route, can_be_rejected, can_fail, has_code, is_conditional, reachable, routes, traps

__all__ = ["Finding", "lint"]

JUMPS = {
    "then": gettext_noop("when finished"),
    "on_reject": gettext_noop("when rejected"),
    "on_error": gettext_noop("when it fails"),
}
FIELDS_OF = {Cause.FINISHED: "then", Cause.REJECTED: "on_reject", Cause.FAILED: "on_error"}
# In the order in which a reader meets them: first those of a task, then those of a row.
FIELDS = (
    *("name", "manual", "approver", "quorum", "not_starter", "not_same_as", "same_as", "instructions", "fields"),
    *("due", "calendar", "remind", "escalate_to", "escalate_after", "by_default", "by_default_after"),
    *("code", "subprocess", "input", "output"),
    *("timeout", "max_attempts", "retry_delay", "time_limit", "memory_limit"),
    *("sequence", "task", "condition", *JUMPS, "ends_step"),
)
OF_MANUAL = (
    *("quorum", "not_starter", "not_same_as", "same_as", "instructions", "fields"),
    *("due", "calendar", "remind", "escalate_to", "escalate_after", "by_default", "by_default_after"),
)
DECIDERS = ("approver", "escalate_to")
NUMBERS_SHOWN = 12


class CheckCode(Protocol):
    """Finds what is wrong with code, or with a single expression."""

    def __call__(self, code: str, *, expression: bool) -> Sequence[Problem]: ...


def lint(
    definition: Definition,
    *,
    check_code: CheckCode,
    unknown_approvers: Callable[[Sequence[str]], Collection[str]],
    count_people: Callable[[Sequence[str]], int] | None = None,
) -> list[Finding]:
    """Everything that is wrong with a definition, in reading order: the process, its tasks, its rows.

    `unknown_approvers` tells which names are neither a user's nor a group's; it is asked at most once. `count_people` tells how
    many active people some names stand for, and no names: all members of staff. It is asked for each task of a quorum.
    """
    ways = routes(definition)
    in_tasks = [
        *_task_names(definition),
        *_work(definition),
        *_approvers(definition, unknown_approvers),
        *_deciding(definition),
        *_quorums(definition, count_people),
        *_deadlines(definition),
        *_forms(definition),
        *_numbers(definition),
        *_expressions_of_tasks(definition, check_code),
    ]
    in_rows = [
        *_tasks_of_rows(definition),
        *_jumps(definition),
        *_jumps_without_effect(definition, ways),
        *_never_reached(definition, ways),
        *_loops(definition, ways),
        *_conditions(definition, check_code),
    ]
    return [*_process(definition), *_in_order(in_tasks, definition), *_in_order(in_rows, definition)]


def _in_order(findings: Iterable[Finding], definition: Definition) -> list[Finding]:
    """As a reader meets them on the page: task by task or row by row, field by field, line by line."""
    tasks = {task.name: index for index, task in reversed(list(enumerate(definition.tasks)))}

    def place(finding: Finding) -> tuple[int, ...]:
        index = tasks[finding.task or ""] if finding.row is None else finding.row
        return (
            index,
            FIELDS.index(finding.field or FIELDS[0]),
            finding.entry or 0,
            finding.line or 0,
            finding.column or 0,
        )

    return sorted(findings, key=place)


# The process


def _process(definition: Definition) -> Iterator[Finding]:
    if not definition.name.strip():
        yield Finding(level="error", field="name", message=_("The process has no name. Give it one."))
    if not definition.tasks:
        yield Finding(
            level="error", message=_("The process has no tasks. Add one, and a transition that gives it a step.")
        )
    elif not definition.rows:
        yield Finding(
            level="error", message=_("The process has no transitions. Add one for each task: it says at which step.")
        )
    for fault in questions.faults(definition.fields):
        yield Finding(level=fault.level, field="fields", entry=fault.entry, message=fault.message)


# Tasks


def _task_names(definition: Definition) -> Iterator[Finding]:
    used = {row.task for row in definition.rows}
    for name, count in Counter(task.name for task in definition.tasks).items():
        if not name.strip():
            yield at_task(name, "name", _("The task has no name. Give it one."))
        if count > 1:
            yield at_task(
                name, "name", _("%(count)s tasks have this name. Give each a name of its own.") % {"count": count}
            )
        if definition.rows and name not in used:
            yield at_task(
                name,
                "name",
                _("This task is at no step, so it never runs. Add a transition for it, or delete it."),
                "warning",
            )


def _work(definition: Definition) -> Iterator[Finding]:
    for task in definition.tasks:
        if task.manual and has_code(task):
            yield at_task(
                task.name,
                "code",
                _("This task is manual and has code. Move its code to a task of its own, or untick manual."),
            )
        elif task.subprocess and (task.manual or has_code(task)):
            other = _("is manual") if task.manual else _("has code")
            yield at_task(
                task.name,
                "subprocess",
                _(
                    "This task %(other)s and is the process %(subprocess)r as well. Make a task of its "
                    "own of one of the two."
                )
                % {"other": other, "subprocess": task.subprocess},
            )
        elif not task.manual and not has_code(task) and not task.subprocess:
            yield at_task(
                task.name,
                "code",
                _(
                    "Nobody and nothing does this task, so its step could never end. Tick manual to have "
                    "people decide it, write its code, or choose a sub-process."
                ),
            )
        for field in ("input", "output"):
            if getattr(task, field).strip() and not task.subprocess:
                yield at_task(
                    task.name,
                    field,
                    _("Only a sub-process has %(field)s, and this task is none. Clear it, or choose a sub-process.")
                    % {"field": field},
                    "warning",
                )


def _approvers(
    definition: Definition, unknown_approvers: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[Finding]:
    asked = sorted(
        {name for task in definition.tasks for field in DECIDERS for name in _names_of_deciders(task, field)}
    )
    strangers = frozenset(unknown_approvers(asked)) if asked else frozenset()
    for task in definition.tasks:
        if task.approver.strip() and not task.manual:
            yield at_task(
                task.name,
                "approver",
                _("Only manual tasks are approved, and this one is not manual. Clear its approver, or tick manual."),
                "warning",
            )
        for field in DECIDERS:
            if task.manual and approvers.is_only_commas(getattr(task, field)):
                yield at_task(task.name, field, _("This names nobody. Name users or groups, or clear it."))
            for name in _names_of_deciders(task, field):
                if name in strangers:
                    yield at_task(task.name, field, _no_such_approver(name))


def _names_of_deciders(task: TaskDefinition, field: str = "approver") -> tuple[str, ...]:
    text = getattr(task, field)
    if not task.manual or approvers.is_expression(text):
        return ()
    return approvers.names(text)


def _deciding(definition: Definition) -> Iterator[Finding]:
    for task in definition.tasks:
        if not task.quorum >= 1:
            yield at_task(
                task.name,
                "quorum",
                _("%(quorum)s people can't approve. Give 1 or more; 1 means that one is enough.")
                % {"quorum": task.quorum},
            )
        if not task.manual:
            yield from _deciding_nothing(task)
            continue
        for field in ("not_same_as", "same_as"):
            if problem := _no_such_decider(definition, task, getattr(task, field)):
                yield at_task(task.name, field, problem)
        if task.same_as and task.same_as == task.not_same_as:
            yield at_task(
                task.name,
                "same_as",
                _("Nobody both did %(same_as)r and did not. Clear this, or the line before.")
                % {"same_as": task.same_as},
            )
        if task.same_as and task.approver.strip():
            yield at_task(
                task.name,
                "same_as",
                _(
                    "Whoever decided %(same_as)r decides, and the approver is %(approver)r as well. "
                    "Clear one of the two."
                )
                % {"same_as": task.same_as, "approver": task.approver},
            )


def _quorums(definition: Definition, count_people: Callable[[Sequence[str]], int] | None) -> Iterator[Finding]:
    """A warning only: who is in a group, is as it is today."""
    for task in definition.tasks:
        is_worked_out = approvers.is_expression(task.approver) or task.same_as
        if count_people is None or not task.manual or task.quorum <= 1 or is_worked_out:
            continue
        people = count_people(approvers.names(task.approver))
        if 0 < people < task.quorum:  # a group that nobody is in has not been filled yet, as those of the samples
            message = ngettext(
                "%(quorum)d people have to approve, and there is only %(count)d who can be asked today.",
                "%(quorum)d people have to approve, and there are only %(count)d who can be asked today.",
                people,
            )
            yield at_task(task.name, "quorum", message % {"quorum": task.quorum, "count": people}, "warning")


def _deciding_nothing(task: TaskDefinition) -> Iterator[Finding]:
    plain = TaskDefinition(name=task.name)
    for field in OF_MANUAL:
        if getattr(task, field) != getattr(plain, field):
            yield at_task(
                task.name,
                field,
                _("Only of manual tasks people are asked, and this one is not manual. Clear it, or tick manual."),
                "warning",
            )


def _no_such_decider(definition: Definition, task: TaskDefinition, name: str) -> str:
    """What is wrong with the name of another task whose decider counts; blank where nothing is."""
    if not name:
        return ""
    if name == task.name:
        return _("This names the task itself. Name another manual task, one that is decided before this one.")
    others = {other.name: other.manual for other in definition.tasks if other.name != task.name}
    if name not in others:
        return _("This process has no other task %(name)r.") % {"name": name} + suggestion(
            name, (key for key, manual in others.items() if manual)
        )
    if not others[name]:
        return _("The task %(name)r is not manual: nobody decides it. Name a manual task.") % {"name": name}
    return ""


def _forms(definition: Definition) -> Iterator[Finding]:
    for task in definition.tasks:
        for fault in questions.faults(task.fields) if task.manual else ():
            yield Finding(level=fault.level, task=task.name, field="fields", entry=fault.entry, message=fault.message)


def _deadlines(definition: Definition) -> Iterator[Finding]:
    for task in definition.tasks:
        for fault in deadlines.faults(task) if task.manual else ():
            yield at_task(task.name, fault.field, fault.message, fault.level)


def _no_such_approver(name: str) -> str:
    if any(character in name for character in "[](){}\"'"):
        return _("There is no active user and no group %(name)r. To have the approver worked out, start it with =.") % {
            "name": name
        }
    return _(
        "There is no active user and no group %(name)r. Give user names and groups, "
        'separated by commas, or an expression such as =data["manager"].'
    ) % {"name": name}


def _numbers(definition: Definition) -> Iterator[Finding]:
    for task in definition.tasks:
        if not task.max_attempts >= 1:
            yield at_task(
                task.name,
                "max_attempts",
                _("%(max_attempts)s attempts can't be made. Give 1 or more; 1 means no retry.")
                % {"max_attempts": task.max_attempts},
            )
        if not (task.retry_delay >= 0 and math.isfinite(task.retry_delay)):
            yield at_task(
                task.name,
                "retry_delay",
                _("A delay of %(retry_delay)s seconds can't be waited. Give 0 or more.")
                % {"retry_delay": f"{task.retry_delay:g}"},
            )
        if not _is_positive(task.timeout):
            yield at_task(
                task.name,
                "timeout",
                _("In %(timeout)s seconds nothing can be done. Give more than 0, or leave it blank for no time-out.")
                % {"timeout": f"{task.timeout:g}"},
            )
        if not _is_positive(task.time_limit):
            yield at_task(
                task.name,
                "time_limit",
                _("In %(time_limit)s seconds no code can run. Give more than 0, or leave it blank for the default.")
                % {"time_limit": f"{task.time_limit:g}"},
            )
        if not _is_positive(task.memory_limit):
            yield at_task(
                task.name,
                "memory_limit",
                _("In %(memory_limit)s MiB no code can run. Give 1 or more, or leave it blank for the default.")
                % {"memory_limit": task.memory_limit},
            )


def _is_positive(limit: float | None) -> bool:
    return limit is None or (limit > 0 and math.isfinite(limit))


def _expressions_of_tasks(definition: Definition, check_code: CheckCode) -> Iterator[Finding]:
    for task in definition.tasks:
        if has_code(task):
            for problem in check_code(task.code, expression=False):
                yield at_problem(problem, task=task.name, field="code")
        for field in DECIDERS:
            if task.manual and approvers.is_expression(getattr(task, field)):
                yield from _approver_expression(task, field, check_code)
        for field in ("input", "output"):
            expression = getattr(task, field)
            if task.subprocess and expression.strip():
                for problem in check_code(expression, expression=True):
                    yield at_problem(problem, task=task.name, field=field)


def _approver_expression(task: TaskDefinition, field: str, check_code: CheckCode) -> Iterator[Finding]:
    text = getattr(task, field)
    expression = approvers.expression(text)
    if not expression:
        blank = _("For any member of staff") if field == "approver" else _("For nobody")
        yield at_task(
            task.name,
            field,
            _('After = comes an expression, such as =data["manager"]. %(blank)s, leave it blank.') % {"blank": blank},
        )
        return
    # The checker counts from where the expression starts; the reader counts from where the field does.
    shift = text.index(expression)
    for problem in check_code(expression, expression=True):
        yield at_problem(problem, task=task.name, field=field, shift=shift)


# Rows


def _tasks_of_rows(definition: Definition) -> Iterator[Finding]:
    names = {task.name for task in definition.tasks}
    for index, row in enumerate(definition.rows):
        if row.task not in names:
            message = _("This process has no task %(task)r.") % {"task": row.task} + suggestion(row.task, names)
            yield at_row(definition, index, "task", message)
        elif _replaces_a_result(definition, index):
            yield at_row(
                definition,
                index,
                "task",
                _(
                    "%(task)r is at this step more than once: the later result replaces the earlier one. "
                    "Make a task of its own for each, or give each a condition."
                )
                % {"task": row.task},
                "warning",
            )


def _replaces_a_result(definition: Definition, index: int) -> bool:
    """Whether an earlier row of the step has the same task, and may run as well.

    Conditions on all of them are taken to exclude each other: that is how one task gets several ways onward.
    """
    row = definition.rows[index]
    twins = [other for other in definition.step(row.sequence) if definition.rows[other].task == row.task]
    return twins[0] < index and not all(is_conditional(definition.rows[twin]) for twin in twins)


def _jumps(definition: Definition) -> Iterator[Finding]:
    for index, row in enumerate(definition.rows):
        for field, when in JUMPS.items():
            target = getattr(row, field)
            if target is not None and not definition.step(target):
                message = _("Goes to step %(target)s %(when)s, but there is no step %(target)s. %(steps_near)s") % {
                    "target": target,
                    "when": _(when),
                    "steps_near": _steps_near(target, definition),
                }
                yield at_row(definition, index, field, message)


def _steps_near(target: int, definition: Definition) -> str:
    numbers = definition.sequences
    near = sorted(sorted(numbers, key=lambda number: abs(number - target))[:NUMBERS_SHOWN])
    listed = ", ".join(map(str, near))
    if len(near) < len(numbers):
        return _("The nearest are %(listed)s.") % {"listed": listed}
    return ngettext("There is %(listed)s.", "There are %(listed)s.", len(near)) % {"listed": listed}


def _jumps_without_effect(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    deciding = {way.row for way in ways if way.cause is Cause.FINISHED}
    for index, row in enumerate(definition.rows):
        if row.then is not None and index not in deciding:
            yield at_row(
                definition,
                index,
                "then",
                _("Never goes to step %(then)s: a row above it at this step always decides. Clear one of the two.")
                % {"then": row.then},
                "warning",
            )
        if row.on_reject is not None and not can_be_rejected(definition, row):
            message = _(
                "Never goes to step %(on_reject)s when rejected: only manual tasks are. Clear it, or use on error."
            ) % {"on_reject": row.on_reject}
            yield at_row(definition, index, "on_reject", message, "warning")
        if row.on_error is not None and not can_fail(definition, row):
            message = _(
                "Never goes to step %(on_error)s when it fails: nothing in this task can fail. Clear "
                "it, or use on reject."
            ) % {"on_error": row.on_error}
            yield at_row(definition, index, "on_error", message, "warning")


def _conditions(definition: Definition, check_code: CheckCode) -> Iterator[Finding]:
    for index, row in enumerate(definition.rows):
        if is_conditional(row):
            for problem in check_code(row.condition, expression=True):
                yield at_problem(problem, task=row.task, field="condition", row=index, step=row.sequence)


# Steps


def _never_reached(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    found = reachable(definition, ways)
    for sequence in definition.sequences:
        if sequence not in found:
            yield at_step(
                definition,
                sequence,
                _(
                    "No instance ever comes to this step: %(why_not)s. Have a row of another step go to "
                    "it, or delete it."
                )
                % {"why_not": _why_not(definition, sequence, ways)},
            )


def _why_not(definition: Definition, sequence: int, ways: Sequence[Route]) -> str:
    sources = {way.source for way in ways if way.target == sequence and way.source != sequence}
    if sources:
        return _("none comes to %(steps)s either, and nothing else leads here") % {"steps": _steps(sources)}
    before = definition.sequences[definition.sequences.index(sequence) - 1]
    finished = [way for way in ways if way.source == before and way.cause is Cause.FINISHED]
    onward = {way.target for way in finished if way.target is not None}
    return _("step %(before)s always goes to %(steps)s when finished, and nothing else leads here") % {
        "before": before,
        "steps": _steps(onward, _("or")),
    }


def _loops(definition: Definition, ways: Sequence[Route]) -> Iterator[Finding]:
    """Steps that lead only to each other. That a failure ends the instance is not meant as a way out of them; where
    the row says which step a failure goes to, it may be.
    """
    among = reachable(definition, ways)
    meant = [way for way in ways if way.cause is not Cause.FAILED or way.target is not None]
    endless = traps(definition, meant, among=among)
    for loop in endless:
        yield _loop(definition, loop, meant, "error")
    unfailing = [way for way in ways if way.cause is not Cause.FAILED]
    for loop in traps(definition, unfailing, among=among):
        if not any(loop & other for other in endless):
            yield _loop(definition, loop, unfailing, "warning")


def _loop(definition: Definition, loop: frozenset[int], ways: Sequence[Route], level: Level) -> Finding:
    row, field = next(
        (way.row, FIELDS_OF[way.cause])
        for way in ways
        if way.row is not None and way.source in loop and way.target is not None and way.target <= way.source
    )
    only = _("leads only back to itself") if len(loop) == 1 else _("lead only to each other")
    unless = "" if level == "error" else _(", unless something fails")
    message = _(
        "%(steps)s %(only)s: an instance that comes here never ends%(unless)s. Put a "
        "condition on this row, which goes back, or have a row there go elsewhere."
    ) % {"steps": _at_first(_steps(loop)), "only": only, "unless": unless}
    return at_row(definition, row, field, message, level)


def _at_first(words: str) -> str:
    return words[:1].upper() + words[1:]


def _steps(numbers: Iterable[int], last: str = "") -> str:
    *others, final = map(str, sorted(numbers))
    if not others:
        return _("step %(number)s") % {"number": final}
    return _("steps %(numbers)s") % {"numbers": ", ".join(others) + " " + (last or _("and")) + f" {final}"}

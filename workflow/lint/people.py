"""People: who decides a manual task, how many of them, what they are asked, and by when."""

from collections.abc import Callable, Collection, Iterator, Sequence

from workflow import approvers, deadlines, questions
from workflow.definition import Definition, TaskDefinition
from workflow.errors import suggestion
from workflow.findings import Finding, at_task
from workflow.language import gettext as _
from workflow.language import ngettext
from workflow.reading import keys_read, may_set
from workflow.reading import questions as questions_in

OF_MANUAL = (
    *("quorum", "not_starter", "not_same_as", "same_as", "instructions", "fields"),
    *("due", "calendar", "remind", "escalate_to", "escalate_after", "by_default", "by_default_after"),
)
"""The fields that mean something for manual tasks only."""

DECIDERS = ("approver", "escalate_to")
"""The fields that name users and groups, or have an expression that does."""

UnknownApprovers = Callable[[Sequence[str]], Collection[str]]
AmbiguousApprovers = Callable[[Sequence[str]], Collection[str]]
CountPeople = Callable[[Sequence[str]], int]


def findings(
    definition: Definition,
    unknown_approvers: UnknownApprovers,
    count_people: CountPeople | None,
    ambiguous_approvers: AmbiguousApprovers | None = None,
) -> Iterator[Finding]:
    yield from _names(definition, unknown_approvers, ambiguous_approvers)
    by_starter = frozenset(field.name for field in definition.fields if _only_the_start_sets(definition, field.name))
    for task in definition.tasks:
        yield from _named_by_starter(task, by_starter)
        if task.manual:
            yield from _relations(definition, task)
            yield from _quorum(task, count_people)
            yield from _deadlines(task)
            yield from _form(task)
        else:
            yield from _for_nobody(task)


def _names(
    definition: Definition, unknown_approvers: UnknownApprovers, ambiguous_approvers: AmbiguousApprovers | None
) -> Iterator[Finding]:
    manual = [task for task in definition.tasks if task.manual]
    asked = sorted({name for task in manual for field in DECIDERS for name in _names_in(task, field)})
    strangers = frozenset(unknown_approvers(asked)) if asked else frozenset()
    doubles = frozenset(ambiguous_approvers(asked)) if asked and ambiguous_approvers else frozenset()
    for task in manual:
        for field in DECIDERS:
            if approvers.is_only_commas(getattr(task, field)):
                yield at_task(task.name, field, _("This names nobody. Name users or groups, or clear it."))
            for name in _names_in(task, field):
                if name in strangers:
                    yield at_task(task.name, field, _no_such_approver(name))
                if name in doubles:
                    yield at_task(task.name, field, approvers.is_ambiguous(name))


def _names_in(task: TaskDefinition, field: str) -> tuple[str, ...]:
    text = getattr(task, field)
    return () if approvers.is_expression(text) else approvers.names(text)


def _no_such_approver(name: str) -> str:
    if any(character in name for character in "[](){}\"'"):
        return _("There is no active user and no group %(name)r. To have the approver worked out, start it with =.") % {
            "name": name
        }
    return _(
        "There is no active user and no group %(name)r. Give user names and groups, "
        'separated by commas, or an expression such as =data["manager"].'
    ) % {"name": name}


def _only_the_start_sets(definition: Definition, key: str) -> bool:
    """Whether nothing but the form of the start sets a key of the data: what comes later may correct it."""
    return not any(
        may_set(task.code, key) or key in task.output or any(field.name == key for field in task.fields)
        for task in definition.tasks
    )


def _named_by_starter(task: TaskDefinition, by_starter: Collection[str]) -> Iterator[Finding]:
    """A warning: what the form of the start asks for, its starter can answer with their own name."""
    for field in DECIDERS if task.manual and not task.not_starter and not task.same_as else ():
        text = getattr(task, field)
        keys = keys_read(approvers.expression(text)) if approvers.is_expression(text) else frozenset()
        for key in sorted(keys.intersection(by_starter)):
            message = _(
                "The person who starts the process gives %(key)r, so they could name themselves. Tick “not who started it”, "
                "or look up the name."
            )
            yield at_task(task.name, field, message % {"key": key}, "warning")
    for question in questions_in(task.code):
        for key in sorted(question.keys.intersection(by_starter)) if not question.bars_starter else ():
            message = _(
                "The person who starts the process gives %(key)r, so they could name themselves. Add not_starter=True, or "
                "look up the name."
            ) % {"key": key}
            yield Finding(
                level="warning",
                task=task.name,
                field="code",
                line=question.line,
                column=question.column,
                message=message,
            )


def _relations(definition: Definition, task: TaskDefinition) -> Iterator[Finding]:
    """To who decides another task."""
    for field in ("not_same_as", "same_as"):
        if problem := _no_such_decider(definition, task, getattr(task, field)):
            yield at_task(task.name, field, problem)
    yield from _contradictions(definition, task)
    if task.same_as and task.approver.strip():
        message = _(
            "Whoever decided %(same_as)r decides, and the approver is %(approver)r as well. Clear one of the two."
        )
        yield at_task(task.name, "same_as", message % {"same_as": task.same_as, "approver": task.approver})


def _contradictions(definition: Definition, task: TaskDefinition) -> Iterator[Finding]:
    """A task whose deciders have to decide another one, and must not: also by way of others, or as that other one says."""
    if task.same_as and task.same_as == task.not_same_as:
        message = _("Nobody both did %(same_as)r and did not. Clear this, or the line before.")
        yield at_task(task.name, "same_as", message % {"same_as": task.same_as})
        return
    for other in _same_as_in_turn(definition, task):
        if other in definition.apart_from(task.name):
            message = _(
                "Because of this, the same people decide %(task)r and %(other)r, but “not same as”, which works in both "
                "directions, says that different people do. Nobody could decide it. Clear one of the two."
            )
            yield at_task(task.name, "same_as", message % {"task": task.name, "other": other})


def _same_as_in_turn(definition: Definition, task: TaskDefinition) -> Sequence[str]:
    """The task whose deciders decide this one, the task whose deciders decide that, and so on."""
    named = {one.name: one.same_as for one in definition.tasks if one.manual and one.same_as}
    found: list[str] = []
    name = task.name
    while (name := named.get(name, "")) and name not in {*found, task.name}:
        found.append(name)
    return found


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


def _quorum(task: TaskDefinition, count_people: CountPeople | None) -> Iterator[Finding]:
    """A warning only: who is in a group, is as it is today."""
    is_worked_out = approvers.is_expression(task.approver) or task.same_as
    if count_people is None or task.quorum <= 1 or is_worked_out:
        return
    people = count_people(approvers.names(task.approver))
    if 0 < people < task.quorum:  # a group that nobody is in has not been filled yet, as those of the samples
        message = ngettext(
            "%(quorum)d people have to approve, and there is only %(count)d who can be asked today.",
            "%(quorum)d people have to approve, and there are only %(count)d who can be asked today.",
            people,
        )
        yield at_task(task.name, "quorum", message % {"quorum": task.quorum, "count": people}, "warning")


def _deadlines(task: TaskDefinition) -> Iterator[Finding]:
    for fault in deadlines.faults(task):
        yield at_task(task.name, fault.field, fault.message, fault.level)


def _form(task: TaskDefinition) -> Iterator[Finding]:
    for fault in questions.faults(task.fields):
        yield Finding(level=fault.level, task=task.name, field="fields", entry=fault.entry, message=fault.message)


def _for_nobody(task: TaskDefinition) -> Iterator[Finding]:
    """What is said to people in a task that none are asked of."""
    if task.approver.strip():
        message = _("Only manual tasks are approved, and this one is not manual. Clear its approver, or tick manual.")
        yield at_task(task.name, "approver", message, "warning")
    plain = TaskDefinition(name=task.name)
    for field in OF_MANUAL:
        if getattr(task, field) != getattr(plain, field):
            message = _("Only of manual tasks people are asked, and this one is not manual. Clear it, or tick manual.")
            yield at_task(task.name, field, message, "warning")

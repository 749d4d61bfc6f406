"""The same in words: a text alternative, for screen readers and for hovering over a row."""

from collections.abc import Collection, Iterator, Mapping

from workflow.definition import Definition, Row
from workflow.diagram.parts import (
    DECIDED,
    Jump,
    Kind,
    Mark,
    Way,
    deciders,
    jumps,
    kind_of,
    leading_on,
    task_of,
    time_out,
)
from workflow.diagram.text import clean
from workflow.language import gettext as _
from workflow.language import gettext_noop, ngettext

NO_MARKS: Mapping[int, Mark] = {}

JUMP_WORDS = {
    Way.THEN: gettext_noop("When it is done"),
    Way.REJECTED: gettext_noop("When it is rejected"),
    Way.ERROR: gettext_noop("When it fails"),
}


def describe(
    definition: Definition,
    *,
    marks: Mapping[int, Mark] = NO_MARKS,
    current: int | None = None,
    problems: Collection[int] = (),
) -> str:
    """The flow in sentences: every step in order, its tasks, and where they lead.

    `marks` and `problems` go by a row's index, `current` is a sequence number.
    """
    return " ".join(_sentences(definition, marks=marks, current=current, problems=problems))


def title(definition: Definition) -> str:
    """What the picture is called."""
    return _("Diagram of the process %(name)s") % {"name": _quoted(definition.name)}


def row_words(definition: Definition, index: int, *, mark: Mark | None = None, problem: bool = False) -> str:
    """All there is to say of a row, with nothing shortened."""
    return " ".join(_row_sentences(definition, definition.rows[index], mark=mark, problem=problem))


def _sentences(
    definition: Definition, *, marks: Mapping[int, Mark], current: int | None, problems: Collection[int]
) -> Iterator[str]:
    if not definition.sequences:
        yield _("The process %(name)s has no steps yet.") % {"name": _quoted(definition.name)}
        return
    steps = len(definition.sequences)
    has = ngettext("The process %(name)s has %(steps)d step.", "The process %(name)s has %(steps)d steps.", steps)
    yield has % {"name": _quoted(definition.name), "steps": steps}
    on = leading_on(definition)
    for sequence in definition.sequences:
        rows = definition.step(sequence)
        yield _step_words(definition, sequence, count=len(rows), current=current)
        for index in rows:
            yield row_words(definition, index, mark=marks.get(index), problem=index in problems)
        if sequence in on:
            yield _onward(definition, sequence)


def _step_words(definition: Definition, sequence: int, *, count: int, current: int | None) -> str:
    first = _(", where it starts") if sequence == definition.sequences[0] else ""
    now = _(", where the instance is now") if sequence == current else ""
    together = " " + _("%(count)s tasks start together.") % {"count": count} if count > 1 else ""
    return _("Step %(sequence)s%(first)s%(now)s:%(together)s") % {
        "sequence": sequence,
        "first": first,
        "now": now,
        "together": together,
    }


def _onward(definition: Definition, sequence: int) -> str:
    following = definition.after(sequence)
    if following is None:
        return _("After step %(sequence)s the process ends.") % {"sequence": sequence}
    return _("After step %(sequence)s comes step %(following)s.") % {"sequence": sequence, "following": following}


def _row_sentences(definition: Definition, row: Row, *, mark: Mark | None, problem: bool) -> Iterator[str]:
    yield _task_words(definition, row, is_decided=mark in DECIDED)
    if mark is not None:
        yield _("It is %(value)s.") % {"value": _(mark.value)}
    if limit := time_out(task_of(definition, row)):
        yield _("It fails unless it is done within %(limit)s.") % {"limit": limit}
    if condition := clean(row.condition):
        yield _("Only if %(condition)s; skipped otherwise.") % {"condition": condition}
    for jump in jumps(definition, row):
        yield _jump_words(jump)
    if ends_when_rejected(definition, row):
        yield _("When it is rejected, the process ends.")
    if row.ends_step:
        yield _("Once it is done, the step is over.")
    if problem:
        yield _("It has a mistake.")


def _task_words(definition: Definition, row: Row, *, is_decided: bool) -> str:
    task = task_of(definition, row)
    name = _quoted(row.task)
    if task is None:
        return _("%(name)s, a task that does not exist.") % {"name": name}
    match kind_of(task):
        case Kind.MANUAL if is_decided:
            return _("%(name)s, which asked %(who)s.") % {"name": name, "who": clean(deciders(task))}
        case Kind.MANUAL:
            return _("%(name)s, decided by %(who)s.") % {"name": name, "who": clean(deciders(task))}
        case Kind.CODE:
            return _("%(name)s, done by code.") % {"name": name}
        case Kind.SUBPROCESS:
            return _("%(name)s, done by the process %(process)s.") % {
                "name": name,
                "process": _quoted(task.subprocess),
            }
    return _("%(name)s, which has no work yet.") % {"name": name}


def _jump_words(jump: Jump) -> str:
    missing = "" if jump.exists else _(", which does not exist")
    return _("%(when)s, to step %(target)s%(missing)s.") % {
        "when": _(JUMP_WORDS[jump.way]),
        "target": jump.target,
        "missing": missing,
    }


def ends_when_rejected(definition: Definition, row: Row) -> bool:
    """Whether a rejection is the end of the instance."""
    task = task_of(definition, row)
    return kind_of(task) in {Kind.MANUAL, Kind.SUBPROCESS} and row.on_reject is None


def _quoted(name: str) -> str:
    return _("“%(name)s”") % {"name": clean(name)}

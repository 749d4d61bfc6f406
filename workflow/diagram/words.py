"""The same in words: a text alternative, for screen readers and for hovering over a row."""

from collections.abc import Collection, Iterator, Mapping

from workflow.definition import Definition, Row
from workflow.diagram.parts import Jump, Kind, Mark, Way, deciders, jumps, kind_of, leading_on, task_of, time_out
from workflow.diagram.text import clean

NO_MARKS: Mapping[int, Mark] = {}

JUMP_WORDS = {Way.THEN: "When it is done", Way.REJECTED: "When it is rejected", Way.ERROR: "When it fails"}


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
    return f"Diagram of the process {_quoted(definition.name)}"


def row_words(definition: Definition, index: int, *, mark: Mark | None = None, problem: bool = False) -> str:
    """All there is to say of a row, with nothing shortened."""
    return " ".join(_row_sentences(definition, definition.rows[index], mark=mark, problem=problem))


def _sentences(
    definition: Definition, *, marks: Mapping[int, Mark], current: int | None, problems: Collection[int]
) -> Iterator[str]:
    if not definition.sequences:
        yield f"The process {_quoted(definition.name)} has no steps yet."
        return
    steps = len(definition.sequences)
    yield f"The process {_quoted(definition.name)} has {steps} {'step' if steps == 1 else 'steps'}."
    on = leading_on(definition)
    for sequence in definition.sequences:
        rows = definition.step(sequence)
        yield _step_words(definition, sequence, count=len(rows), current=current)
        for index in rows:
            yield row_words(definition, index, mark=marks.get(index), problem=index in problems)
        if sequence in on:
            yield _onward(definition, sequence)


def _step_words(definition: Definition, sequence: int, *, count: int, current: int | None) -> str:
    first = ", where it starts" if sequence == definition.sequences[0] else ""
    now = ", where the instance is now" if sequence == current else ""
    together = f" {count} tasks start together." if count > 1 else ""
    return f"Step {sequence}{first}{now}:{together}"


def _onward(definition: Definition, sequence: int) -> str:
    following = definition.after(sequence)
    if following is None:
        return f"After step {sequence} the process ends."
    return f"After step {sequence} comes step {following}."


def _row_sentences(definition: Definition, row: Row, *, mark: Mark | None, problem: bool) -> Iterator[str]:
    yield _task_words(definition, row)
    if mark is not None:
        yield f"It is {mark.value}."
    if limit := time_out(task_of(definition, row)):
        yield f"It fails unless it is done within {limit}."
    if condition := clean(row.condition):
        yield f"Only if {condition}; skipped otherwise."
    for jump in jumps(definition, row):
        yield _jump_words(jump)
    if ends_when_rejected(definition, row):
        yield "When it is rejected, the process ends."
    if row.ends_step:
        yield "Once it is done, the step is over."
    if problem:
        yield "It has a mistake."


def _task_words(definition: Definition, row: Row) -> str:
    task = task_of(definition, row)
    name = _quoted(row.task)
    if task is None:
        return f"{name}, a task that does not exist."
    match kind_of(task):
        case Kind.MANUAL:
            return f"{name}, decided by {clean(deciders(task))}."
        case Kind.CODE:
            return f"{name}, done by code."
        case Kind.SUBPROCESS:
            return f"{name}, done by the process {_quoted(task.subprocess)}."
    return f"{name}, which has no work yet."


def _jump_words(jump: Jump) -> str:
    missing = "" if jump.exists else ", which does not exist"
    return f"{JUMP_WORDS[jump.way]}, to step {jump.target}{missing}."


def ends_when_rejected(definition: Definition, row: Row) -> bool:
    """Whether a rejection is the end of the instance."""
    task = task_of(definition, row)
    return kind_of(task) in {Kind.MANUAL, Kind.SUBPROCESS} and row.on_reject is None


def _quoted(name: str) -> str:
    return f"“{clean(name)}”"

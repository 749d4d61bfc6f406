"""Where each step can lead: the rules of DESIGN.md 3, over everything that could become of a step's rows.

Pure. `flow` says what follows from one outcome; this says what can follow at all, so that mistakes show before
anything runs. What a condition gives is not known beforehand: a row that has one can always be skipped or not.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from workflow.definition import Definition, Row, TaskDefinition


class Cause(Enum):
    """What an instance leaves a step by."""

    FINISHED = "finished"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Route:
    """One way out of the step `source`, to a step, or (`None`) to the end of the instance.

    `row` is the one that decides it; `None` where no row does, and the next higher sequence comes.
    """

    source: int
    target: int | None
    cause: Cause
    row: int | None = None


def routes(definition: Definition) -> tuple[Route, ...]:
    """Every way out of every step, those to steps that do not exist included."""
    return tuple(route for sequence in definition.sequences for route in _routes_from(definition, sequence))


def reachable(definition: Definition, ways: Iterable[Route]) -> set[int]:
    """The steps that an instance can come to by these ways."""
    return reached(definition, definition.sequences[:1], ways)


def reached(definition: Definition, starts: Iterable[int], ways: Iterable[Route]) -> set[int]:
    """The steps that these ways lead to from `starts`, those included."""
    return _reached(starts, _edges(definition, ways))


def between(definition: Definition, ways: Iterable[Route], source: int, target: int) -> set[int]:
    """The steps that an instance may come through from one step to another, neither of which it comes through."""
    edges = [edge for edge in _edges(definition, ways) if edge[1] != source and edge[0] != target]
    ahead = _reached([source], edges)
    behind = _reached([target], [(end, start) for start, end in edges])
    return (ahead & behind) - {source, target}


def traps(definition: Definition, ways: Sequence[Route], *, among: Collection[int]) -> list[frozenset[int]]:
    """The sets of steps, out of those `among`, that lead to each other and nowhere else by these ways, in order.

    A jump to a step that does not exist counts as a way out: where it was meant to lead is not known.
    """
    edges = _edges(definition, ways)
    leaving = {way.source for way in ways if way.target is None or not definition.step(way.target)}
    stuck = set(among) - _reached(leaving, [(target, source) for source, target in edges])
    onward = {sequence: frozenset(_reached([sequence], edges)) for sequence in sorted(stuck)}
    return list(dict.fromkeys(steps for steps in onward.values() if all(onward[step] == steps for step in steps)))


def _edges(definition: Definition, ways: Iterable[Route]) -> list[tuple[int, int]]:
    return [(way.source, way.target) for way in ways if way.target is not None and definition.step(way.target)]


def _reached(starts: Iterable[int], edges: Iterable[tuple[int, int]]) -> set[int]:
    """The steps that these edges (from, to) lead to from `starts`, those included."""
    onward: dict[int, set[int]] = {}
    for source, target in edges:
        onward.setdefault(source, set()).add(target)
    found = set(starts)
    ahead = list(found)
    while ahead:
        fresh = onward.get(ahead.pop(), set()) - found
        found |= fresh
        ahead.extend(fresh)
    return found


def can_be_rejected(definition: Definition, row: Row) -> bool:
    """Whether people decide the row's task, or that of a sub-process; also where it is unknown, or has no work yet."""
    task = _task(definition, row)
    return task is None or task.manual or not has_code(task)


def can_fail(definition: Definition, row: Row) -> bool:
    """Whether there is anything to fail: code, another process, a condition, a deadline, an approver to be found."""
    task = _task(definition, row)
    if task is None or not task.manual or has_code(task):
        return True
    return is_conditional(row) or bool(task.approver.strip()) or task.timeout is not None


def is_conditional(row: Row) -> bool:
    """Whether the row can be skipped."""
    return bool(row.condition.strip())


def has_code(task: TaskDefinition) -> bool:
    """Whether there is code to run."""
    return bool(task.code.strip())


def _routes_from(definition: Definition, sequence: int) -> Iterator[Route]:
    yield from _when_finished(definition, sequence)
    for index in definition.step(sequence):
        row = definition.rows[index]
        if can_be_rejected(definition, row):
            yield Route(source=sequence, target=row.on_reject, cause=Cause.REJECTED, row=index)
        if can_fail(definition, row):
            yield Route(source=sequence, target=row.on_error, cause=Cause.FAILED, row=index)


def _when_finished(definition: Definition, sequence: int) -> Iterator[Route]:
    """Each row that can end the step decides by itself; of the others, each does if those before it can be missing."""
    ending = [index for index in definition.step(sequence) if definition.rows[index].ends_step]
    deciding = [index for index in ending if definition.rows[index].then is not None]
    goes_on = len(deciding) < len(ending)
    if _can_be_skipped(definition, ending):
        others = [index for index in definition.step(sequence) if index not in ending]
        jumping = [index for index in others if definition.rows[index].then is not None]
        deciding += [index for at, index in enumerate(jumping) if _can_be_skipped(definition, jumping[:at])]
        goes_on = goes_on or _can_be_skipped(definition, jumping)
    for index in sorted(deciding):
        yield Route(source=sequence, target=definition.rows[index].then, cause=Cause.FINISHED, row=index)
    if goes_on:
        yield Route(source=sequence, target=definition.after(sequence), cause=Cause.FINISHED)


def _can_be_skipped(definition: Definition, rows: Iterable[int]) -> bool:
    """Whether the step can come to its end without any of these rows."""
    return all(is_conditional(definition.rows[index]) for index in rows)


def _task(definition: Definition, row: Row) -> TaskDefinition | None:
    try:
        return definition.task(row.task)
    except KeyError:
        return None

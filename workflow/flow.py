"""What comes next: the rules of DESIGN.md 3, and nothing else.

Pure: `(definition, position, outcomes) -> decision`, without database, clock or I/O. A `Position` is
where an instance stands; `record` notes what became of a row, `decide` says what follows, and `enter`
takes the instance into the step that was decided on, given which of its rows' conditions hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any

from workflow import values
from workflow.definition import Definition


class RowStatus(Enum):
    """What became of a row at the current step."""

    __hash__ = object.__hash__  # there is one of each; what an Enum brings is slow, and asked for at every step

    OPEN = "open"
    FINISHED = "finished"
    REJECTED = "rejected"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Ending(Enum):
    """How an instance ends."""

    FINISHED = "FINISHED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"


MOST_CAUSES = 20
"""Errors that are kept of sub-processes that failed one because of the other."""

PLAIN = frozenset({str, int, bool, type(None)})
"""Types whose values are the same where they are equal."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a task did to `data`: keys set, and keys removed."""

    set: Mapping[str, Any] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> "Changes":
        """The changes that make `after` of `before`. A value of another type is a change, even where equal."""
        return cls(
            set={key: value for key, value in after.items() if key not in before or not _same(before[key], value)},
            removed=tuple(key for key in before if key not in after),
        )

    def applied_to(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """`data` with these changes made."""
        kept = {key: value for key, value in data.items() if key not in self.removed}
        return {**kept, **self.set}


def _same(one: Any, other: Any) -> bool:
    # `1 == True == 1.0` in Python, but not for whoever reads the data.
    if type(one) is not type(other):
        return False
    return bool(one == other) if type(one) in PLAIN else values.encode(one) == values.encode(other)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A task was done or approved."""

    result: Any = None
    changes: Changes = field(default_factory=Changes)


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A person rejected a manual task."""

    result: Any = None
    changes: Changes = field(default_factory=Changes)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A task failed for good, or its condition could not be evaluated. `error` is JSON with `type` and `message`, of a
    sub-process also with what `told` tells.
    """

    error: Mapping[str, Any]


@dataclass(frozen=True)
class Skipped:
    """A row's condition was false."""


Outcome = Finished | Rejected | Failed | Skipped

_STATUS: Mapping[type[Outcome | None], RowStatus] = {
    type(None): RowStatus.OPEN,
    Finished: RowStatus.FINISHED,
    Rejected: RowStatus.REJECTED,
    Failed: RowStatus.FAILED,
    Skipped: RowStatus.SKIPPED,
}


@dataclass(frozen=True, kw_only=True)
class RowState:
    """A row at the current step: open where `outcome` is `None` and nobody cancelled it."""

    outcome: Outcome | None = None
    cancelled: bool = False

    @property
    def status(self) -> RowStatus:
        return RowStatus.CANCELLED if self.cancelled else _STATUS[type(self.outcome)]


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where an instance stands. `data` and `results` are as they were on entering the step (rule 6).

    `visit` counts the steps entered, this one included. `rows` is empty until the step is entered.
    """

    sequence: int
    visit: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[int, RowState] = field(default_factory=dict)

    @property
    def entered(self) -> bool:
        """Whether the step's conditions were evaluated and its rows started."""
        return bool(self.rows)

    def having(self, status: RowStatus) -> tuple[int, ...]:
        """The rows of that status, in row order."""
        return self._by_status.get(status, ())

    @cached_property
    def _by_status(self) -> Mapping[RowStatus, tuple[int, ...]]:
        found: dict[RowStatus, tuple[int, ...]] = {}
        for row in sorted(self.rows):
            status = self.rows[row].status
            found[status] = (*found.get(status, ()), row)
        return found


@dataclass(frozen=True)
class Stay:
    """Rows are open still; the step goes on."""


@dataclass(frozen=True, kw_only=True)
class Go:
    """The step is over: cancel what is open, and enter the step of `position`."""

    position: Position
    cancelled: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class End:
    """The instance is over: cancel what is open. `position` holds the final data and results."""

    ending: Ending
    position: Position
    cancelled: tuple[int, ...] = ()
    error: Mapping[str, Any] | None = None


Decision = Stay | Go | End


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Against runaway (rule 7): steps that an instance may enter, and bytes of JSON of its data, and of its results."""

    max_steps: int
    max_data_bytes: int


def first(definition: Definition, data: Mapping[str, Any]) -> Position:
    """Where a new instance stands: before its smallest sequence (rule 1)."""
    return Position(sequence=definition.sequences[0], data=dict(data))


def enter(definition: Definition, position: Position, verdicts: Mapping[int, bool | Failed]) -> Position:
    """The step entered (rules 2 and 3). `verdicts` tells for each of its rows whether its condition holds, or why
    that can't be told, which fails the row.
    """
    return Position(
        sequence=position.sequence,
        visit=position.visit,
        data=position.data,
        results=position.results,
        rows={row: _entered(verdicts[row]) for row in definition.step(position.sequence)},
    )


def _entered(verdict: bool | Failed) -> RowState:
    match verdict:
        case True:
            return RowState()
        case False:
            return RowState(outcome=Skipped())
        case Failed():
            return RowState(outcome=verdict)
    raise TypeError(f"A verdict is True, False or Failed, not {verdict!r}.")


def record(position: Position, row: int, outcome: Outcome) -> Position:
    """The position with what became of an open row. Raises `ValueError` where the row is not open."""
    if row not in position.rows or position.rows[row].status is not RowStatus.OPEN:
        raise ValueError(f"Row {row} is not open at step {position.sequence}.")
    return replace(position, rows={**position.rows, row: RowState(outcome=outcome)})


def decide(definition: Definition, position: Position, limits: Limits) -> Decision:
    """What follows from what became of the step's rows so far (rules 4, 5 and 7)."""
    if rejected := position.having(RowStatus.REJECTED):
        return _rejected(definition, position, rejected[0], limits)
    if failed := position.having(RowStatus.FAILED):
        return _failed(definition, position, failed[0], limits)
    if not _is_over(definition, position):
        return Stay()
    target = _target(definition, position)
    after = _left(definition, position)
    if target is None:
        return _ended(after, Ending.FINISHED, position, limits)
    return _go(definition, position, after=after, target=target, limits=limits)


def _is_over(definition: Definition, position: Position) -> bool:
    finished = position.having(RowStatus.FINISHED)
    return not position.having(RowStatus.OPEN) or any(definition.rows[row].ends_step for row in finished)


def _target(definition: Definition, position: Position) -> int | None:
    """The first `then`, in row order, of the rows that decide: those that ended the step, or else all that finished."""
    finished = position.having(RowStatus.FINISHED)
    deciding = [row for row in finished if definition.rows[row].ends_step] or finished
    jumps = (definition.rows[row].then for row in deciding)
    return next((then for then in jumps if then is not None), definition.after(position.sequence))


def _rejected(definition: Definition, position: Position, row: int, limits: Limits) -> Decision:
    after = _left(definition, position)
    target = definition.rows[row].on_reject
    if target is None:
        return _ended(after, Ending.REJECTED, position, limits)
    return _go(definition, position, after=after, target=target, limits=limits)


def _failed(definition: Definition, position: Position, row: int, limits: Limits) -> Decision:
    outcome = position.rows[row].outcome
    assert isinstance(outcome, Failed)
    error = {**outcome.error, "task": definition.rows[row].task}
    target = definition.rows[row].on_error
    if target is None:
        # The step is kept as it is, so that a retry goes on from there.
        return End(ending=Ending.FAILED, position=position, cancelled=position.having(RowStatus.OPEN), error=error)
    after = _left(definition, position)
    after = replace(after, data={**after.data, "error": told(error)})
    return _go(definition, position, after=after, target=target, limits=limits)


def told(error: Mapping[str, Any], *, causes: int = MOST_CAUSES) -> dict[str, Any]:
    """An error as `data["error"]` has it: what failed and why, and of a sub-process also the `instance`, and the `cause`,
    which is its error told in the same way.
    """
    found = {key: error.get(key) for key in ("task", "type", "message")}
    if "instance" in error:
        found["instance"] = error["instance"]
    if causes and "cause" in error:
        found["cause"] = told(error["cause"], causes=causes - 1)
    return found


def _go(definition: Definition, position: Position, *, after: Position, target: int, limits: Limits) -> Decision:
    cancelled = position.having(RowStatus.OPEN)
    if not definition.step(target):
        return _broken(
            position, "NoSuchStep", f"Step {position.sequence} leads to step {target}, which does not exist."
        )
    if position.visit >= limits.max_steps:
        return _broken(
            position,
            "TooManySteps",
            f"The instance has entered {position.visit} steps, which is the limit (MAX_STEPS); it may be in a loop.",
        )
    if too_big := _too_big(after, limits):
        return _broken(position, "TooMuchData", too_big)
    entering = Position(sequence=target, visit=position.visit + 1, data=after.data, results=after.results)
    return Go(position=entering, cancelled=cancelled)


def _ended(after: Position, ending: Ending, position: Position, limits: Limits) -> End:
    if too_big := _too_big(after, limits):
        return _broken(position, "TooMuchData", too_big)
    return End(ending=ending, position=after, cancelled=position.having(RowStatus.OPEN))


def _broken(position: Position, kind: str, message: str) -> End:
    error = {"type": kind, "message": message}
    return End(ending=Ending.FAILED, position=position, cancelled=position.having(RowStatus.OPEN), error=error)


def _too_big(position: Position, limits: Limits) -> str:
    found = values.first_larger(limits.max_data_bytes, data=position.data, results=position.results)
    if found is None:
        return ""
    name, size = found
    return (
        f"The {name} would take {size:,} bytes; the limit (MAX_DATA_BYTES) is {limits.max_data_bytes:,}. "
        "Keep large things elsewhere, and their address here."
    )


def _left(definition: Definition, position: Position) -> Position:
    """The position with what the step's rows did, merged in row order (rule 6)."""
    data: Mapping[str, Any] = position.data
    results = dict(position.results)
    for row, outcome in _decided(position):
        data = outcome.changes.applied_to(data)
        results[definition.rows[row].task] = outcome.result
    return replace(position, data=data, results=results)


def _decided(position: Position) -> Iterable[tuple[int, Finished | Rejected]]:
    for row in sorted(position.rows):
        outcome = position.rows[row].outcome
        if isinstance(outcome, Finished | Rejected):
            yield row, outcome

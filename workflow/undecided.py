"""Which tasks an operator passes over who sends an instance to another step: the tasks that people have not decided.

Pure: `(definition, what became of its rows, from, to) -> tasks`. It goes by where a process can lead, as `routes` does, and
not by where it would lead this time: what a condition gives is not known beforehand.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from workflow.definition import Definition
from workflow.flow import RowStatus
from workflow.routes import Cause, Route, between, reached

_SETTLED = frozenset({RowStatus.FINISHED, RowStatus.SKIPPED})
_LEFT_BY = {RowStatus.REJECTED: Cause.REJECTED, RowStatus.FAILED: Cause.FAILED}


@dataclass(frozen=True, kw_only=True)
class Way:
    """An instance on its way from the step `here` to the step `to`.

    `statuses` says what became of each row when its step was entered last, without the rows of a step that is still to be
    entered. `asks` tells whether people decide a row's task. `ways` are all `routes` of the definition.
    """

    definition: Definition
    statuses: Mapping[int, RowStatus]
    here: int
    to: int
    asks: Callable[[int], bool]
    ways: Sequence[Route]

    def passes_over(self) -> tuple[str, ...]:
        """The tasks that nobody has decided, and that this way leaves out; in the order of their rows.

        These are the tasks which are open or have failed where it begins, those which the process could ask on the way, and,
        where it ends at a step to which only decisions lead, those which nobody has approved.
        """
        taken = self._taken()
        rows = {*self._left_here(taken), *self._on_the_way(), *self._before(taken)}
        return tuple(dict.fromkeys(self.definition.rows[row].task for row in sorted(rows)))

    def _left_here(self, taken: Iterable[Route]) -> Collection[int]:
        leads_there = any(way.source == self.here and way.target == self.to for way in taken)
        return () if leads_there else self._undecided(self.here)

    def _on_the_way(self) -> Collection[int]:
        """Whatever was decided at these steps before: the process would ask again."""
        steps = between(self.definition, self.ways, self.here, self.to)
        return [row for step in steps for row in self.definition.step(step) if self.asks(row)]

    def _before(self, taken: Iterable[Route]) -> Collection[int]:
        """What stands before the step to which it goes, unless the instance could have come there with what was decided."""
        begins = self.definition.sequences[:1]
        if self.to in reached(self.definition, [*begins, self.here], taken):
            return ()
        steps = [*begins, *between(self.definition, self.ways, begins[0], self.to)]
        return [row for step in steps for row in self._undecided(step)]

    def _taken(self) -> list[Route]:
        """The ways that what was decided leaves open."""
        undecided = {step: self._undecided(step) for step in self.definition.sequences}
        return [way for way in self.ways if not undecided[way.source] or self._is_left_by(way, undecided[way.source])]

    def _is_left_by(self, way: Route, undecided: Collection[int]) -> bool:
        """Whether a decision against it, or a failure, is what leads this way."""
        return way.row in undecided and _LEFT_BY.get(self.statuses.get(way.row or 0, RowStatus.OPEN)) is way.cause

    def _undecided(self, step: int) -> Collection[int]:
        rows = self.definition.step(step)
        is_over = any(
            self.definition.rows[row].ends_step and self.statuses.get(row) is RowStatus.FINISHED for row in rows
        )
        settled = _SETTLED | {RowStatus.CANCELLED} if is_over else _SETTLED
        return [row for row in rows if self.statuses.get(row) not in settled and self.asks(row)]

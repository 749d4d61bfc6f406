"""When an engine holds suspects alone: what kills it then takes no other instance with it.

An engine that has nothing else to do takes suspects, a few or a single one, and nothing beside them. One that always has other work
stops claiming that now and then, until it holds nothing. Neither may take long, as suspects may be slow, and innocent.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic

from workflow.code.execute import MOST_INTERRUPTED, SUSPECT
from workflow.models import RunningProcesses
from workflow.transitions import Take

LOOK = 5.0
"""Seconds between looks for suspects, for an engine that always has other work."""

LONGEST = 60.0
"""Seconds for which it takes nothing else. What is not over by then goes on beside others."""

MOST_EXPECTED = SUSPECT + MOST_INTERRUPTED
"""Interruptions after which a call of a suspect has been given up. What goes on to kill its engine is no such call."""


@dataclass(kw_only=True)
class Apart:
    """What an engine may claim next. `are_due` asks the database for suspects; `warn` is told, once, that this engine takes one that may well kill it."""

    are_due: Callable[[], bool]
    warn: Callable[[], object] = lambda: None
    clock: Callable[[], float] = monotonic
    since: float | None = None
    """When it began to claim nothing but suspects."""
    looked_at: float = field(init=False)
    has_warned: bool = False

    def __post_init__(self) -> None:
        self.looked_at = self.clock()

    def take(self, *, holds_any: bool) -> Take | None:
        """What to claim, for an engine that holds any instance or none; `None` for nothing at all."""
        if self._is_over():
            return Take.SUSPECTS_FIRST
        if holds_any:
            self._look()
            return Take.ORDINARY if self.since is None else None
        return Take.ORDINARY_FIRST if self.since is None else Take.SUSPECTS_FIRST

    def took(self, claimed: Collection[RunningProcesses]) -> None:
        """Note what was claimed of that."""
        suspects = [instance for instance in claimed if instance.interrupted >= SUSPECT]
        if not suspects:
            self.since = None
        elif self.since is None:
            self.since = self.clock()
        if not self.has_warned and any(instance.interrupted <= MOST_EXPECTED for instance in suspects):
            self.has_warned = True
            self.warn()

    def _is_over(self) -> bool:
        if self.since is None or self.clock() - self.since < LONGEST:
            return False
        self.since, self.looked_at = None, self.clock()
        return True

    def _look(self) -> None:
        now = self.clock()
        if self.since is None and now - self.looked_at >= LOOK:
            self.looked_at = now
            self.since = now if self.are_due() else None

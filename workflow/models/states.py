"""The states of instances and task runs, and the moves between them that are permitted."""

from collections.abc import Mapping

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class InstanceState(TextChoices):
    """Where an instance stands (DESIGN.md 2)."""

    READY = "READY", _("Ready")  # an engine may take it
    RUNNING = "RUNNING", _("Running")  # an engine holds it
    WAITING = "WAITING", _("Waiting")  # for people, or for a time
    PAUSED = "PAUSED", _("Paused")  # an operator holds it
    FINISHED = "FINISHED", _("Finished")
    REJECTED = "REJECTED", _("Rejected")
    FAILED = "FAILED", _("Failed")  # can be retried
    CANCELLED = "CANCELLED", _("Cancelled")


ENDED = frozenset({InstanceState.FINISHED, InstanceState.REJECTED, InstanceState.FAILED, InstanceState.CANCELLED})
"""The instance goes nowhere by itself any more."""

DUE = frozenset({InstanceState.READY, InstanceState.RUNNING})
"""These always have a time at which an engine may take them: RUNNING's is the deadline of its lease."""

_S = InstanceState
MOVES: Mapping[InstanceState, frozenset[InstanceState]] = {
    _S.READY: frozenset({_S.RUNNING, _S.PAUSED, _S.CANCELLED}),
    # RUNNING to RUNNING: from step to step, or taken over from an engine that died.
    _S.RUNNING: frozenset(
        {_S.RUNNING, _S.READY, _S.WAITING, _S.PAUSED, _S.FINISHED, _S.REJECTED, _S.FAILED, _S.CANCELLED}
    ),
    _S.WAITING: frozenset({_S.READY, _S.RUNNING, _S.PAUSED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.READY, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.READY}),
    _S.FINISHED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.CANCELLED: frozenset(),
}
"""Which state may follow which. `transitions.py` writes no other, and docs/states.md draws this table."""

FINAL = frozenset(state for state in ENDED if not MOVES[state])
"""Nobody can have the instance go on any more. A failed one is retried."""


class Priority(IntegerChoices):
    """Which of the due instances engines take first."""

    LOW = 1, _("Low")
    NORMAL = 2, _("Normal")
    HIGH = 3, _("High")


class RunState(TextChoices):
    """Where one execution of one task stands."""

    PENDING = "PENDING", _("Pending")  # an operator has reopened it; an engine begins it
    RUNNING = "RUNNING", _("Running")  # an engine runs it, or will as soon as it can
    RETRYING = "RETRYING", _("Retrying")  # it failed, and will be tried again at its time
    WAITING = "WAITING", _("Waiting")  # for people
    SUSPENDED = "SUSPENDED", _("Suspended")  # its code stands at a call that waits
    FINISHED = "FINISHED", _("Finished")  # of a manual task: approved
    REJECTED = "REJECTED", _("Rejected")
    FAILED = "FAILED", _("Failed")
    SKIPPED = "SKIPPED", _("Skipped")  # its condition was false
    CANCELLED = "CANCELLED", _("Cancelled")  # its step ended without it


OPEN = frozenset({RunState.PENDING, RunState.RUNNING, RunState.RETRYING, RunState.WAITING, RunState.SUSPENDED})
"""The step may still wait for these."""

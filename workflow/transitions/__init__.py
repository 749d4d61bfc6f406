"""The only writer of an instance's state, step, lease and fence, and of its task runs.

Every write is guarded by what it expects. An engine's writes hold its lease's `fence`, which each claim
counts up, and the `events` it has seen, which each decision from outside counts up: an engine that was too
late changes nothing, and is told which of the two it missed. `leases` says who may write, `turns` is what
engines write, and `events` what comes from elsewhere: people, signals, other instances, operators. Callers open
the transactions that span several of these functions; `claim` and `apply_all` open their own.
"""

from workflow.transitions.brief import HeldUp
from workflow.transitions.events import (
    answer_call,
    cancel_runs,
    decide_run,
    lock_mailboxes,
    redirect,
    reopen,
    replace_snapshots,
    settle,
    wake,
)
from workflow.transitions.leases import (
    Lease,
    LeaseLost,
    PassedOver,
    Take,
    are_suspects_due,
    claim,
    hold,
    lease_of,
    locked,
    outlook,
    refresh,
    release,
    renew,
    still_held,
    take_over,
    with_runs,
)
from workflow.transitions.turn import Applied, Asked, Turn
from workflow.transitions.turns import RunClosed, apply, apply_all, checkpoint

__all__ = [
    "Applied",
    "Asked",
    "HeldUp",
    "Lease",
    "LeaseLost",
    "PassedOver",
    "RunClosed",
    "Take",
    "Turn",
    "answer_call",
    "apply",
    "apply_all",
    "are_suspects_due",
    "cancel_runs",
    "checkpoint",
    "claim",
    "decide_run",
    "hold",
    "lease_of",
    "lock_mailboxes",
    "locked",
    "outlook",
    "redirect",
    "refresh",
    "release",
    "renew",
    "reopen",
    "replace_snapshots",
    "settle",
    "still_held",
    "take_over",
    "wake",
    "with_runs",
]

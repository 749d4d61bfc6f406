"""Who has approved so far what needs the approval of several, and what each has answered to its form."""

from collections.abc import Sequence
from dataclasses import dataclass

from workflow.models import Decision, WaitingForApproval
from workflow.views.facts import Shown, answered


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One of several approvals. `answers` are those to the task's form, of which there may be none."""

    decision: Decision
    answers: Shown


def votes_on(waiting: WaitingForApproval) -> Sequence[Vote]:
    """Who has approved so far, in order."""
    if not waiting.votes:
        return ()
    run = waiting.task_run
    call = run.call_number if waiting.question else 0
    cast = Decision.objects.filter(task_run=run, attempt=run.attempt, call=call).select_related("user", "on_behalf_of")
    decisions = list(cast.defer("saw").order_by("pk"))
    answers = answered([one.answers for one in decisions], waiting.fields)
    return [Vote(decision=one, answers=shown) for one, shown in zip(decisions, answers, strict=True)]

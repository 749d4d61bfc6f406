"""What operators do to instances: cancel, pause, resume, retry, restart, skip and go to a step.

Each says first what it would do (`plan`), checks that the instance's state permits it, takes the instance from an engine
that holds it, and records who did it and why. They raise a `WorkflowError`, and then nothing was changed.

To skip a task that people have not decided, or to go to a step past one, amounts to deciding it: that takes a permission of
its own and a reason, and is told in the history.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils.translation import gettext as _

from workflow import children, clock, moments, transitions, values
from workflow.code.ledger import written
from workflow.errors import BadData, NoSuchInstance, NotAllowed, NotPermitted
from workflow.models import MOVES, ActionCall, InstanceState, Intervention, RunningProcesses, RunState, TaskRun
from workflow.models.states import OPEN
from workflow.origin import CODE, Origin, Via, name_of
from workflow.people.overriding import listed, passed_over, passed_over_by_skipping, refuse_override
from workflow.people.rights import OPERATE, why_not_operate
from workflow.routes import Cause


class Action(StrEnum):
    """What an operator can do."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    RESTART = "restart"
    SKIP = "skip"
    GOTO = "goto"


PERMISSION = OPERATE

LONGEST_DETAILS = 500
"""Characters that the history keeps of what was done."""

TARGETS = {
    Action.CANCEL: InstanceState.CANCELLED,
    Action.PAUSE: InstanceState.PAUSED,
}
"""The state that an action leads to; the others make the instance READY."""

FROM = {
    Action.RESUME: {InstanceState.PAUSED},
    Action.RETRY: {InstanceState.FAILED},
    Action.RESTART: {InstanceState.FAILED},
    Action.SKIP: {InstanceState.FAILED},
}
"""The states in which an action makes sense; the others are permitted wherever the table of moves permits them."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an action would do: the effects that have happened, those that would happen again, the tasks that people have not
    decided and that it `passes_over`, and `warnings` about instances that this one has started, or that has started it.
    """

    instance: RunningProcesses
    action: Action
    happened: Sequence[str]
    again: Sequence[str]
    passes_over: Sequence[str] = ()
    warnings: Sequence[str] = ()


def is_possible(instance: RunningProcesses, action: Action) -> bool:
    """Whether the instance's state permits the action."""
    return _is_possible_in(InstanceState(instance.state), action)


def _is_possible_in(state: InstanceState, action: Action) -> bool:
    target = TARGETS.get(action, InstanceState.READY)
    permitted = target in MOVES[state] or (action == Action.GOTO and state == InstanceState.READY)
    return permitted and state in FROM.get(action, {state})


def plan(instance_id: int, action: Action, *, to: int | None = None) -> Plan:
    """What the action would do to the instance, without doing it. Raises as `perform` does."""
    instance = _instance(instance_id)
    _check(instance, action, to)
    calls = list(_ended_calls(instance))
    again = _made_again(instance, action, calls, to=to)
    begun = _replaced(instance, action, again, to=to)
    warnings = [
        children.why_not_go_on(instance) or children.unheard(instance),
        _why_not_start_again(instance, action, to) or children.replaces(begun),
        _continues_alone(instance, action, to),
    ]
    return Plan(
        instance=instance,
        action=action,
        happened=_told(calls),
        again=[*_told(again), *_told_of(children.calls_below(begun))],
        passes_over=_passed_over(instance, action, to),
        warnings=[warning for warning in warnings if warning],
    )


def _made_again(
    instance: RunningProcesses, action: Action, calls: Sequence[ActionCall], *, to: int | None
) -> list[ActionCall]:
    """Those of the instance's calls that the action has its tasks make again."""
    if action == Action.GOTO:
        newest = {run.pk: run for run in _newest_runs(instance, to)}
        return [call for call in calls if call.run_id in newest and call.attempt >= newest[call.run_id].first_attempt]
    failed = {run.pk: run for run in _failed_runs(instance)}
    of_failed = [call for call in calls if call.run_id in failed]
    match action:
        case Action.RESTART:
            return [call for call in of_failed if call.attempt >= failed[call.run_id].first_attempt]
        case Action.RETRY:
            return [call for call in of_failed if call.error and call.number == failed[call.run_id].call_number]
    return []


def _newest_runs(instance: RunningProcesses, to: int | None) -> Sequence[TaskRun]:
    """The last run of each row from the step `to` on, if nothing is rejected and nothing fails."""
    steps = children.steps_ahead(instance, to=to, causes=[Cause.FINISHED])
    newest = (
        TaskRun.objects.filter(instance=instance, sequence__in=steps)
        .order_by()
        .values("row")
        .annotate(newest=Max("pk"))
    )
    return list(TaskRun.objects.filter(pk__in=newest.values("newest")))


def _replaced(
    instance: RunningProcesses, action: Action, again: Sequence[ActionCall], *, to: int | None
) -> list[RunningProcesses]:
    """The instances in place of which the action has others started, where it has these calls made `again`."""
    if action == Action.GOTO:
        waiting = ActionCall.objects.filter(run__in=_newest_runs(instance, to), ended_at=None)
        return children.started_by([*again, *waiting])
    return children.started_by([*again, *_calls_of_cancelled(instance, action)])


def _why_not_start_again(instance: RunningProcesses, action: Action, to: int | None) -> str:
    """Why the action must not have others started in place of instances that this one has started. Blank where it may."""
    runs = TaskRun.objects.filter(instance=instance)
    match action:
        case Action.GOTO:
            entered = runs.filter(sequence__in=children.steps_ahead(instance, to=to))
            begun, cancelled = children.started_at(entered), children.cancelled_with(instance)
        case Action.RETRY | Action.RESTART | Action.SKIP:
            starting = list(_ended_calls(instance).filter(name__in=children.STARTING))
            again = _made_again(instance, action, starting, to=to)
            # Where it leads back to a step, others are started there, too, and nobody is asked then.
            led_back_to = Q(sequence__in=children.steps_ahead(instance))
            entered = runs.filter(led_back_to | Q(sequence=instance.step, visit__lt=instance.visit))
            begun, cancelled = [*_replaced(instance, action, again, to=to), *children.started_at(entered)], set()
        case _:
            return ""
    return children.why_not_replace(begun, cancelled=cancelled)


def _continues_alone(instance: RunningProcesses, action: Action, to: int | None) -> str:
    if action not in {Action.GOTO, Action.SKIP} or _why_not_start_again(instance, action, to):
        return ""
    return children.continues_alone(instance, cancelled=children.cancelled_with(instance))


def _ended_calls(instance: RunningProcesses) -> QuerySet[ActionCall]:
    return ActionCall.objects.filter(run__instance=instance, ended_at__isnull=False).order_by("pk")


def _calls_of_cancelled(instance: RunningProcesses, action: Action) -> Sequence[ActionCall]:
    """The calls that had no answer when their task was cancelled, if the action has them made again."""
    if action not in {Action.RETRY, Action.RESTART, Action.SKIP}:
        return ()
    runs = TaskRun.objects.filter(instance=instance, visit=instance.visit, state=RunState.CANCELLED)
    return list(ActionCall.objects.filter(run__in=runs, number=F("run__call_number"), error__isnull=False))


def perform(
    instance_id: int,
    action: Action,
    *,
    by: Any = None,
    reason: str = "",
    to: int | None = None,
    result: Any = None,
    via: Via = CODE,
) -> RunningProcesses:
    """Do it. `to` is the step of a `goto`, `result` what a task that is skipped is taken to have returned,
    `via` how it is done, for the history.

    `by` is the user who does it, and must have the right to; `None` is the program itself, and may. To pass over what people
    have not decided takes a user the permission `workflow.override_decision`, and a `reason`. Nobody but a superuser operates
    on an instance that they started. One that another was started in place of does not go on, and no other is started in place
    of one that has not ended. Raises `NoSuchInstance`, `NotPermitted`, `NotAllowed` or `BadData`.
    """
    result, reason = _checked(result, "result"), _checked(reason, "reason")
    _refuse_without_right(by, instance_id)
    now = clock.now()
    parent = ActionCall.objects.select_related("run").filter(children=instance_id).first()
    with transaction.atomic():
        family = _lock_with_those_above([instance_id])
        instance, above = family[instance_id], family.get(parent.run.instance_id) if parent else None
        _check(instance, action, to)
        if why_not := children.why_not_go_on(instance) or _why_not_start_again(instance, action, to):
            raise NotPermitted(why_not)
        passes_over = _passed_over(instance, action, to)
        refuse_override(by, passes_over, reason)
        _change_runs(instance, action, result=result, now=now)
        fields = {"step": to, "visit": instance.visit + 1} if action == Action.GOTO else {}
        transitions.redirect(instance, TARGETS.get(action, InstanceState.READY), now=now, **fields)
        Intervention.objects.create(
            instance=instance,
            action=action,
            details=_details(action, to, result, passes_over),
            by=by,
            origin=Origin(via=via, user=name_of(by)).to_json(),
            reason=reason,
            at=now,
        )
        if parent and above and action == Action.CANCEL:
            transitions.settle(parent, above, now=now)
    return _instance(instance_id)


def perform_all(instance_ids: Sequence[int], action: Action, **options: Any) -> list[RunningProcesses]:
    """Do it to each of the instances, or to none. Takes and raises what `perform` does."""
    with transaction.atomic():
        # One order for all operators: two that name instances of the same families can't wait for each other.
        _lock_with_those_above(instance_ids)
        changed = {key: perform(key, action, **options) for key in sorted(set(instance_ids))}
    return [changed[key] for key in dict.fromkeys(instance_ids)]


def _refuse_without_right(by: Any, instance_id: int) -> None:
    if by is not None and (why_not := why_not_operate(by, _instance(instance_id))):
        raise NotAllowed(why_not)


def _instance(instance_id: int) -> RunningProcesses:
    instance = RunningProcesses.objects.filter(pk=instance_id).first()
    if instance is None:
        raise NoSuchInstance(instance_id)
    return instance


def _lock_with_those_above(instance_ids: Collection[int]) -> dict[int, RunningProcesses]:
    """The instances and all above them, locked: whoever operates on one of a family decides by what the others are at.

    The order is that of their keys, in which parents come before their children, as engines lock them.
    """
    asked_for = {key: instance_id for instance_id in instance_ids for key in [instance_id, *_above(instance_id)]}
    return {key: _locked(key, asked_for=asked_for[key]) for key in sorted(asked_for)}


def _above(instance_id: int) -> list[int]:
    """The keys of the instances above this one, the nearest first."""
    found: list[int] = []
    parents = RunningProcesses.objects.values_list("parent__run__instance", flat=True)
    while above := parents.filter(pk=found[-1] if found else instance_id).first():
        found.append(above)
    return found


def _locked(instance_id: int, *, asked_for: int) -> RunningProcesses:
    """The instance, locked. One that a purge has deleted meanwhile took what it had started along, and that was `asked_for`."""
    try:
        return transitions.locked(instance_id)
    except RunningProcesses.DoesNotExist:
        raise NoSuchInstance(asked_for) from None


def _check(instance: RunningProcesses, action: Action, to: int | None) -> None:
    if not is_possible(instance, action):
        able = sorted(state for state in InstanceState if _is_possible_in(state, action))
        raise NotPermitted(
            _("Instance %(pk)s is %(state)s; %(action)s takes one that is %(listed)s.")
            % {"pk": instance.pk, "state": instance.state, "action": action, "listed": (" " + _("or") + " ").join(able)}
        )
    steps = instance.version.frozen.sequences
    if action == Action.GOTO and to not in steps:
        known = ", ".join(map(str, steps))
        raise BadData(
            _("goto needs one of the steps of %(version)s: %(known)s; not %(to)s.")
            % {"version": instance.version, "known": known, "to": to}
        )


def _passed_over(instance: RunningProcesses, action: Action, to: int | None) -> Sequence[str]:
    """The tasks that people have not decided, and that the action decides in their place."""
    match action:
        case Action.GOTO:
            assert to is not None  # `_check` has seen to it
            return passed_over(instance, to=to)
        case Action.SKIP:
            return passed_over_by_skipping(instance, _failed_runs(instance))
    return ()


def _change_runs(instance: RunningProcesses, action: Action, *, result: Any, now: datetime) -> None:
    rows = TaskRun.objects.filter(instance=instance, visit=instance.visit)
    match action:
        case Action.CANCEL | Action.GOTO:
            transitions.cancel_runs(instance, list(rows.filter(state__in=OPEN).values_list("row", flat=True)), now=now)
        case Action.RETRY | Action.RESTART | Action.SKIP:
            for run in _failed_runs(instance):
                transitions.reopen(
                    run, restart=action == Action.RESTART, finish_with=(result,) if action == Action.SKIP else ()
                )
            for run in rows.filter(state=RunState.CANCELLED):
                transitions.reopen(run)


def _failed_runs(instance: RunningProcesses) -> list[TaskRun]:
    return list(TaskRun.objects.filter(instance=instance, visit=instance.visit, state=RunState.FAILED))


def _checked(value: Any, what: str) -> Any:
    try:
        return values.check(value, what)
    except values.ValueProblem as problem:
        raise BadData(str(problem)) from problem


def _details(action: Action, to: int | None, result: Any, passes_over: Sequence[str]) -> str:
    """What is told of it in the history: first of all what nobody has decided."""
    parts = [_("passing over %(tasks)s") % {"tasks": listed(passes_over)}] if passes_over else []
    match action:
        case Action.GOTO:
            parts.insert(0, _("step %(to)s") % {"to": to})
        case Action.SKIP:
            parts.append(_("with %(result)s") % {"result": values.dumps(result)})
    return ", ".join(parts)[:LONGEST_DETAILS]


def _told_of(calls: Sequence[ActionCall]) -> list[str]:
    """Calls of other instances."""
    return [
        _("%(call)s, by instance %(pk)s") % {"call": told, "pk": call.run.instance_id}
        for call, told in zip(calls, _told(calls), strict=True)
    ]


def _told(calls: Sequence[ActionCall]) -> list[str]:
    return [
        f"{written(call.name, call.arguments)} -> {_outcome(call)} ({moments.to_the_second(call.ended_at)})"
        for call in calls
        if call.ended_at
    ]


def _outcome(call: ActionCall) -> str:
    if call.error:
        return f"{call.error['type']}: {call.error['message']}"
    return values.dumps(call.result)

"""Instances that calls have started: what an operator who has one of them go on, or the call made again, has to know."""

from collections.abc import Collection, Iterable, Sequence

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun
from workflow.models.states import ENDED, FINAL, OPEN
from workflow.routes import Cause, reached, routes

STARTING = ("run_process", "run_all")
"""Calls that start instances and wait for them; that of a task which is another process has the name of the first."""

MOST_LISTED = 10
"""Instances that one sentence lists."""


HOW_ENDED = {
    InstanceState.FAILED: "failed",
    InstanceState.REJECTED: "was rejected",
    InstanceState.CANCELLED: "was cancelled",
}


def how_ended(child: RunningProcesses, state: InstanceState) -> str:
    """How an instance did not finish, for the code and the error handlers of the one that started it: in English, as errors are."""
    why = f": {child.error.get('message')}" if child.error else ""
    return f"{child.process_name} (instance {child.pk}) {HOW_ENDED[state]}{why}"


def started_by(calls: Iterable[ActionCall]) -> list[RunningProcesses]:
    """The instances that these calls have started, the oldest first."""
    begun = [call.pk for call in calls if call.name in STARTING]
    return list(RunningProcesses.objects.filter(parent__in=begun).order_by("pk")) if begun else []


def started_at(runs: Iterable[TaskRun]) -> list[RunningProcesses]:
    """The instances that these task runs have started, the oldest first."""
    return _named(RunningProcesses.objects.filter(parent__run__in=runs))


def calls_below(instances: Sequence[RunningProcesses]) -> list[ActionCall]:
    """The calls that these instances have made, and those below them: others in their place would make them, too."""
    found: list[ActionCall] = []
    while instances:
        made = ActionCall.objects.filter(run__instance__in=[one.pk for one in instances], ended_at__isnull=False)
        found += made.select_related("run").order_by("run__instance", "pk")
        instances = _below(instances)
    return found


def _below(instances: Sequence[RunningProcesses]) -> list[RunningProcesses]:
    """The instances that these have started."""
    return _named(RunningProcesses.objects.filter(parent__run__instance__in=[one.pk for one in instances]))


def _named(instances: QuerySet[RunningProcesses]) -> list[RunningProcesses]:
    """What is told of them: their data may be large."""
    return list(instances.only("process_name", "state").order_by("pk"))


def steps_ahead(
    instance: RunningProcesses, *, to: int | None = None, causes: Collection[Cause] = tuple(Cause)
) -> set[int]:
    """The steps that an instance can come to from the step `to`, with that one, or else after the step that it is at."""
    definition = instance.version.frozen
    ways = [way for way in routes(definition) if way.cause in causes]
    after = [way.target for way in ways if way.source == instance.step and way.target is not None]
    return reached(definition, after if to is None else [to], ways)


def cancelled_with(instance: RunningProcesses) -> set[int]:
    """The keys of the instances that are cancelled when the instance's open tasks are."""
    found: set[int] = set()
    level = {instance.pk}
    while level:
        waited_for = RunningProcesses.objects.filter(parent__run__instance__in=level, parent__run__state__in=OPEN)
        level = set(waited_for.exclude(state__in=ENDED).values_list("pk", flat=True))
        found |= level
    return found


def replaced_by(instance: RunningProcesses) -> RunningProcesses | None:
    """The instance that the same call has started later in place of this one, unless it was cancelled: by another attempt, or
    when the step was entered again.
    """
    call = instance.parent
    if call is None:
        return None
    again = RunningProcesses.objects.filter(
        parent__run__instance=call.run.instance_id,
        parent__run__row=call.run.row,
        parent__number=call.number,
        place=instance.place,
        process_name=instance.process_name,
    )
    return again.filter(pk__gt=instance.pk).exclude(state=InstanceState.CANCELLED).order_by("pk").last()


def why_not_go_on(instance: RunningProcesses) -> str:
    """Why a failed instance must not go on: another one does its work, or is about to, in its place or in that of one above it.
    Blank where it may."""
    if instance.state != InstanceState.FAILED:
        return ""
    one = instance
    while call := one.parent:
        if why_not := _why_replaced(one, call):
            return why_not
        one = call.run.instance
    return ""


def _why_replaced(instance: RunningProcesses, call: ActionCall) -> str:
    if call.ended_at is None:
        return ""
    named = {"pk": instance.pk, "above": call.run.instance_id}
    if other := replaced_by(instance):
        return _(
            "Instance %(other)s, which is %(state)s, was started in place of instance %(pk)s, and makes the same calls. "
            "Operate on that one instead. Instance %(pk)s can continue only after that one is cancelled."
        ) % {**named, "other": other.pk, "state": other.state}
    if _is_made_again(call) or _is_entered_again(call.run):
        return (
            _(
                "Instance %(above)s is about to start another instance in place of instance %(pk)s, which makes the same calls. "
                "Operate on that one instead."
            )
            % named
        )
    if _can_come_back(call.run):
        return (
            _(
                "Instance %(above)s can come again to the step that started instance %(pk)s. It would then start another instance, "
                "which makes the same calls. Instance %(pk)s can continue only after instance %(above)s has ended."
            )
            % named
        )
    return ""


def _is_made_again(call: ActionCall) -> bool:
    """Whether the task that made a call, which has ended, is at it again, or will be."""
    run = call.run
    is_another_attempt = run.state == RunState.RETRYING or (run.state in OPEN and run.attempt > call.attempt)
    return is_another_attempt and (run.call_number == call.number or call.attempt < run.first_attempt)


def _is_entered_again(run: TaskRun) -> bool:
    """Whether the instance is at the run's step once more, and its task has yet to begin, or is at work."""
    instance = run.instance
    if instance.state in ENDED or instance.visit == run.visit or instance.step != run.sequence:
        return False
    now = TaskRun.objects.filter(instance=instance, visit=instance.visit, row=run.row).first()
    return now is None or now.state in OPEN


def _can_come_back(run: TaskRun) -> bool:
    """Whether the instance can come to the run's step again with nobody operating on it. An operator is asked then."""
    return run.instance.state not in ENDED and run.sequence in steps_ahead(run.instance)


def unheard(instance: RunningProcesses) -> str:
    """Says so where no call waits any more for a failed instance that one has started. Blank where it is not so."""
    call = instance.parent
    if call is None or call.ended_at is None or instance.state != InstanceState.FAILED:
        return ""
    above = call.run.instance
    named = {"above": above.pk, "pk": instance.pk}
    told = (
        _("Instance %(above)s, which started instance %(pk)s, no longer waits for it, and does not learn what it does.")
        % named
    )
    if above.state in FINAL:
        return told
    if call.run.state == RunState.FAILED and call.run.visit == above.visit:
        again = _("If instance %(above)s is retried, it starts another instance, which makes all these calls again.")
    else:
        again = _(
            "If instance %(above)s is sent back to that step, it starts another instance, which makes all these calls again."
        )
    return f"{told} {again % named}"


def why_not_replace(instances: Sequence[RunningProcesses], *, cancelled: Collection[int] = ()) -> str:
    """Why no others may be started in place of these: one of them, or below them, has not ended, and would make the same calls
    at the same time. An operator had it continue by itself. Blank where all have ended, or are `cancelled` before.
    """
    if one := _going_on(instances, cancelled):
        return _(
            "Instance %(pk)s (%(process)s), which is %(state)s, has not ended. Another instance could be started in its place, "
            "and would make the same calls. Wait until instance %(pk)s has ended, or cancel it."
        ) % {"pk": one.pk, "process": one.process_name, "state": one.state}
    return ""


def continues_alone(instance: RunningProcesses, *, cancelled: Collection[int] = ()) -> str:
    """Says which instance, below this one, goes on though nothing waits for it. Blank for none."""
    if one := _going_on(_below([instance]), cancelled):
        return _(
            "Instance %(pk)s (%(process)s, %(state)s) continues by itself, and instance %(above)s does not learn what it does. "
            "Cancel instance %(pk)s if it must not continue."
        ) % {"pk": one.pk, "process": one.process_name, "state": one.state, "above": instance.pk}
    return ""


def _going_on(instances: Sequence[RunningProcesses], cancelled: Collection[int]) -> RunningProcesses | None:
    """The first of these, or of those below them, that has not ended, and is not cancelled."""
    while instances:
        if one := next((one for one in instances if one.state not in ENDED and one.pk not in cancelled), None):
            return one
        instances = _below(instances)
    return None


def replaces(instances: Sequence[RunningProcesses]) -> str:
    """Says that others would be started in place of these. Blank for none."""
    if not instances:
        return ""
    shown = [f"{one.pk} ({one.process_name}, {one.state})" for one in instances[:MOST_LISTED]]
    if more := len(instances) - len(shown):
        shown.append(_("%(count)d more") % {"count": more})
    return _("Starts new instances in place of these, and no longer waits for these: %(listed)s.") % {
        "listed": ", ".join(shown)
    }

"""Instances that calls have started: what an operator who has one of them go on, or the call made again, has to know."""

from collections.abc import Iterable, Sequence

from django.utils.translation import gettext as _

from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState
from workflow.models.states import ENDED, OPEN

STARTING = ("run_process", "run_all")
"""Calls that start instances and wait for them; that of a task which is another process has the name of the first."""

MOST_LISTED = 10
"""Instances that one sentence lists."""


def started_by(calls: Iterable[ActionCall]) -> list[RunningProcesses]:
    """The instances that these calls have started, the oldest first."""
    begun = [call.pk for call in calls if call.name in STARTING]
    return list(RunningProcesses.objects.filter(parent__in=begun).order_by("pk")) if begun else []


def calls_below(instances: Sequence[RunningProcesses]) -> list[ActionCall]:
    """The calls that these instances have made, and those below them: others in their place would make them, too."""
    found: list[ActionCall] = []
    while instances:
        made = ActionCall.objects.filter(run__instance__in=[one.pk for one in instances], ended_at__isnull=False)
        calls = list(made.select_related("run").order_by("run__instance", "pk"))
        found += calls
        instances = started_by(calls)
    return found


def replaced_by(instance: RunningProcesses) -> RunningProcesses | None:
    """The instance that the same call of another attempt has started in place of this one, unless it was cancelled."""
    call = instance.parent
    if call is None:
        return None
    again = RunningProcesses.objects.filter(
        parent__run=call.run_id, parent__number=call.number, place=instance.place, process_name=instance.process_name
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
    named = {"pk": instance.pk, "above": call.run.instance_id}
    if other := replaced_by(instance):
        return _(
            "Instance %(other)s, which is %(state)s, was started in place of instance %(pk)s, and makes the same calls. "
            "Operate on that one instead. Instance %(pk)s can continue only after that one is cancelled."
        ) % {**named, "other": other.pk, "state": other.state}
    if _is_made_again(call):
        return (
            _(
                "Instance %(above)s is about to start another instance in place of instance %(pk)s, which makes the same calls. "
                "Operate on that one instead."
            )
            % named
        )
    return ""


def _is_made_again(call: ActionCall) -> bool:
    """Whether the task that made a call, which has ended, is at it again, or will be."""
    run = call.run
    is_another_attempt = run.state == RunState.RETRYING or (run.state in OPEN and run.attempt > call.attempt)
    return is_another_attempt and (run.call_number == call.number or call.attempt < run.first_attempt)


def unheard(instance: RunningProcesses) -> str:
    """Says so where no call waits any more for a failed instance that one has started. Blank where it is not so."""
    call = instance.parent
    if call is None or call.ended_at is None or instance.state != InstanceState.FAILED:
        return ""
    return _(
        "Instance %(above)s, which started instance %(pk)s, no longer waits for it, and does not learn what it does. "
        "If instance %(above)s is retried, it starts another instance, which makes all these calls again."
    ) % {"above": call.run.instance_id, "pk": instance.pk}


def why_not_replace(instances: Sequence[RunningProcesses]) -> str:
    """Why no others may be started in place of these: one of them, or below them, has not ended, and would make the same calls
    at the same time. An operator had it continue by itself. Blank where all have ended."""
    while instances:
        if one := next((one for one in instances if one.state not in ENDED), None):
            return _(
                "Instance %(pk)s (%(process)s), which is %(state)s, has not ended. Another instance would be started in its place, "
                "and would make the same calls. Wait until instance %(pk)s has ended, or cancel it."
            ) % {"pk": one.pk, "process": one.process_name, "state": one.state}
        below = RunningProcesses.objects.filter(parent__run__instance__in=[one.pk for one in instances])
        instances = list(below.order_by("pk"))
    return ""


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

"""What people and programs ask for. Admin, pages, commands and API all go through these functions.

Each checks who asks, opens one plain transaction (so that a project can call it inside its own), and raises a
`WorkflowError` that says what is wrong; then nothing was changed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from workflow import approvers, clock, conf, flow, history, starting, transitions, values
from workflow.code.waits import MAX_SIGNAL
from workflow.errors import (
    AlreadyDecided,
    BadData,
    NoSuchInstance,
    NoSuchUser,
    NotAllowed,
    NothingWaits,
    suggestion,
)
from workflow.models import (
    ActionCall,
    Priority,
    Process,
    RunningProcesses,
    RunState,
    Signal,
    TaskRun,
    WaitingForApproval,
)
from workflow.models.states import ENDED
from workflow.purging import purge
from workflow.starting import findings, processes_named

__all__ = [
    "approve",
    "decide_all",
    "findings",
    "may_decide",
    "processes_named",
    "purge",
    "reject",
    "signal",
    "start",
    "start_many",
    "user_named",
    "who_was_quicker",
]


MAX_COMMENT = 2_000
"""Characters of a comment on a decision."""


def start(
    process: Process | str,
    data: Mapping[str, Any] | None = None,
    user: Any = None,
    *,
    subject: Model | None = None,
    priority: Priority | None = None,
) -> RunningProcesses:
    """Start one instance of a process with `data`; `user` is who asked for it, `subject` any saved object that it is about; `priority`
    takes the place of the process's own.

    Inside a transaction of the caller's, it starts only if that commits. Raises `NoSuchProcess`, `NotStartable`,
    `BadData`.
    """
    name = process.name if isinstance(process, Process) else process
    return start_many([name], data, user=user, subject=subject, priority=priority)[0]


def start_many(
    names: Sequence[str],
    data: Mapping[str, Any] | None = None,
    *,
    user: Any = None,
    subject: Model | None = None,
    priority: Priority | None = None,
    count: int = 1,
) -> list[RunningProcesses]:
    """Start `count` instances of each named process, each with a copy of `data`: all of them, or none.

    Raises as `start` does.
    """
    if subject is not None and subject.pk is None:
        raise BadData(f"The subject, {subject!r}, has not been saved: save it first.")
    starts = [one for one in starting.prepare([(name, data) for name in names]) for _ in range(count)]
    with transaction.atomic():
        return starting.begin(starts, user=user, now=clock.now(), subject=subject, priority=priority)


def who_was_quicker(run: TaskRun) -> str:
    """Who decided a task run that waits no more, what, and when."""
    what = f"{run.task_name!r} of instance {run.instance_id}"
    asked_by_code = run.call_number > 0
    if asked_by_code or run.ended_at is None or run.state not in {RunState.FINISHED, RunState.REJECTED}:
        return f"{what} waits no more: the instance has moved on. Nothing was changed."
    who = run.decided_by.get_username() if run.decided_by else "The command line"
    did = "approved" if run.state == RunState.FINISHED else "rejected"
    when = timezone.localtime(run.ended_at)
    return f"{who} {did} {what} at {when:%Y-%m-%d %H:%M}. Nothing was changed."


def approve(waiting: WaitingForApproval, *, by: Any = None, comment: str = "") -> TaskRun:
    """Approve a waiting task. `by` is who decides; `None` is the operator at the command line.

    Raises `AlreadyDecided` or `NotAllowed`.
    """
    return _decide(waiting, approved=True, by=by, comment=comment)


def reject(waiting: WaitingForApproval, *, by: Any = None, comment: str = "") -> TaskRun:
    """Reject a waiting task, as `approve` approves it."""
    return _decide(waiting, approved=False, by=by, comment=comment)


def decide_all(
    process: str,
    task: str,
    *,
    approved: bool,
    instance: int | None = None,
    by: Any = None,
    comment: str = "",
) -> list[WaitingForApproval]:
    """Decide all that waits for a task of a process, or what waits of one instance: all of it, or none.

    Returns what was decided. Raises `NothingWaits`, `AlreadyDecided` or `NotAllowed`.
    """
    with transaction.atomic():
        waiting = list(_waiting(process, task, instance))
        if not waiting:
            raise NothingWaits(_why_nothing_waits(process, task, instance))
        for one in waiting:
            _decide(one, approved=approved, by=by, comment=comment)
    return waiting


def signal(
    name: str,
    payload: Any = None,
    *,
    instance: int | None = None,
    process: str = "",
    transient: bool = False,
) -> list[int]:
    """Send a signal; returns the ids of the instances that it has reached.

    It is delivered once: to the instance that has waited longest for it, or, where none waits, to the first that will.
    `instance` or `process` say which may take it. A `transient` one reaches all that wait now, and is not kept.
    Raises `BadData`, `NoSuchProcess`, `NoSuchInstance`.
    """
    payload = _checked_signal(name, payload, instance=instance, process=process)
    now = clock.now()
    with transaction.atomic():
        box = transitions.lock_mailboxes([name])[name]
        listening = ActionCall.objects.filter(signal=name, ended_at=None, run__state=RunState.SUSPENDED)
        if instance is not None:
            listening = listening.filter(run__instance=instance)
        if process:
            listening = listening.filter(run__instance__process_name=process)
        calls = listening.select_related("run").order_by("pk")
        reached = [call.run.instance_id for call in (calls if transient else calls[:1]) if _deliver(call, payload, now)]
        if not reached and not transient:
            Signal.objects.create(mailbox=box, payload=payload, instance_id=instance, process_name=process, sent_at=now)
    return reached


def _deliver(call: ActionCall, payload: Any, now: datetime) -> bool:
    instance = transitions.locked(call.run.instance_id)
    if not transitions.answer_call(call.run, payload, now=now):
        return False
    transitions.wake(instance)
    return True


def _checked_signal(name: str, payload: Any, *, instance: int | None, process: str) -> Any:
    if not 0 < len(name.strip()) <= MAX_SIGNAL:
        raise BadData(f"A signal's name is text of 1 to {MAX_SIGNAL} characters.")
    if process:
        processes_named([process])
    if instance is not None and not RunningProcesses.objects.filter(pk=instance).exclude(state__in=ENDED).exists():
        raise NoSuchInstance(instance)
    try:
        values.check(name, "The name of the signal")
        checked = values.check(payload, "payload")
    except values.ValueProblem as problem:
        raise BadData(str(problem)) from problem
    size, limit = len(values.dumps(checked).encode()), conf.get("MAX_DATA_BYTES")
    if size > limit:
        raise BadData(f"The payload takes {size:,} bytes; the limit (MAX_DATA_BYTES) is {limit:,}.")
    return checked


def may_decide(user: Any, waiting: WaitingForApproval) -> bool:
    """Whether the user may decide: a named user, a member of a named group, a superuser; staff where none is named."""
    if not user.is_active:
        return False
    if user.is_superuser:
        return True
    names = approvers.names(waiting.approver)
    if not names:
        return bool(user.is_staff)
    return user.get_username() in names or user.groups.filter(name__in=names).exists()


def user_named(name: str) -> Any:
    """The active user of that name. Raises `NoSuchUser`."""
    model = get_user_model()
    users: QuerySet[Any] = model._default_manager.filter(is_active=True)
    found = users.filter(**{model.USERNAME_FIELD: name}).first()
    if found is None:
        raise NoSuchUser(name, users.values_list(model.USERNAME_FIELD, flat=True)[:1000])
    return found


def _decide(waiting: WaitingForApproval, *, approved: bool, by: Any, comment: str) -> TaskRun:
    if by is not None and not may_decide(by, waiting):
        raise NotAllowed(
            f"{by.get_username()} may not decide {waiting.task_name!r} of instance {waiting.rpid_id}: "
            f"it waits for {waiting.approver or 'a member of staff'}."
        )
    if len(comment) > MAX_COMMENT:
        raise BadData(f"The comment has {len(comment):,} characters; the most is {MAX_COMMENT:,}.")
    now = clock.now()
    with transaction.atomic():
        instance = transitions.locked(waiting.rpid_id)
        result = {"approved": approved, "user": by.get_username() if by else None, "comment": comment}
        if not _write_decision(waiting, result, by=by, now=now):
            raise AlreadyDecided(_who_was_quicker(waiting))
        _close_step(instance, now)
        transitions.wake(instance)
    return TaskRun.objects.get(pk=waiting.task_run_id)


def _write_decision(waiting: WaitingForApproval, result: dict[str, Any], *, by: Any, now: datetime) -> bool:
    """Whether it still waited: as a manual task, or as code that stands at `approval()`."""
    if waiting.question:
        return transitions.answer_call(waiting.task_run, {**result, "data": {}}, now=now)
    return transitions.decide_run(
        waiting.task_run,
        state=RunState.FINISHED if result["approved"] else RunState.REJECTED,
        result=result,
        by=by,
        comment=result["comment"],
        now=now,
    )


def _close_step(instance: RunningProcesses, now: Any) -> None:
    """Cancel what this decision leaves without effect at once, so that nobody decides it in vain."""
    position = history.position_of(instance, history.runs_of_step(instance).values())
    decision = flow.decide(instance.version.frozen, position, conf.limits())
    if not isinstance(decision, flow.Stay):
        transitions.cancel_runs(instance, decision.cancelled, now=now)


def _who_was_quicker(waiting: WaitingForApproval) -> str:
    run = TaskRun.objects.select_related("decided_by").filter(pk=waiting.task_run_id).first()
    return who_was_quicker(run or waiting.task_run)


def _waiting(process: str, task: str, instance: int | None) -> QuerySet[WaitingForApproval]:
    waiting = WaitingForApproval.objects.filter(process_name=process, task_name=task).select_related("task_run")
    # One order for all deciders: two that decide the same instances can't wait for each other.
    return waiting.order_by("rpid_id") if instance is None else waiting.filter(rpid=instance)


def _why_nothing_waits(process: str, task: str, instance: int | None) -> str:
    if instance is not None:
        return _why_it_does_not_wait(process, task, instance)
    known = WaitingForApproval.objects.order_by().values_list("process_name", "task_name").distinct()[:100]
    pairs = [f"{known_process} / {known_task}" for known_process, known_task in known]
    if not pairs:
        return f"Nothing waits for {process!r} {task!r}; nothing waits at all."
    return f"Nothing waits for {process!r} {task!r}.{suggestion(f'{process} / {task}', pairs)}"


def _why_it_does_not_wait(process: str, task: str, key: int) -> str:
    instance = RunningProcesses.objects.filter(pk=key).first()
    if instance is None:
        return f"There is no instance {key}."
    if instance.process_name != process:
        return f"Instance {key} is of {instance.process_name!r}, not of {process!r}."
    waiting = ", ".join(repr(name) for name in instance.waiting.order_by("pk").values_list("task_name", flat=True))
    so = f"there waits {waiting}" if waiting else f"the instance is {instance.state}"
    return f"{task!r} of instance {key} does not wait; {so}."

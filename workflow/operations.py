"""What people and programs ask for. Admin, pages, commands and API all go through these functions.

Each checks who asks, opens one plain transaction (so that a project can call it inside its own), and raises a
`WorkflowError` that says what is wrong; then nothing was changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from workflow import clock, starting, transitions, values
from workflow.code.waits import MAX_SIGNAL
from workflow.errors import (
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
    WaitingForApproval,
)
from workflow.models.drafts import start_form
from workflow.models.states import ENDED
from workflow.origin import CODE, Via
from workflow.people.absences import delete_absence, save_absence, why_not_absence
from workflow.people.answers import answers_from
from workflow.people.deadlines import what_comes, why_due
from workflow.people.decide import approve, decide, reject, who_was_quicker
from workflow.people.hand import claim, delegate, release, resolve_again
from workflow.people.instructions import instructions_html
from workflow.people.rights import Rights, decidable, inbox, may_decide, why_not
from workflow.people.seen import seen_token
from workflow.people.starters import may_start, startable
from workflow.people.uploads import attach, keep_upload, may_read
from workflow.people.uploads import discard as discard_uploads
from workflow.people.uploads import sweep as sweep_uploads
from workflow.people.visible import data_for, may_see, sees_all, sees_inside, visible_to
from workflow.purging import purge
from workflow.resigning import resign
from workflow.size import refuse_too_large
from workflow.starting import findings, findings_of_version, processes_named, ready, running_versions

__all__ = [
    "Rights",
    "answers_from",
    "approve",
    "claim",
    "data_for",
    "decidable",
    "decide_all",
    "delegate",
    "delete_absence",
    "discard_uploads",
    "findings",
    "findings_of_version",
    "inbox",
    "instructions_html",
    "keep_upload",
    "may_decide",
    "may_read",
    "may_see",
    "may_start",
    "processes_named",
    "purge",
    "ready",
    "reject",
    "release",
    "resign",
    "resolve_again",
    "running_versions",
    "save_absence",
    "seen_token",
    "sees_all",
    "sees_inside",
    "signal",
    "start",
    "start_form",
    "start_many",
    "startable",
    "started_as",
    "sweep_uploads",
    "user_named",
    "visible_to",
    "what_comes",
    "who_was_quicker",
    "why_due",
    "why_not",
    "why_not_absence",
]

LONGEST_KEY = 200
"""Characters of what names a start."""


def start(
    process: Process | str,
    data: Mapping[str, Any] | None = None,
    user: Any = None,
    *,
    subject: Model | None = None,
    priority: Priority | None = None,
    once: str | None = None,
    via: Via = CODE,
) -> RunningProcesses:
    """Start one instance of a process with `data`; `user` is who asked for it, `subject` any saved object that it is about; `priority`
    takes the place of the process's own, and `via` says how it is started, for the history.

    `once` names this very start, such as "invoice 2026-17": asked for again under the same name, also at the same
    moment, it starts nothing and returns the instance that is there.

    Inside a transaction of the caller's, it starts only if that commits. Raises `NoSuchProcess`, `NotStartable`,
    `BadData`; and `NotAllowed` where the process names who may start it, and this user is not among them.
    """
    name = process.name if isinstance(process, Process) else process
    about: dict[str, Any] = {"user": user, "subject": subject, "priority": priority, "via": via}
    if once is None:
        return _start([(name, data)], **about)[0]
    if (there := started_as(once)) is not None:
        return there
    try:
        return _start([(name, data)], **about, key=once)[0]
    except IntegrityError:
        if (there := started_as(once)) is None:
            raise
        return there


def started_as(once: str) -> RunningProcesses | None:
    """The instance of the start of that name, if there was one. Raises `BadData` for what can't be a name."""
    if not 0 < len(once.strip()) <= LONGEST_KEY or "\0" in once:
        raise BadData(_("The name of a start is text of 1 to %(most)s characters.") % {"most": LONGEST_KEY})
    return RunningProcesses.objects.filter(start_key=once).first()


def start_many(
    names: Sequence[str] | str,
    data: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
    *,
    user: Any = None,
    subject: Model | None = None,
    priority: Priority | None = None,
    count: int = 1,
    via: Via = CODE,
) -> list[RunningProcesses]:
    """Start `count` instances of each named process, each with a copy of `data`; or so many with each of a list of data: all of
    them, or none. They are returned in the order of the names, and of the list.

    Raises as `start` does.
    """
    of = [names] if isinstance(names, str) else names
    each = data if isinstance(data, list | tuple) else [data]
    wanted = [(name, one) for name in of for one in each]
    return _start(wanted, user=user, subject=subject, priority=priority, count=count, via=via)


def _start(
    wanted: Sequence[tuple[str, Any]],
    *,
    user: Any,
    subject: Model | None,
    priority: Priority | None,
    count: int = 1,
    key: str = "",
    via: Via,
) -> list[RunningProcesses]:
    if subject is not None and subject.pk is None:
        raise BadData(_("The subject, %(subject)r, has not been saved: save it first.") % {"subject": subject})
    if priority is not None and priority not in Priority.values:
        known = ", ".join(f"{one.name} ({one:d})" for one in Priority)
        raise BadData(_("The priority is one of %(known)s, not %(given)r.") % {"known": known, "given": priority})
    starts = [one for one in starting.prepare(wanted) for _ in range(count)]
    if user is not None:
        _refuse_starter(user, {one.process for one in starts})
    with transaction.atomic():
        about: dict[str, Any] = {"subject": subject, "priority": priority, "key": key, "via": via}
        begun = starting.begin(starts, user=user, now=clock.now(), **about)
        for one, instance in zip(starts, begun, strict=True):
            attach(one.definition.fields, one.data, instance, by=user)
    return begun


def _refuse_starter(user: Any, processes: Iterable[Process]) -> None:
    """Where nobody is named, a program may start it for anybody: what a page permits is the page's to ask."""
    for process in processes:
        if process.starters and not may_start(user, process):
            raise NotAllowed(
                _("%(user)s may not start %(name)r: it is started by %(starters)s.")
                % {"user": user.get_username(), "name": process.name, "starters": process.starters}
            )


def decide_all(
    process: str,
    task: str,
    *,
    approved: bool,
    instance: int | None = None,
    by: Any = None,
    comment: str = "",
    answers: Mapping[str, Any] | None = None,
    via: Via = CODE,
) -> list[WaitingForApproval]:
    """Decide all that waits for a task of a process, or what waits of one instance: all of it, or none.

    Returns what was decided. Raises `NothingWaits`, `AlreadyDecided`, `NotAllowed` or `BadData`.
    """
    rights = None if by is None else Rights(by)
    with transaction.atomic():
        waiting = list(_waiting(process, task, instance))
        if not waiting:
            raise NothingWaits(_why_nothing_waits(process, task, instance))
        for one in waiting:
            decide(one, approved=approved, rights=rights, comment=comment, answers=answers or {}, via=via)
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
        raise BadData(_("A signal's name is text of 1 to %(most)s characters.") % {"most": MAX_SIGNAL})
    if process:
        processes_named([process])
    if instance is not None and not RunningProcesses.objects.filter(pk=instance).exclude(state__in=ENDED).exists():
        raise NoSuchInstance(instance)
    try:
        values.check(name, _("The name of the signal"))
        checked = values.check(payload, "payload")
    except values.ValueProblem as problem:
        raise BadData(str(problem)) from problem
    refuse_too_large(checked, _("The payload takes %(size)s bytes; the limit (MAX_DATA_BYTES) is %(limit)s."))
    return checked


def user_named(name: str) -> Any:
    """The active user of that name. Raises `NoSuchUser`."""
    model = get_user_model()
    users: QuerySet[Any] = model._default_manager.filter(is_active=True)
    # PostgreSQL can't even be asked for a name with a NUL.
    found = None if "\0" in name else users.filter(**{model.USERNAME_FIELD: name}).first()
    if found is None:
        raise NoSuchUser(name, users.values_list(model.USERNAME_FIELD, flat=True)[:1000])
    return found


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
        return _("Nothing waits for %(process)r %(task)r; nothing waits at all.") % {"process": process, "task": task}
    return _("Nothing waits for %(process)r %(task)r.") % {
        "process": process,
        "task": task,
    } + suggestion(f"{process} / {task}", pairs)


def _why_it_does_not_wait(process: str, task: str, key: int) -> str:
    instance = RunningProcesses.objects.filter(pk=key).first()
    if instance is None:
        return _("There is no instance %(key)s.") % {"key": key}
    if instance.process_name != process:
        return _("Instance %(key)s is of %(process_name)r, not of %(process)r.") % {
            "key": key,
            "process_name": instance.process_name,
            "process": process,
        }
    waiting = ", ".join(repr(name) for name in instance.waiting.order_by("pk").values_list("task_name", flat=True))
    so = (
        _("there waits %(waiting)s") % {"waiting": waiting}
        if waiting
        else _("the instance is %(state)s") % {"state": instance.state}
    )
    return _("%(task)r of instance %(key)s does not wait; %(so)s.") % {"task": task, "key": key, "so": so}

"""The task that an address names, for who has to do with it. It is named by its task run, which stays when it is decided."""

from typing import Any

from django.db.models import Prefetch
from django.http import Http404
from django.utils.translation import gettext as _

from workflow import approvers, moments, operations
from workflow.deciding import May
from workflow.models import Assignee, Decision, RunState, TaskRun, WaitingForApproval
from workflow.models.people import names_of
from workflow.models.waiting import LONGEST_NUMBER
from workflow.views.facts import full_name

_HEAVY = ("snapshot", "log", "changes", "result")


def found_run(user: Any, key: int) -> tuple[TaskRun, WaitingForApproval | None]:
    """The task run, and what waits of it, if it still waits. Raises `Http404`, also for users whom it does not concern:
    they can't tell whether there is one.
    """
    run, waiting = _found(key)
    if waiting is not None and not waiting.assignees.all():
        run, waiting = _found(key)  # it asks nobody: somebody has decided between the queries
    if not _concerns(user, run, waiting):
        raise Http404
    return run, waiting


def _found(key: int) -> tuple[TaskRun, WaitingForApproval | None]:
    run = _run(key)
    if run is None:
        raise Http404
    waiting: WaitingForApproval | None = getattr(run, "waiting", None)
    if waiting is not None:
        waiting.rpid, waiting.task_run = run.instance, run
    return run, waiting


def _run(key: int) -> TaskRun | None:
    related = ("instance__version", "instance__started_by", "decided_by", "waiting__claimed_by")
    if len(str(key)) >= LONGEST_NUMBER:
        return None
    runs = TaskRun.objects.select_related(*related).defer(*_HEAVY)
    return (
        runs.prefetch_related(Prefetch("waiting__assignees", queryset=Assignee.objects.with_names()), "waiting__barred")
        .filter(pk=key)
        .first()
    )


def _concerns(user: Any, run: TaskRun, waiting: WaitingForApproval | None) -> bool:
    rights = operations.Rights.kept(user)
    if waiting is not None and isinstance(rights.to(waiting), May):
        return True
    return operations.may_see(user, run.instance, rights) or (waiting is None and _was_asked(user, run))


def _was_asked(user: Any, run: TaskRun) -> bool:
    """Whether the task's definition names the user: who comes too late learns who was quicker."""
    task = run.instance.version.frozen.task(run.task_name)
    if not task.manual or approvers.is_expression(task.approver):
        return False
    names = approvers.names(task.approver)
    if not names:
        return bool(user.is_staff)
    return not names_of(user).isdisjoint(names)


def told(run: TaskRun, user: Any) -> dict[str, Any]:
    """What a page says of a task that waits no more: who decided it, or that nobody has to any more."""
    votes = Decision.objects.filter(task_run=run).select_related("user", "on_behalf_of").defer("answers", "saw")
    return {
        "title": run.task_name,
        "run": run,
        "instance": run.instance,
        "sentence": _outcome(run, user),
        "votes": list(votes.order_by("-pk")[:20]),
        "may_see": operations.may_see(user, run.instance, operations.Rights.kept(user)),
    }


def _outcome(run: TaskRun, user: Any) -> str:
    decision = run.decision
    if decision.user is None or run.ended_at is None or run.state not in {RunState.FINISHED, RunState.REJECTED}:
        return _("It waits no more: it was decided, or the instance has moved on.")
    at = moments.to_the_minute(run.ended_at)
    if run.decided_by_id == user.pk:
        text = _("You approved it at %(at)s.") if run.state == RunState.FINISHED else _("You rejected it at %(at)s.")
    elif run.state == RunState.FINISHED:
        text = _("%(who)s approved it at %(at)s.")
    else:
        text = _("%(who)s rejected it at %(at)s.")
    return text % {"who": full_name(decision.user), "at": at}

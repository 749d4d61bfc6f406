"""What operators pass over who send an instance on without the people who would have decided: it takes a right of its own."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Max
from django.utils.translation import gettext as _

from workflow.definition import Definition, TaskDefinition
from workflow.errors import BadData, NotAllowed
from workflow.flow import RowStatus
from workflow.models import ActionCall, InstanceState, Process, RunningProcesses, RunState, TaskRun
from workflow.models.drafts import draft
from workflow.models.states import OPEN
from workflow.reading import APPROVAL, may_ask
from workflow.routes import routes
from workflow.undecided import Way

OVERRIDE = "workflow.override_decision"
"""The permission to pass over what people have not decided, for a reason that is given."""

MOST_LISTED = 400
"""Characters of the names of tasks that one sentence lists."""


def passed_over(instance: RunningProcesses, *, to: int) -> tuple[str, ...]:
    """The names of the tasks that an instance leaves undecided if it is sent to that step."""
    return _Asked(instance).on_the_way(to)


def passed_over_by_each(instance: RunningProcesses) -> dict[int, tuple[str, ...]]:
    """The same for each step of its process."""
    asked = _Asked(instance)
    return {step: asked.on_the_way(step) for step in asked.definition.sequences}


def passed_over_by_skipping(instance: RunningProcesses, runs: Iterable[TaskRun]) -> tuple[str, ...]:
    """Those of these task runs, all of the instance's step, that people have not decided."""
    asked = _Asked(instance)
    return tuple(dict.fromkeys(run.task_name for run in runs if asked(run.row)))


def refuse_override(user: Any, tasks: Sequence[str], reason: str) -> None:
    """Raises `NotAllowed` or `BadData` unless the user may pass over these tasks, and says why; a program (`None`) may."""
    if not tasks or user is None:
        return
    if not user.has_perm(OVERRIDE):
        raise NotAllowed(
            _("%(user)s may not pass over %(tasks)s, which nobody has decided: it takes the permission %(permission)s.")
            % {"user": user.get_username(), "tasks": listed(tasks), "permission": OVERRIDE}
        )
    if not reason.strip():
        raise BadData(
            _("This passes over %(tasks)s, which nobody has decided. Give a reason.") % {"tasks": listed(tasks)}
        )


def listed(tasks: Sequence[str]) -> str:
    """The names of tasks, as a sentence lists them; of very many those that come first."""
    shown: list[str] = []
    for task in tasks:
        if sum(map(len, shown)) + len(task) > MOST_LISTED and shown:
            return _("%(tasks)s and %(count)d more") % {"tasks": ", ".join(shown), "count": len(tasks) - len(shown)}
        shown.append(repr(task[:MOST_LISTED]))
    return ", ".join(shown)


class _Asked:
    """Tells of which rows of an instance people decide the task, and have not done so at its step."""

    def __init__(self, instance: RunningProcesses) -> None:
        self.definition = instance.version.frozen
        self._instance = instance
        newest = TaskRun.objects.filter(instance=instance).order_by().values("row").annotate(newest=Max("pk"))
        runs = TaskRun.objects.filter(pk__in=newest.values("newest")).only(
            "instance", "visit", "row", "sequence", "state", "first_attempt"
        )
        self._runs = {run.row: run for run in runs if run.sequence != instance.step or run.visit == instance.visit}
        self._known: dict[int, bool] = {}
        self._ways = routes(self.definition)

    def __call__(self, row: int) -> bool:
        if row not in self._known:
            self._known[row] = self._asks(row)
        return self._known[row]

    def on_the_way(self, to: int) -> tuple[str, ...]:
        """What is left undecided on the way to that step."""
        statuses = {row: _status(run) for row, run in self._runs.items()}
        return Way(
            definition=self.definition, statuses=statuses, here=self._instance.step, to=to, asks=self, ways=self._ways
        ).passes_over()

    def _asks(self, row: int) -> bool:
        task, run = self.definition.task_of(row), self._runs.get(row)
        if task.manual:
            return True
        if run is None or run.visit != self._instance.visit:
            return _asks(task, set())
        children = list(RunningProcesses.objects.filter(parent__run=run).order_by("pk"))
        if any(child.state != InstanceState.FINISHED and _is_asked(child.version.frozen) for child in children):
            return True
        return _asks(task, set()) if task.subprocess and not children else may_ask(task.code, answered=_answered(run))


def _status(run: TaskRun) -> RowStatus:
    return RowStatus.OPEN if run.state in OPEN else RowStatus[RunState(run.state).name]


def _answered(run: TaskRun) -> int:
    """How many questions of its code people have decided."""
    asked = ActionCall.objects.filter(run=run, name=APPROVAL, attempt__gte=run.first_attempt)
    return asked.filter(ended_at__isnull=False, error__isnull=True).count()


def _is_asked(definition: Definition) -> bool:
    return any(_asks(task, {definition.name}) for task in definition.tasks)


def _asks(task: TaskDefinition, seen: set[str]) -> bool:
    """Whether people decide a task, or anything of the process that it is, as that is drafted now."""
    if task.manual or may_ask(task.code):
        return True
    if not task.subprocess or task.subprocess in seen:
        return False
    seen.add(task.subprocess)
    process = Process.objects.filter(name=task.subprocess).first()
    return process is not None and any(_asks(one, seen) for one in draft(process).tasks)

"""An instance's next turn: what its outcomes mean, what begins, and what it waits for."""

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workflow import conf, durations, flow, history, keys, starting, values
from workflow.circle import Apart, circle_asked
from workflow.code.execute import DISAGREES
from workflow.code.failure import failure
from workflow.code.job import Completed, Errored, Suspended
from workflow.code.job import Outcome as CodeOutcome
from workflow.code.runner import Runner
from workflow.code.waits import ForChildren, ForPeople
from workflow.deciding import Circle
from workflow.definition import TaskDefinition
from workflow.engine.entry import Evaluating, Verdicts, verdicts
from workflow.engine.held import Declined, Held, Report
from workflow.engine.retry import retry_at
from workflow.models import (
    ActionCall,
    InstanceState,
    RunningProcesses,
    RunState,
    Task,
    TaskRun,
    WaitingForApproval,
    bulk,
)
from workflow.models.states import OPEN
from workflow.people.deadlines import set_deadlines
from workflow.starting import Start
from workflow.transitions import Asked, Turn

NOTICE = 100
"""Characters: more than `workflow.code.log` says of what it has not kept."""

FINAL = frozenset({DISAGREES, "SnapshotTampered"})
"""Errors that no further attempt can mend."""


class PeopleAreLate(Exception):
    """A deadline of what waits for people has come: it is to be kept before there is anything to plan."""

    def __init__(self, now: datetime) -> None:
        self.now = now


@dataclass(kw_only=True)
class Planner:
    """Plans turns. It evaluates conditions and approvers in the sandbox, so never inside a transaction: by the `runner` of the
    thread that it goes on in, which may be another one after each condition.
    """

    runner: Runner
    clock: Callable[[], datetime]
    jitter: Callable[[], float] = random.random
    limits: flow.Limits = field(default_factory=conf.limits)

    def turn(self, held: Held) -> Evaluating[Turn | None]:
        """What to write next, or `None` where nothing is new and code is still running. Raises `PeopleAreLate`."""
        now = self.clock()
        due = [run for run in held.runs.values() if run.due_at and run.due_at <= now]
        if due and any(run.state == RunState.WAITING for run in due):
            raise PeopleAreLate(now)
        # In this order, a run that has just failed is written as waiting for its retry, however short the delay.
        overdue = _time_out(held, now)
        woken = _wake(due)
        begun, asked = yield from self._begin_pending(held, now)
        changed = [*overdue, *woken, *begun, *self._take_reports(held, now)]
        turn = yield from self._decided(held, changed, now)
        if turn is None:
            return None
        reported = [(run, held.reports[run.place]) for run in changed if run.place in held.reports]
        turn.calls = [call for _, report in reported for call in report.calls]
        turn.waiting = [
            *turn.waiting,
            *asked,
            *(one for run, report in reported if (one := _asked(held, run, report, now))),
        ]
        turn.children = [family for run, report in reported if (family := _begun(run, report))]
        turn.parent, turn.woken, turn.at = held.instance.parent, woken, now
        return turn

    def _decided(self, held: Held, changed: list[TaskRun], now: datetime) -> Evaluating[Turn | None]:
        position = held.position
        if not position.entered:
            return (yield from self._enter(held, position, changed=changed, now=now))
        match flow.decide(held.definition, position, self.limits):
            case flow.Stay():
                return _stay(held, changed)
            case flow.Go() as go:
                changed += _cancel(held, go.cancelled, now)
                return (yield from self._enter(held, go.position, changed=changed, now=now))
            case flow.End() as end:
                changed += _cancel(held, end.cancelled, now)
                return _end(end, changed, now)

    def _take_reports(self, held: Held, now: datetime) -> list[TaskRun]:
        # A run that is no longer running was cancelled meanwhile: its step ended without it.
        reported = [run for run in held.running() if run.place in held.reports]
        for run in reported:
            self._report(held, run, held.reports[run.place], now)
        return reported

    def _report(self, held: Held, run: TaskRun, report: Report, now: datetime) -> None:
        run.log, run.snapshot, run.call_number = _log(report.log), report.snapshot, report.call_number
        run.begun = 0  # its code has come to something: a call that another attempt makes begins anew
        match _within_limit(report.outcome, self.limits.max_data_bytes):
            case Suspended(wait=wait):
                run.state, run.due_at = RunState.SUSPENDED, wait.due_at
            case Completed() | Declined() as outcome:
                run.snapshot = b""
                changes = flow.Changes.between(held.instance.data, outcome.data)
                run.state = RunState.REJECTED if isinstance(outcome, Declined) else RunState.FINISHED
                run.ended_at, run.error = now, None
                run.result, run.changes = outcome.result, history.changes_to_json(changes)
            case Errored() as outcome:
                self._fail(run, outcome, task=held.definition.task_of(run.row), now=now)

    def _fail(self, run: TaskRun, outcome: Errored, *, task: TaskDefinition, now: datetime) -> None:
        run.error = outcome.error.to_json()
        if run.attempt >= task.max_attempts or outcome.error.type in FINAL:
            run.state, run.ended_at = RunState.FAILED, now
            return
        run.state = RunState.RETRYING
        run.due_at = retry_at(run.attempt, delay=task.retry_delay, now=now, jitter=self.jitter())
        run.log = _log(f"{run.log}[attempt {run.attempt} of {task.max_attempts} failed: {outcome.error}]\n")

    def _begin_pending(self, held: Held, now: datetime) -> Evaluating[tuple[list[TaskRun], list[Asked]]]:
        """Begin what an operator has reopened, as on entering its step."""
        pending = [run for run in held.runs.values() if run.state == RunState.PENDING]
        if not pending:
            return [], []
        attempts = {
            run.row: run.attempt for run in held.runs.values() if run.state in {RunState.PENDING, RunState.WAITING}
        }
        starts, circles = yield from verdicts(held.definition, held.position, self._evaluate, held.instance, attempts)
        for run in pending:
            _begin(run, starts[run.row], task=held.definition.task_of(run.row), now=now)
        waiting = [run for run in pending if run.state == RunState.WAITING]
        return pending, [_queued(held, run, circles[run.row], now) for run in waiting]

    def _enter(
        self, held: Held, position: flow.Position, *, changed: Sequence[TaskRun], now: datetime
    ) -> Evaluating[Turn]:
        attempts = dict.fromkeys(held.definition.step(position.sequence), 1)
        starts, circles = yield from verdicts(held.definition, position, self._evaluate, held.instance, attempts)
        entered = flow.enter(held.definition, position, starts)
        created = _new_runs(held, entered, starts, now)
        waiting = [_queued(held, run, circles[run.row], now) for run in created if run.row in circles]
        state, due_at = _rest(created)
        # What can't even begin may decide the step at once.
        if state != InstanceState.RUNNING and not self._stays(held, entered):
            state, due_at = InstanceState.RUNNING, None
        return Turn(
            state=state,
            due_at=due_at,
            fields=_cursor(entered),
            changed=changed,
            created=created,
            waiting=waiting,
        )

    def _evaluate(self, expression: str, **given: Any) -> Completed | Errored:
        return self.runner.evaluate(expression, **given)

    def _stays(self, held: Held, entered: flow.Position) -> bool:
        return isinstance(flow.decide(held.definition, entered, self.limits), flow.Stay)


def _within_limit(outcome: CodeOutcome | Declined | Suspended, limit: int) -> CodeOutcome | Declined | Suspended:
    """The outcome, or the failure of the task that would leave more than an instance may keep (rule 7)."""
    match outcome:
        case Completed(result=result, data=data) | Declined(result=result, data=data):
            if found := values.first_larger(limit, result=result, data=data):
                message = "The {} takes {:,} bytes; the limit (MAX_DATA_BYTES) is {:,}.".format(*found, limit)
                return Errored(error=failure("TooMuchData", message), log=outcome.log)
    return outcome


def _time_out(held: Held, now: datetime) -> list[TaskRun]:
    """Fail what has not ended by its deadline, whatever it waits for, and however many attempts are left."""
    overdue = [run for run in held.runs.values() if run.state in OPEN and run.deadline and run.deadline <= now]
    for run in overdue:
        limit = timedelta(seconds=held.definition.task_of(run.row).timeout or 0)
        run.state, run.ended_at, run.due_at = RunState.FAILED, now, None
        run.error = failure(
            "TimedOut", f"The task has not ended within {durations.written(limit)}, its time-out."
        ).to_json()
    return overdue


def _wake(due: Sequence[TaskRun]) -> list[TaskRun]:
    """Begin what has waited long enough, unless it is out of time: another attempt, or what comes after the call that
    waited.
    """
    due = [run for run in due if run.state in OPEN]
    for run in due:
        run.attempt += run.state == RunState.RETRYING
        run.state, run.due_at = RunState.RUNNING, None
    return due


def _cancel(held: Held, rows: Iterable[int], now: datetime) -> list[TaskRun]:
    cancelled = [held.runs[row] for row in rows]
    for run in cancelled:
        run.state, run.ended_at, run.due_at = RunState.CANCELLED, now, None
    return cancelled


def _stay(held: Held, changed: Sequence[TaskRun]) -> Turn | None:
    state, due_at = _rest(held.runs.values())
    if state == InstanceState.RUNNING and not changed:
        return None
    return Turn(state=state, due_at=due_at, changed=changed)


def _rest(runs: Iterable[TaskRun]) -> tuple[InstanceState, datetime | None]:
    """The state of an instance that stays at its step: running, or waiting for a time, or for people alone."""
    runs = list(runs)
    if any(run.state == RunState.RUNNING for run in runs):
        return InstanceState.RUNNING, None
    return InstanceState.WAITING, min((run.next_at for run in runs if run.next_at), default=None)


def _end(end: flow.End, changed: Sequence[TaskRun], now: datetime) -> Turn:
    fields = {**_cursor(end.position), "ended_at": now, "error": end.error}
    return Turn(state=InstanceState(end.ending.value), fields=fields, changed=changed)


def _cursor(position: flow.Position) -> dict[str, Any]:
    return {
        "step": position.sequence,
        "visit": position.visit,
        "data": dict(position.data),
        "results": dict(position.results),
    }


def _new_runs(held: Held, position: flow.Position, starts: Verdicts, now: datetime) -> list[TaskRun]:
    """The task runs of a step that is entered, each with the key that it has from now on."""
    created: list[TaskRun] = []
    taken: set[str] = set()
    for row in position.rows:
        run = bulk.fresh(
            TaskRun,
            instance_id=held.instance.pk,
            task_name=held.definition.rows[row].task,
            visit=position.visit,
            row=row,
            sequence=position.sequence,
            started_at=now,
        )
        run.key = _key_of(run, held.instance, taken)
        taken.add(run.key)
        _begin(run, starts[row], task=held.definition.task_of(row), now=now)
        created.append(run)
    return created


def _key_of(run: TaskRun, instance: RunningProcesses, taken: Collection[str]) -> str:
    if not instance.token:
        return run.external_key
    return keys.run_key(instance.token, visit=run.visit, sequence=run.sequence, task=run.task_name, taken=taken)


def _begin(run: TaskRun, starts: bool | flow.Failed, *, task: TaskDefinition, now: datetime) -> None:  # noqa: FBT001 - a verdict
    """Put a task run into the state that it begins with."""
    match starts:
        case flow.Failed(error=error):
            run.state, run.error, run.ended_at = RunState.FAILED, dict(error), now
        case False:
            run.state, run.ended_at = RunState.SKIPPED, now
        case _:
            run.state = RunState.WAITING if task.manual else RunState.RUNNING
            run.deadline = now + timedelta(seconds=task.timeout) if task.timeout else None


def _begun(run: TaskRun, report: Report) -> tuple[ActionCall, list[Start]] | None:
    """What code starts that stands at `run_process()` or `run_all()`, with its call."""
    match report.outcome:
        case Suspended(wait=ForChildren(items=items)) if run.state == RunState.SUSPENDED and report.calls:
            return report.calls[-1], starting.prepare_children(items)
    return None


def _asked(held: Held, run: TaskRun, report: Report, now: datetime) -> Asked | None:
    """What people are asked by code that stands at `approval()`."""
    match report.outcome:
        case Suspended(wait=ForPeople() as wait) if run.state == RunState.SUSPENDED:
            apart = Apart(not_starter=wait.not_starter, not_same_as=wait.not_same_as)
            waiting, circle = _queued(held, run, circle_asked(wait.names, apart, held.instance), now)
            waiting.quorum, waiting.question, waiting.form = 1, wait.question, [one.to_json() for one in wait.form]
            if wait.due:
                set_deadlines(waiting, run, TaskDefinition(name=run.task_name, due=wait.due), ())
            return waiting, circle
    return None


def _queued(held: Held, run: TaskRun, circle: Circle, now: datetime) -> Asked:
    instance, task = held.instance, held.definition.task_of(run.row)
    waiting = WaitingForApproval(
        process_id=instance.process_id,
        task=Task.objects.filter(parent=instance.process_id, name=run.task_name).first(),
        rpid=instance,
        task_run=run,
        process_name=instance.process_name,
        task_name=run.task_name,
        approver=circle.text,
        quorum=task.quorum,
        queued_at=now,
    )
    if task.manual and task.due:
        set_deadlines(waiting, run, task, circle.escalate_to)
    return waiting, circle


def _log(text: str) -> str:
    if not text:
        return ""
    limit = conf.get("MAX_LOG_CHARACTERS")
    # What one execution prints is cut already, with a notice at its end; only several can come to more than that.
    return text if len(text) <= limit + NOTICE else f"[… cut]\n{text[-limit:]}"

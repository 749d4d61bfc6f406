"""An instance in an engine's hands: its rows in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from workflow import conf, flow, history
from workflow.code.job import Job, RunInfo, Suspended
from workflow.code.job import Outcome as CodeOutcome
from workflow.definition import Definition
from workflow.models import ActionCall, RunningProcesses, RunState, TaskRun
from workflow.transitions import Lease, Turn


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the code of a task run has come to: its outcome, its whole log, where it stands, and calls to be saved."""

    outcome: CodeOutcome | Suspended
    log: str
    snapshot: bytes
    call_number: int
    calls: Sequence[ActionCall] = ()


@dataclass(kw_only=True)
class Held:
    """An instance under a lease. `runs` are the task runs of its step, by row; `reports` is what code has come to
    since the last write, by task run: in a loop, the same row has a run for each visit.
    """

    lease: Lease
    instance: RunningProcesses
    definition: Definition
    runs: dict[int, TaskRun]
    reports: dict[int, Report] = field(default_factory=dict)

    @classmethod
    def load(cls, lease: Lease, instance: RunningProcesses, definition: Definition) -> "Held":
        """The instance with the task runs of its step, read from the database."""
        return cls(lease=lease, instance=instance, definition=definition, runs=history.runs_of_step(instance))

    def reloaded(self, lease: Lease, instance: RunningProcesses) -> "Held":
        """The same from the database anew, with the reports that are not written yet: that code must not run again."""
        return replace(Held.load(lease, instance, self.definition), reports=self.reports)

    @property
    def position(self) -> flow.Position:
        return history.position_of(self.instance, self.runs.values())

    def running(self) -> list[TaskRun]:
        """The task runs whose code is to run, or runs."""
        return [run for run in self.runs.values() if run.state == RunState.RUNNING]

    def next_due(self) -> datetime | None:
        """When the first of the task runs that wait for a time is to go on."""
        return min((run.due_at for run in self.runs.values() if run.due_at), default=None)

    def job(self, run: TaskRun) -> Job:
        """The code of a task run, with all that it may see."""
        task, by = self.definition.task_of(run.row), self.instance.started_by
        return Job(
            code=task.code,
            data=dict(self.instance.data),
            results=dict(self.instance.results),
            run=RunInfo(
                id=self.instance.pk,
                process=self.instance.process_name,
                task=task.name,
                attempt=run.attempt,
                started_by=by.get_username() if by else None,
            ),
            time_limit=task.time_limit or conf.get("TIME_LIMIT"),
            memory_limit=task.memory_limit or conf.get("MEMORY_LIMIT"),
            seed=f"{self.instance.pk}-{run.pk}",
        )

    def written(self, turn: Turn) -> None:
        """Take over what a turn has written."""
        self.reports = {}
        self.instance.state = turn.state
        for name, value in turn.fields.items():
            setattr(self.instance, name, value)
        if turn.created:
            self.runs = {run.row: run for run in turn.created}

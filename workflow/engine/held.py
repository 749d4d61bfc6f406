"""An instance in an engine's hands: its rows in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any

from workflow import conf, flow, history, values
from workflow.code.job import Job, RunInfo, Suspended
from workflow.code.job import Outcome as CodeOutcome
from workflow.definition import Definition
from workflow.engine.report import Line, report
from workflow.models import ActionCall, RunningProcesses, RunState, TaskRun
from workflow.transitions import Lease, Turn


@dataclass(frozen=True, kw_only=True)
class Declined:
    """A sub-process has ended REJECTED, and so the task that it is."""

    result: Any
    data: dict[str, Any]
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the code of a task run has come to: its outcome, its whole log, where it stands, and calls to be saved."""

    outcome: CodeOutcome | Declined | Suspended
    log: str
    snapshot: bytes
    call_number: int
    calls: Sequence[ActionCall] = ()


Place = tuple[int, int]
"""Of a task run: its visit and its row."""


@dataclass(kw_only=True)
class Held:
    """An instance under a lease. `runs` are the task runs of its step, by row; `reports` is what code has come to that
    no turn has taken yet.

    `turns` are what has come of it since the last write, `taken` the reports that went into them, and `news` what there
    is to tell of them once they are written. It `is_planned` while all that its last turn left to do is to run code.
    """

    lease: Lease
    instance: RunningProcesses
    definition: Definition
    runs: dict[int, TaskRun]
    reports: dict[Place, Report] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    taken: dict[Place, Report] = field(default_factory=dict)
    news: list[Line] = field(default_factory=list)
    written_at: float = field(default_factory=monotonic)
    is_planned: bool = False

    @classmethod
    def load(cls, lease: Lease, instance: RunningProcesses, definition: Definition) -> "Held":
        """The instance with the task runs of its step, read from the database."""
        return cls(lease=lease, instance=instance, definition=definition, runs=history.runs_of_step(instance))

    def refuse_unreadable(self) -> None:
        """Raises `ValueProblem` where somebody has written to the database what can't be read."""
        for name in ("data", "results"):
            if isinstance(content := getattr(self.instance, name), values.Unreadable):
                raise values.ValueProblem(f"The {name} of instance {self.instance.pk} can't be read: {content.why}")

    def reloaded(self, lease: Lease, instance: RunningProcesses) -> "Held":
        """The same from the database anew, with the reports that are not written yet: that code must not run again."""
        return replace(Held.load(lease, instance, self.definition), reports={**self.taken, **self.reports})

    def advance(self, turn: Turn) -> None:
        """Take a turn in memory: it is still to be written, with those that are `pending`."""
        self.news += report(self, turn)
        self.turns.append(turn)
        self.taken |= self.reports
        self.reports = {}
        self.instance.state = turn.state
        for name, value in turn.fields.items():
            setattr(self.instance, name, value)
        if turn.created:
            self.runs = {run.row: run for run in turn.created}
        # Where a step's rows are all skipped, or can't begin, nothing runs, and what comes next is to be planned at once.
        self.is_planned = bool(self.running())

    @property
    def pending(self) -> Turn | None:
        """All that is still to be written."""
        return Turn.merged(self.turns) if self.turns else None

    def written(self) -> list[Line]:
        """The pending turns are in the database now. Returns what there is to tell of them."""
        told, self.turns, self.taken, self.news = self.news, [], {}, []
        self.written_at = monotonic()
        return told

    @property
    def position(self) -> flow.Position:
        return history.position_of(self.instance, self.runs.values())

    def running(self) -> list[TaskRun]:
        """The task runs whose code is to run, or runs."""
        return [run for run in self.runs.values() if run.state == RunState.RUNNING]

    def next_due(self) -> datetime | None:
        """When the first of the task runs that wait for a time is to go on, or out of time."""
        return min((run.next_at for run in self.runs.values() if run.next_at), default=None)

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
                subject=self.instance.subject_label,
            ),
            time_limit=task.time_limit or conf.get("TIME_LIMIT"),
            memory_limit=task.memory_limit or conf.get("MEMORY_LIMIT"),
            seed=run.external_key,
        )

"""A run's ledger in the database: each pause of its code is one commit, under the engine's lease."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from workflow import conf, keys, starting, transitions
from workflow.code import signing
from workflow.code.job import Call, Raised, Returned
from workflow.code.ledger import Record, error_from_json, error_to_json
from workflow.code.waits import ForChildren, ForSignal
from workflow.cut import cut_is_gone
from workflow.engine.commit import Writer
from workflow.engine.patience import Patience
from workflow.errors import CannotDrive, WorkflowError
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun
from workflow.models.people import unknown_names
from workflow.transitions import Applied, Lease, LeaseLost, RunClosed, Turn


class DatabaseLedger:
    """The calls of one task run, under a lease that `lasts` so long. `unwritten` are those that are to be saved with its outcome."""

    def __init__(
        self,
        lease: Lease,
        run: TaskRun,
        *,
        instance: RunningProcesses,
        clock: Callable[[], datetime],
        lasts: timedelta,
        writer: Writer,
        flush: Callable[[], None],
        patience: Patience,
    ) -> None:
        self._depth = instance.depth
        self._instance = instance
        self.interrupted = instance.interrupted
        self._patience = patience
        self._lease = lease
        self._writer = writer
        self._flush = flush
        # Once it is in the database, the drive goes on with its own while the code runs.
        self._run = copy(run) if run.pk else run
        self._before = run.log
        # Where nothing is to be read, no connection is needed: a thread that waited for one would let others in beside it.
        self._records = patience(lambda: _recorded(run)) if run.call_number else {}
        self._last = max((call.ended_at for call in self._records.values() if call.ended_at), default=run.started_at)
        self.clock = clock
        self._lasts = lasts
        self.unwritten: list[ActionCall] = []

    @property
    def engine(self) -> str:
        return self._lease.owner

    @property
    def number(self) -> int:
        return self._run.call_number

    @property
    def snapshot(self) -> bytes:
        kept = bytes(self._run.snapshot)
        if not kept:
            return b""
        snapshot = signing.verify(self._run.snapshot_name, kept, where=f"task run {self._run.pk}")
        if not signing.is_of_newest_key(kept):
            # It may be written again as it stands: after `resignsnapshots` nothing is to be signed with an older key.
            self._run.snapshot = signing.sign(self._run.snapshot_name, snapshot)
        return snapshot

    @property
    def signed_snapshot(self) -> bytes:
        """As the database keeps it."""
        return bytes(self._run.snapshot)

    def again(self) -> None:
        """Another execution begins, from where the code was saved last."""
        self._before = self._run.log

    def log(self, printed: str) -> str:
        """The run's whole log, given what was printed since this execution began."""
        return self._before + printed

    def find(self, number: int) -> Record | None:
        return self._records.get(number)

    def begun(self, number: int) -> int:
        return self._run.begun if number == self._run.call_number else 0

    def add(self, record: Record) -> None:
        self._records[record.number] = record
        self._last = record.ended_at or self._last
        self.unwritten.append(_row(self._run, record))

    def stand(self, number: int, call: Call) -> None:
        snapshot = call.dump()
        self._run.begun = self.begun(number) + 1
        self._run.call_number = number
        self._run.snapshot = signing.sign(self._run.snapshot_name, snapshot)
        self._run.log = self.log(call.log())

    def passed(self, interrupted: int) -> None:
        # Without a snapshot, the code will come by here again, and what lies between two numbered calls counts as one.
        self._run.begun = 0 if self._run.snapshot else interrupted

    def begin_at(self, number: int) -> None:
        """Note that a task without code of its own stands at a call."""
        self._run.call_number = number

    def child(self, number: int) -> RunningProcesses | None:
        """The instance that a call has started last."""
        begun = RunningProcesses.objects.filter(parent__run=self._run, parent__number=number)
        return self._patience(lambda: begun.order_by("pk").last())

    def save(self) -> None:
        if not self._run.pk:
            self._flush()  # its row is still to be written, and with it all that came before
            self._run = copy(self._run)
            return
        while (applied := self._writer.write(self._lease, self._standing())) is not Applied.DONE:
            self._lease = self._refreshed(applied)
        self.unwritten = []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = list(self.unwritten)
        try:
            with cut_is_gone(), ExitStack() as stack:
                # A connection that was cut while nobody used it is found out here, and does not count as a call that was interrupted.
                self._patience(lambda: self._enter_transaction(stack))
                yield
                until = self.clock() + self._lasts
                transitions.checkpoint(self._lease, self._run, self.unwritten, until=until)
        except BaseException:
            self.unwritten = before
            raise
        self.unwritten = []

    def _enter_transaction(self, stack: ExitStack) -> None:
        with ExitStack() as begun:
            begun.enter_context(transaction.atomic())
            transitions.hold(self._lease)
            stack.enter_context(begun.pop_all())

    def key(self, number: int) -> str:
        return keys.call_key(self._run.external_key, first_attempt=self._run.first_attempt, number=number)

    def unknown(self, names: Sequence[str]) -> Sequence[str]:
        return self._patience(lambda: unknown_names(names))

    def manual_tasks(self) -> Sequence[str] | None:
        definition = self._patience(lambda: self._instance.version.frozen)
        return [task.name for task in definition.tasks if task.manual]

    def refuse(self, children: ForChildren) -> None:
        limit = conf.get("MAX_DEPTH")
        if self._depth >= limit:
            raise ValueError(
                f"{limit} instances stand above one another already (MAX_DEPTH): is this endless recursion?"
            )
        try:
            starts = self._patience(lambda: starting.prepare_children(children.items))
        except CannotDrive:
            raise
        except WorkflowError as error:
            raise ValueError(str(error)) from error
        if any(one.version is None for one in starts) and self._patience(starting.may_others_see_more):
            raise CannotDrive(
                "It starts a process whose draft has changed, and an engine of a newer version of this software may see more of it."
            )

    def now(self) -> datetime:
        return self._last

    def _standing(self) -> Turn:
        return Turn(state=InstanceState.RUNNING, standing=[self._run], calls=self.unwritten)

    def _refreshed(self, applied: Applied) -> Lease:
        """The lease after something came from outside. Raises `LeaseLost`, or `RunClosed` if it has ended this run."""
        outdated = applied is Applied.OUTDATED
        found = self._patience(lambda: transitions.refresh(self._lease)) if outdated else None
        if found is None:
            raise LeaseLost(f"The lease of instance {self._lease.instance} was lost.")
        running = TaskRun.objects.filter(pk=self._run.pk, state=RunState.RUNNING)
        if not self._patience(running.exists):
            raise RunClosed(f"Task run {self._run.pk} was closed.")
        return found[0]


def _recorded(run: TaskRun) -> dict[int, Record]:
    """The last record of each call. One that raised, and that the task failed with, is to be made again by a retry."""
    records = {}
    calls = ActionCall.objects.filter(run=run, attempt__gte=run.first_attempt)
    for call in calls.order_by("number", "attempt"):
        again = call.error is not None and call.attempt < run.attempt and call.number == run.call_number
        if not again:
            records[call.number] = _record(call)
    return records


def _record(call: ActionCall) -> Record:
    answer: Any = None
    if call.error is not None:
        answer = error_from_json(call.error)
    elif call.ended_at is not None:
        answer = Returned(call.result)
    return Record(
        number=call.number,
        name=call.name,
        arguments=call.arguments,
        started_at=call.started_at,
        ended_at=call.ended_at,
        answer=answer,
    )


def _row(run: TaskRun, record: Record) -> ActionCall:
    answer = record.answer
    return ActionCall(
        run=run,
        number=record.number,
        attempt=run.attempt,
        name=record.name,
        arguments=record.arguments,
        result=answer.value if isinstance(answer, Returned) else None,
        error=error_to_json(answer.exception) if isinstance(answer, Raised) else None,
        started_at=record.started_at,
        ended_at=record.ended_at,
        signal=record.wait.signal if isinstance(record.wait, ForSignal) else "",
    )

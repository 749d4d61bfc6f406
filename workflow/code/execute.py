"""Runs one job as far as it goes, answering the calls that its code makes, and keeping them in a ledger.

Code between two calls is pure. So a call that is in the ledger is answered from there, never made again; and before
one is made, where the code stands is saved. What this makes of a crash, at any time: at most the call that was under
way is made again, under the same key; with `atomic=True`, only if nothing of it took effect.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from inspect import BoundArguments
from threading import Lock
from typing import Any

from django.db import IntegrityError, InternalError, connection, connections
from django.db.transaction import TransactionManagementError

from workflow import values
from workflow.code.actions import Action, actions
from workflow.code.crossing import refuse_disguised
from workflow.code.current import CurrentRun, serving
from workflow.code.failure import MAX_MESSAGE, failure
from workflow.code.job import Answer, Call, Errored, Job, Outcome, Raised, Returned, SnapshotRefused, Suspended
from workflow.code.ledger import (
    Ledger,
    MemoryLedger,
    Record,
    arguments_of,
    difference,
    error_from_json,
    error_to_json,
    refuse_too_large,
)
from workflow.code.runner import Runner
from workflow.code.waits import WAITS, ForChildren, ForPeople, Wait, wait_of
from workflow.cut import GONE, is_of_a_cut
from workflow.errors import CannotDrive, suggestion
from workflow.logs import fields
from workflow.values import ValueProblem

logger = logging.getLogger(__name__)

DISAGREES = "LedgerDisagrees"
"""The type of the error where code and ledger tell different stories: no attempt can mend that."""


MOST_INTERRUPTED = 5
"""How often a call may be interrupted before it is taken for what kills the engine, and is not made any more."""

SUSPECT = 2
"""Of calls that were interrupted so often, one is made at a time: the one that kills the engine is then counted by itself,
and not those that were made beside it. In an instance that was, look-ups are counted, too."""

LONGEST_ALONE = 60.0
"""Seconds that a suspect waits for another: one that hangs must not hold all of them back."""

_one_suspect = Lock()

_NOT_COMMITTED = (IntegrityError, InternalError, TransactionManagementError)
"""What an atomic action makes of its transaction that breaks what holds at its end, or hides a failed query."""


class _Waits(Exception):
    """The code stands at a call that has no answer yet."""

    def __init__(self, wait: Wait) -> None:
        self.wait = wait


class _Disagrees(Exception):
    """The code makes another call than the one that is recorded."""


def execute(
    job: Job,
    runner: Runner,
    ledger: Ledger | None = None,
    *,
    granted: Mapping[str, Action] | None = None,
    away: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Outcome | Suspended:
    """The outcome of the job, whose code may call what is `granted`: by default all actions. While an action works,
    `away` is entered: this thread computes nothing then.

    Blocks; to be called outside any transaction. What an action raises reaches the code; only what is no
    `Exception` (`KeyboardInterrupt`) and what the ledger raises goes through to the caller, and abandons the job; so does
    `CannotDrive`, after it was saved where the code stands.
    Without a `ledger`, nothing is saved.
    """
    ledger = ledger or MemoryLedger()
    granted = actions() if granted is None else granted
    calls = _Calls(job=job, ledger=ledger, granted=granted, away=away, raised=_Raised())
    try:
        if snapshot := ledger.snapshot:
            return calls.follow(runner.run(job, snapshot=snapshot, clock=ledger.now), first=ledger.number)
    except SnapshotRefused as refused:
        logger.warning(
            "Instance %s, task %r: replayed from its ledger, because %s",
            job.run.id,
            job.run.task,
            refused,
            extra=fields(**job.run.about(), engine=ledger.engine),
        )
    return calls.follow(runner.run(job, clock=ledger.now), first=1)


class _Raised:
    """What an action has raised last, and what the code got for it."""

    original: Exception | None = None
    given = ("", "")

    def note(self, original: Exception, given: Exception) -> None:
        self.original, self.given = original, _known_by(type(given).__name__, str(given))

    def caused(self, outcome: Outcome) -> Outcome:
        """The outcome; with its cause, if the code has failed by what it got."""
        if isinstance(outcome, Errored) and _known_by(outcome.error.type, outcome.error.message) == self.given:
            return replace(outcome, cause=self.original)
        return outcome


def _known_by(kind: str, message: str) -> tuple[str, str]:
    """What an error still has when it has come through the code: a long message is cut in its middle."""
    return kind, message[: MAX_MESSAGE // 4]


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """Answers the calls of a job."""

    job: Job
    ledger: Ledger
    granted: Mapping[str, Action]
    away: Callable[[], AbstractContextManager[Any]]
    raised: "_Raised"

    def follow(self, running: Generator[Call, Answer, Outcome], *, first: int) -> Outcome | Suspended:
        """The outcome of a run whose next numbered call is `first`."""
        number, log = first, ""
        with closing(running):
            try:
                call = next(running)
                while True:
                    log = call.log()
                    answer = self._answered(number, call)
                    number += self._is_numbered(call)
                    call = running.send(answer)
            except StopIteration as end:
                return self.raised.caused(end.value)
            except _Waits as waits:
                return Suspended(wait=waits.wait, log=log)
            except _Disagrees as disagrees:
                return Errored(error=failure(DISAGREES, str(disagrees)), log=log)

    def _is_numbered(self, call: Call) -> bool:
        return call.name not in self.granted or self.granted[call.name].checkpoint

    def _answered(self, number: int, call: Call) -> Answer:
        try:
            return self._answer(number, call)
        except CannotDrive:
            if number > self.ledger.number:  # what was called before it must not be called again where the code goes on
                self.ledger.stand(number, call)
                self.ledger.passed(0)  # no engine has died here
                self.ledger.save()
            raise

    def _answer(self, number: int, call: Call) -> Answer:
        try:
            bound = self._bound(number, call)
            arguments = arguments_of(call)
            refuse_disguised(call.name, arguments, given=self.job.given)
            if self._is_numbered(call):
                refuse_too_large(f"What {call.name}() was called with", arguments)
        except (TypeError, NameError, ValueProblem) as error:
            # The same in every replay: it needs no record.
            return Raised(TypeError(str(error)) if isinstance(error, ValueProblem) else error)
        if bound and not self.granted[call.name].checkpoint:
            return self._looked_up(number, call, bound)
        record = self.ledger.find(number)
        if record is None:
            return self._new(number, call, bound, arguments)
        if different := difference(record, call, arguments):
            raise _Disagrees(different)
        if record.answer is None:  # taken up too early: nothing has come yet
            raise _Waits(wait_of(call.name, call.args, call.kwargs, now=record.started_at))
        return record.answer

    def _bound(self, number: int, call: Call) -> BoundArguments | None:
        """The arguments of a call of an action; `None` for a built-in function. Raises what the code has done wrong, and
        `CannotDrive` for an action that another engine has, or had.
        """
        if call.name in WAITS:
            return None
        if call.name not in self.granted:
            if number == self.ledger.number or self.ledger.find(number):  # an engine that had it has begun this call
                raise CannotDrive(f"it calls the action {call.name}(), which is not granted here")
            raise NameError(f"name '{call.name}' is not defined")
        return self.granted[call.name].bind(call.args, call.kwargs)

    def _looked_up(self, number: int, call: Call, bound: BoundArguments) -> Answer:
        """Make a look-up, of which nothing is written, unless it may be what has interrupted the instance."""
        action = self.granted[call.name]
        was_passed = number < self.ledger.number  # in a replay
        if self.ledger.interrupted < SUSPECT or was_passed:
            with self.away():
                return self._called(action, bound, number=0)
        interrupted = self.ledger.begun(number)
        if interrupted >= MOST_INTERRUPTED:
            self.ledger.passed(interrupted)
            return self._refused(call, interrupted)
        with self._begun(number, call, interrupted):
            with self.away():
                answer = self._called(action, bound, number=0)
            # Saved before another suspect may be at work, whose death would else count for this one, too.
            self.ledger.passed(interrupted)
            self.ledger.save()
        return answer

    def _new(self, number: int, call: Call, bound: BoundArguments | None, arguments: dict[str, Any]) -> Answer:
        """Make a call that is not in the ledger, and add it there."""
        if bound is None:
            return self._wait(number, call, arguments)
        interrupted = self.ledger.begun(number)
        if interrupted >= MOST_INTERRUPTED:
            return self._given_up(number, call, arguments, interrupted)
        with self._begun(number, call, interrupted):
            return self._made(number, self.granted[call.name], bound, arguments)

    @contextmanager
    def _begun(self, number: int, call: Call, interrupted: int) -> Iterator[None]:
        """Save that a call is begun, before it is."""
        with self._beside_no_other() if interrupted >= SUSPECT else nullcontext():
            self.ledger.stand(number, call)
            self.ledger.save()
            yield

    def _given_up(self, number: int, call: Call, arguments: dict[str, Any], interrupted: int) -> Answer:
        now = self.ledger.clock()
        answer = self._refused(call, interrupted)
        self.ledger.stand(number, call)
        self.ledger.add(
            Record(number=number, name=call.name, arguments=arguments, started_at=now, ended_at=now, answer=answer)
        )
        return answer

    def _refused(self, call: Call, interrupted: int) -> Raised:
        """A call that kills the engine whenever it is made must not go on to do so: it would take others with it."""
        answer = Raised(
            RuntimeError(
                f"The engine died, or lost the instance or the database, {interrupted} times while {call.name}() was at work; "
                "it is not called again."
            )
        )
        # A warning: where the task fails by it, so does its instance, which is the error.
        logger.warning(
            "Instance %s, task %r: %s",
            self.job.run.id,
            self.job.run.task,
            answer.exception,
            extra=self._about(call.name),
        )
        return answer

    @contextmanager
    def _beside_no_other(self) -> Iterator[None]:
        with self.away():
            is_mine = _one_suspect.acquire(timeout=LONGEST_ALONE)
        try:
            yield
        finally:
            if is_mine:
                _one_suspect.release()

    def _wait(self, number: int, call: Call, arguments: dict[str, Any]) -> Answer:
        now = self.ledger.clock()
        try:
            wait = wait_of(call.name, call.args, call.kwargs, now=now)
            if isinstance(wait, ForPeople):
                self._refuse_unknown(wait.names)
                self._refuse_no_decider(wait.not_same_as)
            if isinstance(wait, ForChildren):
                self.ledger.refuse(wait)
        except (TypeError, ValueError) as error:
            return Raised(error)
        self.ledger.stand(number, call)
        self.ledger.add(Record(number=number, name=call.name, arguments=arguments, started_at=now, wait=wait))
        raise _Waits(wait)

    def _refuse_unknown(self, names: tuple[str, ...]) -> None:
        if unknown := self.ledger.unknown(names):
            raise ValueError(f"approval(): no active user or group is named {', '.join(map(repr, unknown))}")

    def _refuse_no_decider(self, task: str) -> None:
        known = self.ledger.manual_tasks() if task else None
        if known is not None and task not in known:
            raise ValueError(
                f"approval(): not_same_as must name a manual task of this process, not {task!r}.{suggestion(task, known)}"
            )

    def _made(self, number: int, action: Action, bound: BoundArguments, arguments: dict[str, Any]) -> Answer:
        started = self.ledger.clock()

        def record(answer: Answer) -> Answer:
            self.ledger.add(
                Record(
                    number=number,
                    name=action.name,
                    arguments=arguments,
                    started_at=started,
                    ended_at=self.ledger.clock(),
                    answer=answer,
                )
            )
            return answer

        if not action.atomic:
            with self.away():
                answer = self._called(action, bound, number)
            return record(answer)
        try:
            # To wait for one's turn to compute inside the transaction, with locks held, could be to wait for oneself.
            with self.away(), self.ledger.transaction():
                return record(_returned(self._called(action, bound, number)))
        except _RolledBack as rolled_back:
            return record(rolled_back.answer)
        except _NOT_COMMITTED as error:
            self._log(action, error)
            return record(Raised(RuntimeError(f"What {action.name}() did can't be committed: {error}")))

    def _called(self, action: Action, bound: BoundArguments, number: int) -> Answer:
        if not action.atomic:
            _close_old_connections()  # this thread may have lived longer than its connection to the database
        try:
            with serving(CurrentRun(info=self.job.run, key=self.ledger.key(number))):
                returned = action.call_bound(bound)
            result = values.check(returned, what := f"What {action.name}() returned")
            if action.checkpoint:
                refuse_too_large(what, result)
            return Returned(result)
        except ValueProblem as problem:
            return Raised(TypeError(str(problem)))
        except SystemExit:  # it may end the call, but not the engine's thread
            return Raised(RuntimeError(f"{action.name}() wanted to end the program (SystemExit)"))
        except Exception as error:
            if action.atomic and _is_gone(error):
                raise  # the transaction is lost, and the call with it: that is not for the code to handle
            self._log(action, error)
            answer = error_from_json(error_to_json(error))
            self.raised.note(error, answer.exception)
            return answer
        finally:
            if not action.atomic:
                _close_old_connections()

    def _log(self, action: Action, error: Exception) -> None:
        """For the developer: the code gets the exception, but not the traceback of the function."""
        logger.warning(
            "%s() raised %s for instance %s, task %r",
            action.name,
            type(error).__name__,
            self.job.run.id,
            self.job.run.task,
            exc_info=error,
            extra=self._about(action.name),
        )

    def _about(self, action: str) -> dict[str, Any]:
        return fields(**self.job.run.about(), action=action, engine=self.ledger.engine)


def _close_old_connections() -> None:
    """As Django does around a request; but not of a transaction that a test has opened around all of this."""
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close_if_unusable_or_obsolete()


def _is_gone(error: Exception) -> bool:
    """Whether the database has ended the connection."""
    return (isinstance(error, GONE) and not connection.is_usable()) or is_of_a_cut(error)


class _RolledBack(Exception):
    """An atomic action raised: its work is undone, and what it raised is the answer."""

    def __init__(self, answer: Raised) -> None:
        self.answer = answer


def _returned(answer: Answer) -> Answer:
    if isinstance(answer, Raised):
        raise _RolledBack(answer)
    return answer

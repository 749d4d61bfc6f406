"""For tests of projects: run processes in the test's own thread and transaction, step the clock, answer, and fake actions.

    with Workflow() as workflow:
        workflow.fake("reserve_stock", returns=True)
        order = workflow.start("Order", {"amount": 120})
        workflow.approve("Order", "Sign", by=anna)
        workflow.advance(days=3)
        assert order.state == "FINISHED"

docs/testing.md has a whole example. Nothing of this is used outside tests.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import wraps
from threading import Event
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from django.db import DatabaseError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from workflow import clock, conf, operations, transitions
from workflow.code import actions
from workflow.code.actions import Action
from workflow.code.runner import Runner, get_runner
from workflow.engine.commit import Direct
from workflow.engine.crew import Here
from workflow.engine.drive import Drive, go_all_the_way
from workflow.engine.held import Held
from workflow.engine.lacking import Lacking
from workflow.engine.patience import Patience
from workflow.engine.plan import Planner
from workflow.engine.slots import NoSlots
from workflow.errors import WorkflowError, suggestion
from workflow.models import Priority, Process, RunningProcesses, WaitingForApproval

LEASE = timedelta(days=3660)

_Answer = TypeVar("_Answer")


class Called(NamedTuple):
    """A call of a faked action: the arguments by the names of its parameters, with its defaults."""

    action: str
    arguments: dict[str, Any]


class StillRunning(WorkflowError):
    """Something does not come to rest."""


@dataclass(kw_only=True)
class Workflow:
    """Everything that waits for an engine, for people or for a time, in the hands of a test.

    A context: the clock and the actions are themselves again when it ends. The clock stands still, now or `at` a time
    with a time zone, until `advance` moves it. It works in tests that run in a transaction, and needs no engine. What
    `start` has returned is kept up to date by every method that runs something; other objects are not.

    `most_turns` is how often one instance may go on while the clock stands still, and `most_stops` at how many times
    something may be due in one `advance`, before it is taken for endless.
    """

    at: datetime | None = None
    most_turns: int = 250
    most_stops: int = 1_000
    calls: list[Called] = field(default_factory=list, init=False)
    _fakes: set[str] = field(default_factory=set, init=False)
    _started: list[RunningProcesses] = field(default_factory=list, init=False)
    _stack: ExitStack | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.at is not None and timezone.is_naive(self.at):
            raise ValueError(f"at={self.at!r} has no time zone; give it one, such as tzinfo=datetime.UTC.")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(clock.stopped(self.at))
            stack.enter_context(actions.replaced())
            for real in list(actions.actions().values()):
                if not real.atomic:
                    actions.replace_action(_alone(real))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.close()

    def fake(
        self,
        action: str,
        *,
        returns: Any = None,
        raises: BaseException | type[BaseException] | None = None,
        does: Callable[..., Any] | None = None,
    ) -> None:
        """Have an action return a value or raise an error, instead of what it does; or call `does` with its arguments,
        which can be a `Mock` too. The calls are kept: see `called`.

        Arguments are checked as those of the real one. Raises `LookupError` for a name that no action has, and
        `TypeError` where `does` doesn't take what the action takes.
        """
        self._refuse_closed()
        granted = actions.actions()
        if action not in granted:
            raise LookupError(f"There is no action {action!r}.{suggestion(action, granted)}")
        if sum(given is not None for given in (returns, raises, does)) > 1:
            raise TypeError("A fake returns, raises, or does something: give it one of these.")
        real = granted[action]
        if does is not None:
            _refuse_misfit(real, does)

        def fake(*args: Any, **kwargs: Any) -> Any:
            bound = real.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            self.calls.append(Called(action, dict(bound.arguments)))
            if raises is not None:
                raise raises
            return returns if does is None else does(*args, **kwargs)

        fake.__signature__ = real.signature  # type: ignore[attr-defined]
        faked = replace(real, function=fake)
        actions.replace_action(faked if real.atomic else _alone(faked))
        self._fakes.add(action)

    def start(
        self,
        process: Process | str,
        data: Mapping[str, Any] | None = None,
        *,
        user: Any = None,
        subject: Model | None = None,
        priority: Priority | None = None,
    ) -> RunningProcesses:
        """Start an instance as `workflow.start` does, and run it as far as it goes. Raises what that does."""
        self._refuse_closed()
        instance = operations.start(process, data, user, subject=subject, priority=priority)
        self._started.append(instance)
        self.run()
        return instance

    def run(self) -> None:
        """Run what is ready or due until nothing is, whoever has started it.

        Raises `StillRunning` where that does not end, and whatever an engine would have failed by.
        """
        self._settle()
        self._refresh()

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let time pass. What is due on the way runs when it is due, one after the other. Raises as `run` does."""
        passed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if passed < timedelta(0):
            raise ValueError("Time can't go backwards.")
        until = clock.now() + passed
        self._settle()
        for _ in range(self.most_stops):
            due = transitions.outlook(clock.now()).due_at
            if due is None or due > until:
                break
            clock.move(to=due)
            self._settle()
        else:
            raise StillRunning(
                f"It is {clock.now()} after {self.most_stops:,} times at which something was due, and {until} is still to "
                "come: advance in smaller steps, or does something wait for too short a time, again and again?"
            )
        clock.move(to=until)
        self._refresh()

    def approve(
        self,
        process: str,
        task: str,
        *,
        instance: RunningProcesses | None = None,
        by: Any = None,
        comment: str = "",
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Approve what waits, as `waiting` finds it, and run on. Raises what `workflow.approve` and `waiting` do.

        `by` is a user, who must be allowed to; `None` is the operator at the command line, who always is. `answers` are
        those to the task's form.
        """
        operations.approve(self.waiting(process, task, instance=instance), by=by, comment=comment, answers=answers)
        self.run()

    def reject(
        self,
        process: str,
        task: str,
        *,
        instance: RunningProcesses | None = None,
        by: Any = None,
        comment: str = "",
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        """Reject, as `approve` approves."""
        operations.reject(self.waiting(process, task, instance=instance), by=by, comment=comment, answers=answers)
        self.run()

    def signal(
        self,
        name: str,
        payload: Any = None,
        *,
        instance: RunningProcesses | None = None,
        process: str = "",
        transient: bool = False,
    ) -> list[int]:
        """Send a signal as `workflow.signal` does, and run on. Returns and raises what that does."""
        self._refuse_closed()
        key = None if instance is None else instance.pk
        reached = operations.signal(name, payload, instance=key, process=process, transient=transient)
        self.run()
        return reached

    def waiting(self, process: str, task: str, *, instance: RunningProcesses | None = None) -> WaitingForApproval:
        """What waits for people at that task: of the instance, or of the only one that does.

        Raises `LookupError` where none does, or several do; it says which, or what else waits.
        """
        self._refuse_closed()
        every = WaitingForApproval.objects.order_by("pk")
        named = every.filter(process_name=process, task_name=task)
        found = list(named if instance is None else named.filter(rpid=instance))
        if len(found) == 1:
            return found[0]
        if found:
            keys = ", ".join(str(one.rpid_id) for one in found)
            raise LookupError(
                f"{len(found)} of {process} / {task} wait, of the instances {keys}: say which, instance=…."
            )
        waits = ", ".join(f"{one.process_name} / {one.task_name} (instance {one.rpid_id})" for one in every[:20])
        of = "" if instance is None else f" of instance {instance.pk}"
        raise LookupError(f"Nothing waits for {process} / {task}{of}; there waits {waits or 'nothing'}.")

    def called(self, action: str) -> list[dict[str, Any]]:
        """The arguments of each call of a faked action, by name, in order. Raises `LookupError` where it is not faked."""
        if action not in self._fakes:
            others = suggestion(action, self._fakes) if self._fakes else " Nothing is faked."
            raise LookupError(f"{action!r} is not faked, so its calls are not kept.{others}")
        return [call.arguments for call in self.calls if call.action == action]

    def history(self, instance: RunningProcesses) -> list[tuple[str, str]]:
        """Task and state of each task run of an instance, in order."""
        return [(run.task_name, str(run.state)) for run in instance.task_runs.order_by("visit", "row")]

    def log(self, instance: RunningProcesses) -> str:
        """What the code of an instance has printed, one task run after the other."""
        return "".join(run.log for run in instance.task_runs.order_by("visit", "row"))

    def _settle(self) -> None:
        self._refuse_closed()
        now, turns = clock.now(), Counter[int]()
        while claimed := transitions.claim("test", now=now, until=now + LEASE, limit=1):
            instance = claimed[0]
            turns[instance.pk] += 1
            if turns[instance.pk] > self.most_turns:
                raise StillRunning(
                    f"Instance {instance.pk} of {instance.process_name!r}, at step {instance.step}, does not come to "
                    f"rest: it went on {self.most_turns:,} times while the clock stood still. Is this an endless loop?"
                )
            _drive(instance)

    def _refresh(self) -> None:
        for instance in self._started:
            with suppress(RunningProcesses.DoesNotExist):  # the test has deleted it
                instance.refresh_from_db()

    def _refuse_closed(self) -> None:
        if self._stack is None:
            raise RuntimeError("Use it as a context: with Workflow() as workflow: …")


def _drive(instance: RunningProcesses) -> None:
    """Have a claimed instance go as far as it goes, and write that."""
    runs = transitions.with_runs([instance])[instance.pk]
    with get_runner().shared() as runner:
        drive = _new_drive(instance, runner)
        held = go_all_the_way(drive.run(instance, runs))
        while held is not None and (pending := held.pending) is not None and not _write(held, pending):
            drive = _new_drive(instance, runner)
            held = go_all_the_way(drive.run_again(held))
        for missing in drive.for_others.values():  # there is no other engine
            raise missing


def _write(held: Held, turn: transitions.Turn) -> bool:
    """Whether that was all: `False` where something came from outside meanwhile."""
    applied = Direct().write(held.lease, turn)
    if applied is transitions.Applied.DONE:
        for line in held.written():
            line.tell()
    return applied is not transitions.Applied.OUTDATED


def _new_drive(instance: RunningProcesses, runner: Runner) -> Drive:
    stopping, lacking = Event(), Lacking(engine="test")
    return Drive(
        definition=lacking.definition(instance.version_id),
        runner=runner,
        aside=get_runner(),
        lease=conf.get("LEASE"),
        planner=Planner(runner=runner, clock=clock.now, jitter=lambda: 0.0),
        writer=Direct(),
        side=Here(),
        slots=NoSlots(),
        patience=_Impatience(stopping=stopping),
        stopping=stopping,
        lacking=lacking,
    )


class _Impatience(Patience):
    """A test is told at once of a database that can't be used: in its transaction, no later try could be better."""

    def __call__(self, ask: Callable[[], _Answer]) -> _Answer:
        return ask()


def _alone(real: Action) -> Action:
    """The action as in production, where it stands in no transaction: a query of it that fails breaks nothing else."""

    @wraps(real.function)
    def alone(*args: Any, **kwargs: Any) -> Any:
        if not connection.in_atomic_block:
            return real.function(*args, **kwargs)
        savepoint = connection.savepoint()  # Django 6.1 renames the function of `transaction`
        assert savepoint is not None  # as it is outside transactions, and on databases that this app does not support
        try:
            returned = real.function(*args, **kwargs)
        except Exception:
            # What it wrote before it raised stays, unless the database refuses to go on.
            with suppress(DatabaseError):
                _release(savepoint)
            raise
        _release(savepoint)
        return returned

    return replace(real, function=alone)


def _release(savepoint: str) -> None:
    """Keep what was done since. Where a query has failed, undo it and raise `DatabaseError`."""
    try:
        connection.savepoint_commit(savepoint)
    except DatabaseError:
        transaction.set_rollback(False)
        connection.savepoint_rollback(savepoint)
        raise


def _refuse_misfit(real: Action, does: Callable[..., Any]) -> None:
    """Raise `TypeError` unless the function takes every call that the action takes."""
    try:
        signature = inspect.signature(does)
    except ValueError:  # some of Python's own don't tell
        return
    try:
        for count, names in _calls(real.signature):
            signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(
            f"The fake of {real.name}() takes {signature}, which does not fit {real.stub.removesuffix(': ...')}: {error}"
        ) from error


def _calls(signature: inspect.Signature) -> Iterator[tuple[int, set[str]]]:
    """Ways to call: how many arguments by position, and the names of others. With what must be given, with all, and with
    what can be left out by name.
    """
    each = signature.parameters.values()
    by_position = [one for one in each if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    only_by_name = [one for one in each if one.kind is one.KEYWORD_ONLY]
    required = [one for one in by_position if one.default is one.empty]
    optional = {one.name for one in by_position[len(required) :] if one.kind is one.POSITIONAL_OR_KEYWORD}
    yield len(required), {one.name for one in only_by_name if one.default is one.empty}
    yield len(by_position), {one.name for one in only_by_name}
    yield len(required), optional | {one.name for one in only_by_name}


__all__ = ["Called", "StillRunning", "Workflow"]

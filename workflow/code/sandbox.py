"""Runs code in Monty: a Python interpreter in worker processes of its own, with limits and without the world.

A feed is one run of code in a session; a session holds one worker of the pool from checkout to its end.
"""

import os
import signal
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.timezone import now
from pydantic_monty import (
    FunctionSnapshot,
    FutureSnapshot,
    Monty,
    MontyComplete,
    MontyError,
    MontySession,
    NameLookupSnapshot,
    OSPolicy,
    SyncSnapshot,
)

from workflow import values
from workflow.code import typecheck
from workflow.code.crossing import as_reply, exported
from workflow.code.expression import expression_job, without_calls
from workflow.code.failure import failure
from workflow.code.faults import code_error, was_stopped
from workflow.code.job import (
    Answer,
    Call,
    CodeError,
    Completed,
    Errored,
    Job,
    Outcome,
    Problem,
    SnapshotRefused,
    WorkerStopped,
)
from workflow.code.log import Log
from workflow.values import ValueProblem

MAX_CALLS: Final = 1_000_000  # Monty wants some number, and its own 1000 is less than a loop over a year's orders
GRACE: Final = 1.0  # seconds past its limit after which a worker that does not stop by itself is killed
_NOTHING: Final = "None"  # Monty binds no inputs to blank code
_MIB: Final = 1 << 20


class SandboxRunner:
    """A `Runner` over a pool of at most `workers` processes.

    `names` gives the names of the granted actions, `log_limit` is in characters, `timezone` the IANA name of the
    zone that the code takes for its own.
    """

    def __init__(
        self,
        *,
        workers: int,
        names: Callable[[], Collection[str]] = tuple,
        log_limit: int = 100_000,
        timezone: str = "UTC",
    ) -> None:
        self._names = names
        self._log_limit = log_limit
        self._timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._busy: set[int] = set()
        self._pool = Monty(max_processes=workers, feed_duration_limit_grace=GRACE)
        self._pool.__enter__()

    def run(
        self, job: Job, *, snapshot: bytes = b"", clock: Callable[[], datetime] = now
    ) -> Generator[Call, Answer, Outcome]:
        """See `Runner.run`."""
        inputs = {"data": job.data, "results": job.results, "run": job.run}
        return self._run(job, inputs, snapshot=snapshot, clock=clock)

    def evaluate(
        self,
        expression: str,
        *,
        data: dict[str, Any],
        results: dict[str, Any],
        time_limit: float,
        memory_limit: int,
    ) -> Completed | Errored:
        """See `Runner.evaluate`."""
        if typecheck.is_blank(expression):
            return Errored(error=failure("SyntaxError", "The expression is blank."))
        job = expression_job(
            typecheck.parenthesized(expression),
            data=data,
            results=results,
            time_limit=time_limit,
            memory_limit=memory_limit,
        )
        while True:
            with suppress(WorkerStopped):  # it has no effects: it can simply be done again
                return _without_parenthesis(without_calls(self._run(job, {"data": data, "results": results})))

    def check(self, code: str, *, expression: bool, stubs: str) -> list[Problem]:
        """See `Runner.check`."""
        return typecheck.check(self._pool, code, expression=expression, stubs=stubs)

    def close(self) -> None:
        """See `Runner.close`."""
        for worker in self._busy.copy():
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)  # one that computes would outlive us until its time limit
        self._pool.__exit__(None, None, None)

    def _run(
        self,
        job: Job,
        inputs: Mapping[str, Any],
        *,
        snapshot: bytes = b"",
        clock: Callable[[], datetime] = now,
    ) -> Generator[Call, Answer, Outcome]:
        log = Log(self._log_limit)
        try:
            with self._session(job) as session:
                step = self._begin(session, job, inputs, snapshot=snapshot, log=log)
                while not isinstance(step, MontyComplete):
                    if isinstance(step, FunctionSnapshot) and not step.is_os_function:
                        step = step.resume(as_reply((yield _call(step, log))))
                    else:
                        step = self._go_on(step, clock)
                return _completed(step.output, session.feed_run("data"), job=job, log=log)
        except ValueProblem as problem:
            return Errored(error=failure("BadValue", str(problem)), log=str(log))
        except MontyError as error:
            if was_stopped(error):
                raise WorkerStopped(str(error)) from error
            return Errored(error=code_error(error, job=job, names=self._names()), log=str(log))

    def _begin(
        self, session: MontySession, job: Job, inputs: Mapping[str, Any], *, snapshot: bytes, log: Log
    ) -> SyncSnapshot:
        def write(_: str, text: str) -> None:
            log.write(text)

        if snapshot:
            try:
                return session.load_snapshot(snapshot, print_callback=write)
            except MontyError as error:
                raise SnapshotRefused(str(error)) from error
        code = _NOTHING if typecheck.is_blank(job.code) else job.code
        return session.feed_start(code, inputs=dict(inputs), print_callback=write)

    @contextmanager
    def _session(self, job: Job) -> Iterator[MontySession]:
        with self._pool.checkout(
            limits={
                "max_feed_duration_secs": job.time_limit,
                "max_memory": job.memory_limit * _MIB,
                "max_suspensions": MAX_CALLS,
            },
            os_policy=self._policy_of(job),
        ) as session:
            # None for one that has died since it last worked: the first turn tells of that.
            worker = {pid} if (pid := session.worker_pid) is not None else set()
            self._busy |= worker
            try:
                yield session
            finally:
                self._busy -= worker

    def _policy_of(self, job: Job) -> OSPolicy:
        policy: OSPolicy = {"timezone": self._timezone, "datetime": "call_host"}
        if job.seed:
            policy["random_start"] = {"seed": job.seed}
        return policy

    def _go_on(self, step: SyncSnapshot, clock: Callable[[], datetime]) -> SyncSnapshot:
        """Answers what is no call of an action: a name, the time, or what only an operating system could do."""
        match step:
            case NameLookupSnapshot(variable_name=name) if name in self._names():
                return step.resume(value=_stand_in(name))
            case NameLookupSnapshot():
                return step.resume()
            case FunctionSnapshot(function_name="datetime.now" | "date.today" | "time.time" as name, args=args):
                return step.resume({"return_value": _time(name, args, clock().astimezone(self._zone))})
            case FunctionSnapshot():
                return step.resume_not_handled()
            case FutureSnapshot(pending_call_ids=ids):
                refusal = RuntimeError("only async functions of the code itself can be awaited")
                return step.resume({number: {"exception": refusal} for number in ids})
        return step


def _call(step: FunctionSnapshot, log: Log) -> Call:
    return Call(
        name=_plain(step.function_name), args=step.args, kwargs=step.kwargs, dump=step.dump, log=lambda: str(log)
    )


def _time(name: str, args: tuple[Any, ...], local: datetime) -> datetime | date | float:
    """What a clock of Python's tells, at a time in the code's own zone."""
    match name, args:
        case "time.time", _:
            return local.timestamp()
        case "date.today", _:
            return local.date()
        case _, (tzinfo() as zone,):
            return local.astimezone(zone)
    return local.replace(tzinfo=None)


def _completed(result: Any, data: Any, *, job: Job, log: Log) -> Completed:
    def given() -> str:
        return values.dumps([job.data, job.results])

    if not isinstance(data, dict):
        raise ValueProblem(f"data must stay a dict; the code has made it {type(data).__name__}.")
    return Completed(
        result=exported(result, where="The result", given=given),
        data=exported(data, where="data", given=given),
        log=str(log),
    )


def _without_parenthesis(outcome: Outcome) -> Outcome:
    """The outcome with the column of its error in the expression as it was typed."""
    match outcome:
        case Errored(error=CodeError(line=1, column=int(column)) as error):
            return replace(outcome, error=replace(error, column=max(column - 1, 1)))
    return outcome


def _stand_in(name: str) -> Callable[[], None]:
    """What a granted action is as a value: Monty keeps only its name, which then no name in code can equal."""

    def stand_in() -> None: ...

    stand_in.__name__ = f"<action {name}>"
    return stand_in


def _plain(function_name: str) -> str:
    return function_name.removeprefix("<action ").removesuffix(">")

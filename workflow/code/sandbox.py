"""Runs code in Monty: a Python interpreter in worker processes of its own, with limits and without the world.

A feed is one run of code in a session; a session holds one worker of the pool from checkout to its end.
"""

import os
import signal
import sys
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from importlib.util import find_spec
from typing import Any, Final
from zoneinfo import ZoneInfo

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

from workflow.clock import now
from workflow.code import typecheck
from workflow.code.crossing import as_reply, exported
from workflow.code.expression import expression_job, parenthesized, without_calls
from workflow.code.failure import failure
from workflow.code.faults import MAX_CALLS, code_error, may_be_anothers_doing, was_stopped
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
from workflow.code.kept import Kept
from workflow.code.log import Log
from workflow.code.runner import Runner
from workflow.code.text import Text, is_blank, text_of
from workflow.code.together import Pair, ShortCode, Together
from workflow.values import ValueProblem

if find_spec("opentelemetry") is None:
    # Monty looks for this optional package at each feed; where it is missing, that is most of what a feed takes.
    for name in ("opentelemetry", "opentelemetry.context"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]

GRACE: Final = 1.0  # seconds past its limit after which a worker that does not stop by itself is killed
_MIB: Final = 1 << 20


class SandboxRunner:
    """A `Runner` over a pool of at most `workers` processes.

    `names` gives the names of the granted actions, `log_limit` is in characters, `timezone` the IANA name of the
    zone that the code takes for its own. `short` is what is known of code that ran in other ways, nothing by default.
    """

    def __init__(
        self,
        *,
        workers: int,
        names: Callable[[], Collection[str]] = tuple,
        log_limit: int = 100_000,
        timezone: str = "UTC",
        short: ShortCode | None = None,
    ) -> None:
        self._names = names
        self._log_limit = log_limit
        self._timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._busy: set[int] = set()
        self._short = short or ShortCode()
        self._pool = Monty(max_processes=workers, feed_duration_limit_grace=GRACE)
        self._pool.__enter__()

    def run(
        self, job: Job, *, snapshot: bytes = b"", clock: Callable[[], datetime] = now
    ) -> Generator[Call, Answer, Outcome]:
        """See `Runner.run`."""
        return self._run(job, _inputs(job), snapshot=snapshot, clock=clock)

    @contextmanager
    def shared(self) -> Iterator["Runner"]:
        """See `Runner.shared`."""
        with closing(Kept(self._session_of, names=self._names)) as kept, closing(self._together()) as together:
            yield _Sharing(self, kept, together)

    def evaluate(
        self,
        expression: str,
        *,
        data: dict[str, Any],
        results: dict[str, Any],
        time_limit: float,
        memory_limit: int,
        kept: Kept | None = None,
    ) -> Completed | Errored:
        """See `Runner.evaluate`."""
        if is_blank(expression):
            return Errored(error=failure("SyntaxError", "The expression is blank."))
        job = expression_job(expression, data=data, results=results, time_limit=time_limit, memory_limit=memory_limit)
        while True:
            with suppress(WorkerStopped):  # it has no effects: it can simply be done again
                return _without_parenthesis(
                    without_calls(self._run(job, {"data": data, "results": results}, kept=kept))
                )

    def may_join(self, job: Job) -> bool:
        """See `Runner.may_join`."""
        if job.time_limit < self._short.longest or not self._short.is_short(job.code):
            return False
        text = text_of(job.code)
        return bool(text.body) and text.uses.isdisjoint(self._names())

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        """See `Runner.run_together`. There is nothing to gain without a session that is kept."""
        return [None] * len(jobs)

    def are_short(self, expressions: Collection[str]) -> bool:
        """See `Runner.are_short`."""
        return all(self._short.is_short(parenthesized(one)) for one in expressions)

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
        kept: Kept | None = None,
    ) -> Generator[Call, Answer, Outcome]:
        log = Log(self._log_limit)
        text = text_of(job.code)
        is_quiet, begun_at = not snapshot, self._short.clock()
        try:
            with kept.session(job, text, inputs, anew=bool(snapshot)) if kept else self._session_of(job) as session:
                step = self._begin(session, text, inputs, snapshot=snapshot, log=log)
                while not isinstance(step, MontyComplete):
                    if isinstance(step, FunctionSnapshot) and not step.is_os_function:
                        is_quiet = False
                        step = step.resume(as_reply((yield _call(step, text, log))))
                    else:
                        step = self._go_on(step, clock)
                result, data = step.output if text.gives_data else (step.output, session.feed_run("data"))
                completed = _completed(result, data, job=job, log=log)
                if is_quiet and not completed.log:
                    self._short.took(job.code, self._short.clock() - begun_at)
                return completed
        except ValueProblem as problem:
            return _bad_value(problem, log=str(log))
        except MontyError as error:
            if was_stopped(error) or (kept and kept.was_used and may_be_anothers_doing(error)):
                raise WorkerStopped(str(error)) from error
            return Errored(error=_in_place(code_error(error, job=job, names=self._names()), text), log=str(log))

    def _begin(
        self, session: MontySession, text: Text, inputs: Mapping[str, Any], *, snapshot: bytes, log: Log
    ) -> SyncSnapshot:
        def write(_: str, text: str) -> None:
            log.write(text)

        if not snapshot:
            return session.feed_start(text.fed, inputs=dict(inputs), print_callback=write)
        if snapshot[:1] != _mark(text):
            raise SnapshotRefused("it was made of the code as another version of this software feeds it")
        try:
            return session.load_snapshot(snapshot[1:], print_callback=write)
        except MontyError as error:
            raise SnapshotRefused(str(error)) from error

    def _session_of(self, job: Job) -> AbstractContextManager[MontySession]:
        return self.session(time_limit=job.time_limit, memory_limit=job.memory_limit, seed=job.seed)

    def _together(self) -> Together:
        def checkout(memory_limit: int) -> AbstractContextManager[MontySession]:
            return self.session(time_limit=self._short.longest, memory_limit=memory_limit)

        return Together(checkout, known=self._short)

    @contextmanager
    def session(self, *, time_limit: float, memory_limit: int, seed: str = "") -> Iterator[MontySession]:
        """A session with these limits, in a worker that nobody else uses meanwhile."""
        with self._pool.checkout(
            limits={
                "max_feed_duration_secs": time_limit,
                "max_memory": memory_limit * _MIB,
                "max_suspensions": MAX_CALLS,
            },
            os_policy=self._policy(seed),
        ) as session:
            # None for one that has died since it last worked: the first turn tells of that.
            worker = {pid} if (pid := session.worker_pid) is not None else set()
            self._busy |= worker
            try:
                yield session
            finally:
                self._busy -= worker

    def _policy(self, seed: str) -> OSPolicy:
        policy: OSPolicy = {"timezone": self._timezone, "datetime": "call_host"}
        if seed:
            policy["random_start"] = {"seed": seed}
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


@dataclass(frozen=True)
class _Sharing:
    """A `Runner` whose runs, which come one after the other, share a session where they can."""

    runner: SandboxRunner
    kept: Kept
    together: Together

    def run(
        self, job: Job, *, snapshot: bytes = b"", clock: Callable[[], datetime] = now
    ) -> Generator[Call, Answer, Outcome]:
        return self.runner._run(job, _inputs(job), snapshot=snapshot, clock=clock, kept=self.kept)

    def evaluate(self, expression: str, **given: Any) -> Completed | Errored:
        return self.runner.evaluate(expression, kept=self.kept, **given)

    def may_join(self, job: Job) -> bool:
        return self.runner.may_join(job)

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        return [_given(pair, job) for job, pair in zip(jobs, self.together.run(jobs), strict=True)]

    def are_short(self, expressions: Collection[str]) -> bool:
        return self.runner.are_short(expressions)

    def check(self, code: str, *, expression: bool, stubs: str) -> list[Problem]:
        return self.runner.check(code, expression=expression, stubs=stubs)

    def shared(self) -> AbstractContextManager[Runner]:
        return nullcontext(self)

    def close(self) -> None:
        """The runner itself goes on."""


def _given(pair: Pair | None, job: Job) -> Outcome | None:
    """What the code gave that was run with other code."""
    if pair is None:
        return None
    try:
        return _completed(*pair, job=job, log=Log(0))
    except ValueProblem as problem:
        return _bad_value(problem)


def _inputs(job: Job) -> dict[str, Any]:
    return {"data": job.data, "results": job.results, "run": job.run}


def _mark(text: Text) -> bytes:
    """The first byte of a snapshot: what its code gives when it ends."""
    return b"2" if text.gives_data else b"1"


def _in_place(error: CodeError, text: Text) -> CodeError:
    """The error where it is in the code as it was typed."""
    if not text.shifted:
        return error
    error = replace(error, traceback=text.as_typed(error.traceback))
    if error.line == text.shifted and error.column is not None and error.column > 1:
        return replace(error, column=error.column - 1)
    return error


def _call(step: FunctionSnapshot, text: Text, log: Log) -> Call:
    return Call(
        name=_plain(step.function_name),
        args=step.args,
        kwargs=step.kwargs,
        dump=lambda: _mark(text) + step.dump(),
        log=lambda: str(log),
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
    if not isinstance(data, dict):
        raise ValueProblem(f"data must stay a dict; the code has made it {type(data).__name__}.")
    return Completed(
        result=exported(result, where="The result", given=job.given),
        data=exported(data, where="data", given=job.given),
        log=str(log),
    )


def _bad_value(problem: ValueProblem, *, log: str = "") -> Errored:
    return Errored(error=failure("BadValue", str(problem)), log=log)


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

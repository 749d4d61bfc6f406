"""Runs code in Monty: a Python interpreter in worker processes of its own, with limits and without the world.

A feed is one run of code in a session; a session holds one worker of the pool from checkout to its end.
"""

import os
import signal
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

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
from workflow.code.faults import code_error
from workflow.code.job import Answer, Call, CodeError, Completed, Errored, Job, Outcome, Problem
from workflow.code.log import Log
from workflow.values import ValueProblem

MAX_CALLS: Final = 1_000_000  # Monty wants some number, and its own 1000 is less than a loop over a year's orders
GRACE: Final = 1.0  # seconds past its limit after which a worker that does not stop by itself is killed
_NOTHING: Final = "None"  # Monty binds no inputs to blank code
_MIB: Final = 1 << 20


class SandboxRunner:
    """A `Runner` over a pool of at most `workers` processes.

    `names` gives the names of the granted actions, `log_limit` is in characters, `timezone` the IANA name of
    what the code takes for local time.
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
        self._policy: OSPolicy = {"timezone": timezone}
        self._busy: set[int] = set()
        self._pool = Monty(max_processes=workers, feed_duration_limit_grace=GRACE)
        self._pool.__enter__()

    def run(self, job: Job) -> Generator[Call, Answer, Outcome]:
        """See `Runner.run`."""
        return self._run(job, {"data": job.data, "results": job.results, "run": job.run})

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

    def _run(self, job: Job, inputs: Mapping[str, Any]) -> Generator[Call, Answer, Outcome]:
        log = Log(self._log_limit)
        try:
            with self._session(job) as session:
                snapshot = session.feed_start(
                    _NOTHING if typecheck.is_blank(job.code) else job.code,
                    inputs=dict(inputs),
                    print_callback=lambda _, text: log.write(text),
                )
                while not isinstance(snapshot, MontyComplete):
                    if isinstance(snapshot, FunctionSnapshot) and not snapshot.is_os_function:
                        snapshot = snapshot.resume(as_reply((yield self._call(snapshot))))
                    else:
                        snapshot = self._go_on(snapshot)
                return _completed(snapshot.output, session.feed_run("data"), job=job, log=log)
        except ValueProblem as problem:
            return Errored(error=failure("BadValue", str(problem)), log=str(log))
        except MontyError as error:
            return Errored(error=code_error(error, job=job, names=self._names()), log=str(log))

    @contextmanager
    def _session(self, job: Job) -> Iterator[MontySession]:
        with self._pool.checkout(
            limits={
                "max_feed_duration_secs": job.time_limit,
                "max_memory": job.memory_limit * _MIB,
                "max_suspensions": MAX_CALLS,
            },
            os_policy=self._policy,
        ) as session:
            worker = session.worker_pid
            assert worker is not None  # no turn has begun
            self._busy.add(worker)
            try:
                yield session
            finally:
                self._busy.discard(worker)

    def _call(self, snapshot: FunctionSnapshot) -> Call:
        return Call(name=_plain(snapshot.function_name), args=snapshot.args, kwargs=snapshot.kwargs)

    def _go_on(self, snapshot: SyncSnapshot) -> SyncSnapshot:
        """Answers what is no call of an action: a name, or something that only an operating system could do."""
        match snapshot:
            case NameLookupSnapshot(variable_name=name) if name in self._names():
                return snapshot.resume(value=_stand_in(name))
            case NameLookupSnapshot():
                return snapshot.resume()
            case FunctionSnapshot():
                return snapshot.resume_not_handled()
            case FutureSnapshot(pending_call_ids=ids):
                refusal = RuntimeError("only async functions of the code itself can be awaited")
                return snapshot.resume({number: {"exception": refusal} for number in ids})
        return snapshot


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

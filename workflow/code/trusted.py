"""Runs code in this very Python, without isolation, limits or durability: for projects that chose it knowingly.

The code runs in a thread of its own, so that it can stand still at a call while whoever drives it answers:
the same seam as the sandbox's.
"""

import ast
import io
import itertools
import queue
import threading
import traceback
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from django.db import connections

from workflow import values
from workflow.clock import now
from workflow.code.expression import expression_job, without_calls
from workflow.code.failure import failure
from workflow.code.job import Answer, Call, CodeError, Completed, Errored, Job, Outcome, Problem, Raised, Returned
from workflow.code.log import Log
from workflow.code.runner import Runner
from workflow.code.text import lines
from workflow.values import ValueProblem

_HERE: Final = Path(__file__).parent
_Mode = Literal["exec", "eval"]
_Caller = Callable[[Call], Any]


class TrustedRunner:
    """A `Runner` that keeps no limits. `names` gives the names of the granted actions, `log_limit` is in characters."""

    def __init__(self, *, names: Callable[[], Collection[str]] = tuple, log_limit: int = 100_000) -> None:
        self._names = names
        self._log_limit = log_limit

    def run(
        self, job: Job, *, snapshot: bytes = b"", clock: Callable[[], datetime] = now
    ) -> Generator[Call, Answer, Outcome]:
        """See `Runner.run`. Real Python can't be saved: it makes no snapshots, and its clock is the machine's."""
        return self._run(job, {"run": job.run})

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
        job = expression_job(expression, data=data, results=results, time_limit=time_limit, memory_limit=memory_limit)
        as_typed = replace(job, code=expression.strip())  # `eval` takes nothing but an expression anyway
        return without_calls(self._run(as_typed, {}, mode="eval"))

    def may_join(self, job: Job) -> bool:
        """See `Runner.may_join`: there would be nothing to gain."""
        return False

    def run_together(self, jobs: Sequence[Job]) -> list[Outcome | None]:
        """See `Runner.run_together`."""
        return [None] * len(jobs)

    def are_short(self, expressions: Collection[str]) -> bool:
        """See `Runner.are_short`: none is known to be."""
        return not expressions

    def check(self, code: str, *, expression: bool, stubs: str) -> list[Problem]:
        """See `Runner.check`. Only the syntax: what real Python can import and call, only running it shows."""
        try:
            ast.parse(code.strip() if expression else code, mode="eval" if expression else "exec")
        except SyntaxError as error:
            return [Problem(line=error.lineno or 1, column=error.offset or 1, message=f"{error.msg.capitalize()}.")]
        except (ValueError, RecursionError, MemoryError) as error:
            return [Problem(line=1, column=1, message=f"Python can't parse this: {error}.")]
        return []

    def shared(self) -> AbstractContextManager[Runner]:
        """See `Runner.shared`: there is nothing to share."""
        return nullcontext(self)

    def close(self) -> None:
        """See `Runner.close`: there is nothing to stop."""

    def _run(self, job: Job, scope: dict[str, Any], *, mode: _Mode = "exec") -> Generator[Call, Answer, Outcome]:
        coroutine = _Coroutine(lambda call: self._outcome(job, scope, call=call, mode=mode))
        try:
            while isinstance(step := coroutine.next_step(), Call):
                coroutine.answer((yield step))
            return step
        finally:
            coroutine.abandon()

    def _outcome(self, job: Job, scope: dict[str, Any], *, call: _Caller, mode: _Mode) -> Outcome:
        log = Log(self._log_limit)
        scope = {
            **scope,
            **{name: _calling(name, call) for name in self._names()},
            "__name__": job.run.task,
            "print": _print_to(log),
            "data": values.check(job.data),  # a copy: a job is not changed by its run
            "results": values.check(job.results),
        }
        try:
            result = _value(job, scope, mode=mode)
            return _completed(result, scope.get("data"), log=log)
        except _Abandoned:
            raise
        except ValueProblem as problem:
            return Errored(error=failure("BadValue", str(problem)), log=str(log))
        except BaseException as error:  # noqa: BLE001 - exit() in a task must not end the engine
            return Errored(error=_code_error(error, job=job, names=self._names()), log=str(log))


def _value(job: Job, scope: dict[str, Any], *, mode: _Mode) -> Any:
    """Runs the code; the value of its last statement, if that is an expression."""
    if mode == "eval":
        return eval(compile(job.code, job.run.task, "eval"), scope)  # noqa: S307
    tree = ast.parse(job.code, job.run.task)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, job.run.task, "exec"), scope)  # noqa: S102 - what this runner is for
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), job.run.task, "eval"), scope)  # noqa: S307


def _completed(result: Any, data: Any, *, log: Log) -> Completed:
    if not isinstance(data, dict):
        raise ValueProblem(f"data must stay a dict; the code has made it {type(data).__name__}.")
    return Completed(result=values.check(result, "The result"), data=values.check(data, "data"), log=str(log))


def _calling(name: str, call: _Caller) -> Callable[..., Any]:
    def action(*args: Any, **kwargs: Any) -> Any:
        return call(Call(name=name, args=args, kwargs=kwargs))

    action.__name__ = name
    return action


def _print_to(log: Log) -> Callable[..., None]:
    def log_print(*args: Any, **kwargs: Any) -> None:
        text = io.StringIO()
        print(*args, **{**kwargs, "file": text})
        log.write(text.getvalue())

    return log_print


def _code_error(error: BaseException, *, job: Job, names: Collection[str]) -> CodeError:
    frames = _frames(error, job)
    own = [frame for frame in frames if frame.filename == job.run.task]
    line, column = (own[-1].lineno, own[-1].colno) if own else (None, None)
    if isinstance(error, SyntaxError) and not own:
        line, column = error.lineno, (error.offset or 1) - 1
    return failure(
        type(error).__name__,
        (error.msg if isinstance(error, SyntaxError) else None) or str(error),
        line=line,
        column=None if column is None else column + 1,
        traceback="".join(
            [
                "Traceback (most recent call last):\n",
                *traceback.StackSummary.from_list(frames).format(),
                *traceback.format_exception_only(error),
            ]
        ),
        names=names,
    )


def _frames(error: BaseException, job: Job) -> list[traceback.FrameSummary]:
    """The frames from the code on inwards, without ours, and with the lines of the code, which is in no file."""
    of_code = lines(job.code)
    inward = itertools.dropwhile(
        lambda frame: frame.filename != job.run.task,
        traceback.extract_tb(error.__traceback__),
    )
    return [
        _with_line(frame, of_code) if frame.filename == job.run.task else frame
        for frame in inward
        if Path(frame.filename).parent != _HERE
    ]


def _with_line(frame: traceback.FrameSummary, of_code: list[str]) -> traceback.FrameSummary:
    number = frame.lineno or 0
    return traceback.FrameSummary(
        frame.filename,
        frame.lineno,
        frame.name,
        line=of_code[number - 1] if 0 < number <= len(of_code) else "",
        end_lineno=frame.end_lineno,
        colno=frame.colno,
        end_colno=frame.end_colno,
    )


class _Abandoned(BaseException):
    """Ends code that nobody drives any more; no `except Exception` of the code stops it."""


class _Coroutine:
    """A function in a thread of its own, which stands still at each call that it makes until that is answered."""

    def __init__(self, body: Callable[[_Caller], Outcome]) -> None:
        self._body = body
        self._steps: queue.SimpleQueue[Call | Outcome | BaseException] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._abandoned = False
        threading.Thread(target=self._main, name="trusted code", daemon=True).start()

    def next_step(self) -> Call | Outcome:
        """Waits for the next call, or for the end."""
        step = self._steps.get()
        if isinstance(step, BaseException):
            raise step
        return step

    def answer(self, answer: Answer) -> None:
        """Lets the code go on."""
        self._answers.put(answer)

    def abandon(self) -> None:
        """Ends the code at the call where it stands."""
        self._abandoned = True
        self._answers.put(None)

    def _main(self) -> None:
        try:
            self._steps.put(self._body(self._call))
        except BaseException as error:  # noqa: BLE001 - whoever waits for a step must get one
            self._steps.put(error)
        finally:
            connections.close_all()

    def _call(self, call: Call) -> Any:
        if self._abandoned:
            raise _Abandoned
        self._steps.put(call)
        match self._answers.get():
            case Returned(value):
                return value
            case Raised(exception):
                raise exception
        raise _Abandoned

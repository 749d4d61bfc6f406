"""What Monty raises, as a `CodeError`."""

import re
import signal
from collections.abc import Collection
from typing import Final

from pydantic_monty import MontyCrashedError, MontyError, MontyRuntimeError, MontySyntaxError

from workflow.code.failure import failure
from workflow.code.job import CodeError, Job

_STOPPED: Final = re.compile(rf"\(signal: ({signal.SIGINT:d}|{signal.SIGTERM:d})\b")
_SCRIPT: Final = re.compile(r'File "(?:<python-input-\d+>|main\.py)"')
_STAND_IN: Final = re.compile(r"<action (\w+)>")
_EXCEPTION_TYPE: Final = re.compile(r"[\w.]+")
_OUT_OF_TIME: Final = re.compile(r"(?:feed|turn) time limit exceeded: ")
OUT_OF_MEMORY: Final = re.compile(r"memory limit exceeded: |[Tt]he worker exceeded its memory limit")
MAX_CALLS: Final = 1_000_000  # Monty wants some number, and its own 1000 is less than a loop over a year's orders

_OUT_OF_CALLS: Final = re.compile(r"suspension limit \d+ exceeded")


def was_stopped(error: MontyError) -> bool:
    """Whether the worker died because it was told to, with all processes of its terminal or service."""
    return isinstance(error, MontyCrashedError) and bool(_STOPPED.search(str(error)))


def may_be_anothers_doing(error: MontyError) -> bool:
    """Whether code may have failed by what earlier code took of what its session may take: memory, calls, names; or by
    a worker that died of it, or while nobody looked.
    """
    match error:
        case MontyCrashedError():
            return not error.timed_out
        case MontySyntaxError():
            return True
        case MontyRuntimeError():
            message = str(error.exception())
            return bool(OUT_OF_MEMORY.match(message) or _OUT_OF_CALLS.match(message))
    return False


def code_error(error: MontyError, *, job: Job, names: Collection[str]) -> CodeError:
    """Why the job failed, in the words of who wrote its code."""
    match error:
        case MontyCrashedError(timed_out=True):
            return failure("TimeLimit", _out_of_time(job) + " It did not stop by itself and was killed.")
        case MontyCrashedError():
            return failure("SandboxCrashed", f"The process that ran the code died: {error}")
        case MontyRuntimeError() | MontySyntaxError():
            return _raised(error, job=job, names=names)
    return failure("SandboxError", str(error))


def _raised(error: MontyRuntimeError | MontySyntaxError, *, job: Job, names: Collection[str]) -> CodeError:
    kind, message = _explained(error, job)
    line, column = place(error)
    traceback = _SCRIPT.sub(lambda _: f'File "{job.run.task}"', error.display())
    return failure(
        kind,
        _STAND_IN.sub(r"\1", message),
        line=line,
        column=column,
        traceback=_STAND_IN.sub(r"\1", traceback),
        names=names,
    )


def _explained(error: MontyRuntimeError | MontySyntaxError, job: Job) -> tuple[str, str]:
    message = str(error.exception())
    if _OUT_OF_TIME.match(message):
        return "TimeLimit", _out_of_time(job)
    if OUT_OF_MEMORY.match(message):
        return "MemoryLimit", f"The code needs more memory than its limit of {job.memory_limit} MiB."
    if _OUT_OF_CALLS.match(message):
        return "CallLimit", f"The code made more than {MAX_CALLS:,} calls in one run; is this an endless loop?"
    kind = _EXCEPTION_TYPE.match(error.display("type-msg"))
    return (kind[0] if kind else type(error.exception()).__name__), message


def _out_of_time(job: Job) -> str:
    return f"The code computed for longer than its limit of {job.time_limit:g} s."


def place(error: MontyRuntimeError | MontySyntaxError) -> tuple[int | None, int | None]:
    """Line and column (1-based) of the innermost frame in code as it was typed; none where Monty tells none."""
    for frame in reversed(error.traceback()):
        if frame.filename != "<string>":
            return frame.line, frame.column
    return None, None

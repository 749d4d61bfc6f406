"""What crosses the code seam: a job goes in, calls come out and are answered, an outcome ends it.

Pure: no Django, no database, and no interpreter.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from workflow import values
from workflow.code.waits import Wait


class RunInfo(NamedTuple):
    """What code sees as `run`. A named tuple, because the sandbox gives those their attributes.

    `id` is the instance's; `started_by` is a user name and `subject` what it is about, as `app.model:key`, or `None`.
    """

    id: int
    process: str
    task: str
    attempt: int
    started_by: str | None = None
    subject: str | None = None

    def about(self) -> dict[str, Any]:
        """What a line of the log that tells of this run is about."""
        return {"instance": self.id, "process": self.process, "task": self.task, "attempt": self.attempt}


@dataclass(frozen=True, kw_only=True)
class Job:
    """Code to run once. `time_limit` is in seconds of computing, `memory_limit` in MiB.

    Chance reaches the code through `seed`: the same seed gives the same random numbers, so that a replay is one.
    """

    code: str
    data: dict[str, Any]
    results: dict[str, Any]
    run: RunInfo
    time_limit: float
    memory_limit: int
    seed: str = ""

    def given(self) -> str:
        """All text that the code is given, as JSON."""
        return values.dumps([self.data, self.results])


class SnapshotRefused(Exception):
    """A snapshot can't be loaded: it was made by another version of the interpreter, or is not what was saved."""


class WorkerStopped(Exception):
    """What ran the code gave out: its process was told to end by Ctrl-C, or by a service manager, or code that ran in the
    same session before has left too little memory.

    The code had no part in that. It is to be run again, from where it was saved last.
    """


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call that the code makes, and that whoever drives it must answer.

    `dump` gives the interpreter as it stands at this call, for a later `run` to go on from; it is empty where the
    runner can't do that. `log` is what was printed since the run, or the snapshot, began.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    dump: Callable[[], bytes] = field(default=bytes, compare=False, repr=False)
    log: Callable[[], str] = field(default=str, compare=False, repr=False)


@dataclass(frozen=True)
class Returned:
    """The call returned `value`, which has passed `values.check`."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The call raised `exception`; the code gets it as an exception at that call."""

    exception: Exception


Answer = Returned | Raised


@dataclass(frozen=True, kw_only=True)
class CodeError:
    """Why code failed: `line` and `column` (1-based) are the innermost place in the task's own code.

    `type` is the exception's name, or one of ours: `TimeLimit`, `MemoryLimit`, `CallLimit`, `BadValue`,
    `CallRefused`, `SandboxCrashed`. Of a sub-process that did not finish, `instance` is its id, and `cause` the error
    with which it failed.
    """

    type: str
    message: str
    line: int | None = None
    column: int | None = None
    traceback: str = ""
    instance: int | None = None
    cause: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f" (line {self.line})"
        return f"{self.type}: {self.message}{place}" if self.message else f"{self.type}{place}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives back an equal error."""
        told = asdict(self)
        return {key: value for key, value in told.items() if value is not None or key not in {"instance", "cause"}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The error that `to_json` wrote; fields that it lacks take their defaults."""
        return cls(**value)


@dataclass(frozen=True, kw_only=True)
class Completed:
    """The code ran to its end. `data` is the dict after it; both it and `result` have passed `values.check`."""

    result: Any
    data: dict[str, Any]
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Errored:
    """The code failed; `log` is what it printed up to then. `cause` is what an action raised in this process, if the code
    failed by that: for the log, and kept nowhere.
    """

    error: CodeError
    log: str = ""
    cause: Exception | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Suspended:
    """The code stands at a call that waits; it needs no worker meanwhile."""

    wait: Wait
    log: str = ""


Outcome = Completed | Errored


UNCHECKED = "The code could not be checked"
"""How the message of a problem begins that is the checker's, and not the code's."""

TOO_COMPLICATED = "The code is too complicated to be checked"
"""How the message begins where checking takes more time or memory than it may."""


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """What the checker finds wrong with code, before it runs. Line and column are 1-based.

    `unknown` is the name that the code uses, where there is nothing of that name.
    """

    line: int
    column: int
    message: str
    unknown: str = field(default="", compare=False)

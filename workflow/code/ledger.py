"""The ledger of a run's calls: what has happened, so that it does not happen again."""

import builtins
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django.db import transaction

from workflow import conf, values
from workflow.clock import now
from workflow.code.crossing import is_known, named
from workflow.code.failure import MAX_MESSAGE, shortened, storable
from workflow.code.job import Answer, Call, Raised
from workflow.code.waits import ForChildren, Wait
from workflow.values import ValueProblem


@dataclass(frozen=True, kw_only=True)
class Record:
    """A call that was made, or waits. `number` counts a run's calls from 1. `answer` is `None` while it waits."""

    number: int
    name: str
    arguments: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    answer: Answer | None = None
    wait: Wait | None = None


class Ledger(Protocol):
    """What `execute` asks of whoever keeps a run's calls. Its writes raise where the run is no longer ours."""

    @property
    def snapshot(self) -> bytes:
        """The code as it stands at a call; empty where it has not paused yet."""
        ...

    @property
    def engine(self) -> str:
        """The name of the engine that runs it; blank where none does."""
        ...

    @property
    def number(self) -> int:
        """The call at which the snapshot stands; 0 where there is none."""
        ...

    @property
    def interrupted(self) -> int:
        """How many engines in a row have died, or lost the instance, since one has let go of it: whatever they were doing."""
        ...

    def find(self, number: int) -> Record | None:
        """The call of that number, if it was made before."""
        ...

    def begun(self, number: int) -> int:
        """How often the call of that number was begun, and has come to no end: whoever made it died, or lost the run."""
        ...

    def add(self, record: Record) -> None:
        """Keep a call. It is saved with the next pause, or with the outcome."""
        ...

    def stand(self, number: int, call: Call) -> None:
        """Note that the code stands at this call: to be saved with the next `save`, or with the outcome."""
        ...

    def passed(self, interrupted: int) -> None:
        """Note that the code goes on from a look-up, which was interrupted so often: what it begins next counts by itself."""
        ...

    def save(self) -> None:
        """Save where the code stands, and the calls added since."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """A transaction of the project's database that commits only while the run is ours, and saves what is added."""
        ...

    def key(self, number: int) -> str:
        """What names this very call, however often it is made."""
        ...

    def unknown(self, names: Sequence[str]) -> Sequence[str]:
        """Those of the names that are neither an active user's nor a group's."""
        ...

    def manual_tasks(self) -> Sequence[str] | None:
        """The names of the process's manual tasks; `None` where it is not known of which process the code is."""
        ...

    def refuse(self, children: ForChildren) -> None:
        """Raises `ValueError` where one of these processes can't be started."""
        ...

    def now(self) -> datetime:
        """The code's clock: the time at which the last call ended. It stands still between calls, so that a replay
        sees the same times.
        """
        ...

    def clock(self) -> datetime:
        """The time."""
        ...


class MemoryLedger:
    """A ledger of one execution, with which nothing is saved: for code that is tried out."""

    engine = ""
    snapshot = b""
    number = 0
    interrupted = 0

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self.clock = clock
        self.records: dict[int, Record] = {}
        self._last = clock()

    def find(self, number: int) -> Record | None:
        return self.records.get(number)

    def begun(self, number: int) -> int:
        return 0

    def add(self, record: Record) -> None:
        self.records[record.number] = record
        self._last = record.ended_at or self._last

    def stand(self, number: int, call: Call) -> None:
        """Nothing is saved."""

    def passed(self, interrupted: int) -> None:
        """Nothing is saved."""

    def save(self) -> None:
        """Nothing is saved."""

    def transaction(self) -> AbstractContextManager[None]:
        return transaction.atomic()

    def key(self, number: int) -> str:
        return f"0-{number}"

    def unknown(self, names: Sequence[str]) -> Sequence[str]:
        """Whoever is named would be there."""
        return ()

    def manual_tasks(self) -> Sequence[str] | None:
        """Whichever is named would be there."""
        return None

    def refuse(self, children: ForChildren) -> None:
        """Whatever is named could be started."""

    def now(self) -> datetime:
        return self._last


def arguments_of(call: Call) -> dict[str, Any]:
    """The call's arguments as they are kept. Raises `ValueProblem` for a value that can't be."""
    return {
        "args": values.check(list(call.args), f"An argument of {call.name}()"),
        "kwargs": values.check(dict(call.kwargs), f"An argument of {call.name}()"),
    }


def refuse_too_large(what: str, value: Any) -> None:
    """Raises `ValueProblem` for what takes more bytes than the ledger keeps of one call."""
    size, limit = values.size(value), conf.get("MAX_DATA_BYTES")
    if size > limit:
        raise ValueProblem(f"{what} takes {size:,} bytes; the limit (MAX_DATA_BYTES) is {limit:,}.")


def difference(record: Record, call: Call, arguments: Mapping[str, Any]) -> str:
    """How a call differs from the one recorded under its number; blank where it does not."""
    made, recorded = written(call.name, arguments), written(record.name, record.arguments)
    if made == recorded or (call.name == record.name and _is_kept_as(dict(arguments), record.arguments)):
        return ""
    return f"Call {record.number} was {recorded} when it was made, and is {made} now."


def _is_kept_as(value: Any, kept: Any) -> bool:
    """Whether a database may give back the one for the other: PostgreSQL makes an integer of 1e+16."""
    match value, kept:
        case float(), int():
            return Decimal(repr(value)) == kept
        case list(), list():
            return len(value) == len(kept) and all(map(_is_kept_as, value, kept))
        case dict(), dict():
            return value.keys() == kept.keys() and all(_is_kept_as(value[key], kept[key]) for key in value)
    return type(value) is type(kept) and bool(value == kept)


def written(name: str, arguments: Mapping[str, Any]) -> str:
    """A call as code writes it."""
    parts = [values.dumps(value) for value in arguments["args"]]
    parts += [f"{key}={values.dumps(value)}" for key, value in arguments["kwargs"].items()]
    return f"{name}({', '.join(parts)})"


def error_to_json(exception: Exception) -> dict[str, str]:
    """An exception as it is kept: the nearest type that the sandbox knows and that takes a message, and that."""
    base = next(cls for cls in type(exception).__mro__ if is_known(cls) and not issubclass(cls, UnicodeError))
    message = named(exception) if base is not type(exception) else _message(exception)
    return {"type": base.__name__, "message": shortened(storable(message), MAX_MESSAGE)}


def _message(exception: Exception) -> str:
    """What the exception was made with: `str` of a `KeyError` shows that with quotes, which would be there twice."""
    try:
        return str(exception.args[0]) if len(exception.args) == 1 else str(exception)
    except Exception:  # noqa: BLE001 - whatever the project has put into it
        return named(exception)


def error_from_json(kept: Mapping[str, str]) -> Raised:
    """The exception that was kept, as the code gets it, now and in a replay."""
    kind = getattr(builtins, kept["type"], None)
    # Whoever can write to the database must not have us call what else is built in, such as `eval`.
    if not (isinstance(kind, type) and issubclass(kind, Exception) and is_known(kind)):
        kind = RuntimeError  # some types are ours, such as that of a task's deadline
    return Raised(kind(kept["message"]))

"""The built-in functions at which code stands still: until a time, for people, or for a signal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from workflow import approvers, questions, worktime
from workflow.definition import Field

LONGEST = timedelta(days=3660)


@dataclass(frozen=True, kw_only=True)
class ForTime:
    """Until `due_at`; the call then returns `None`."""

    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class ForPeople:
    """Until one of those named decides, which should be within `due`; the call returns the decision.

    With `not_starter` nobody decides it in an instance that they started, and nobody who decided the manual task
    `not_same_as`.
    """

    names: tuple[str, ...]
    question: str
    form: tuple[Field, ...] = ()
    due: str = ""
    not_starter: bool = False
    not_same_as: str = ""
    due_at: None = None


@dataclass(frozen=True, kw_only=True)
class ForSignal:
    """Until a signal of that name comes; the call returns its payload, or `None` once `due_at` is over."""

    signal: str
    due_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ForChildren:
    """Until all these processes, by name and data, have ended; the call returns their final data, in that order, or,
    where `alone`, that of the only one.
    """

    items: tuple[tuple[str, Mapping[str, Any]], ...]
    alone: bool
    due_at: None = None


Wait = ForTime | ForPeople | ForSignal | ForChildren


def sleep(now: datetime, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> ForTime:
    """`sleep(…)`, called at `now`. Raises `TypeError` or `ValueError` for a time that is no time to wait."""
    for name, number in {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"sleep(): {name} must be a number, not {type(number).__name__}")
    return ForTime(due_at=now + _span("sleep", timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)))


def sleep_until(now: datetime, when: datetime) -> ForTime:
    """`sleep_until(when)`: at once where that has been."""
    if not isinstance(when, datetime):
        raise TypeError(f"sleep_until() takes a datetime, not {type(when).__name__}")
    if when.tzinfo is None:
        raise ValueError("sleep_until() takes a datetime with a time zone, such as datetime.timezone.utc")
    if when - now > LONGEST:
        raise ValueError(f"sleep_until() waits up to ten years; {when} is later")
    return ForTime(due_at=when.astimezone(UTC))


def approval(
    _now: datetime,
    approver: Any,
    question: Any,
    fields: Any = (),
    due: Any = None,
    *,
    not_starter: Any = False,
    not_same_as: Any = "",
) -> ForPeople:
    """`approval(approver, question, fields=[…], due="2d", not_starter=True, not_same_as="Sign")`: names of users and groups, as a
    text with commas or as a list; the form that they fill in, as a list of dicts with the keys of a `Field`; the working time
    that they have; and who may not decide it.
    """
    if not isinstance(question, str) or not question.strip():
        raise ValueError("approval() takes a question, as text, that the approver can decide")
    if not isinstance(not_starter, bool):
        raise TypeError(f"approval(): not_starter must be True or False, not {type(not_starter).__name__}")
    if not isinstance(not_same_as, str):
        raise TypeError(f"approval(): not_same_as must be the name of a manual task, not {type(not_same_as).__name__}")
    try:
        form = questions.form_from_value(fields)
        within = _due(due)
    except (TypeError, ValueError) as error:
        raise type(error)(f"approval(): {error}") from error
    return ForPeople(
        names=approvers.names_from_value(approver),
        question=question,
        form=form,
        due=within,
        not_starter=not_starter,
        not_same_as=not_same_as,
    )


def _due(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f'due must be working time as text, such as "2d", not {type(value).__name__}')
    if worktime.span(value).is_before or worktime.span(value) == worktime.Span():
        raise ValueError(f"due must be more than 0, not {value}")
    return value


def wait_for(now: datetime, signal: Any, timeout: Any = None) -> ForSignal:
    """`wait_for(signal, timeout=…)`: a time-out is in seconds, or a timedelta."""
    if not isinstance(signal, str) or not 0 < len(signal.strip()) <= MAX_SIGNAL:
        raise ValueError(f"wait_for() takes the name of a signal: text of up to {MAX_SIGNAL} characters")
    if timeout is None:
        return ForSignal(signal=signal, due_at=None)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float | timedelta):
        raise TypeError(f"wait_for(): timeout must be seconds or a timedelta, not {type(timeout).__name__}")
    span = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
    return ForSignal(signal=signal, due_at=now + _span("wait_for", span))


def run_process(_now: datetime, name: Any, /, **data: Any) -> ForChildren:
    """`run_process(name, key=value, …)`."""
    return ForChildren(items=(_item("run_process", name, data),), alone=True)


def run_all(_now: datetime, items: Any) -> ForChildren:
    """`run_all([(name, data), …])`."""
    if not isinstance(items, list | tuple) or not all(isinstance(one, list | tuple) and len(one) == 2 for one in items):
        raise TypeError("run_all() takes a list of pairs of a process's name and its data")
    if not 0 < len(items) <= MAX_CHILDREN:
        raise ValueError(f"run_all() starts 1 to {MAX_CHILDREN} processes, not {len(items)}")
    return ForChildren(items=tuple(_item("run_all", name, data) for name, data in items), alone=False)


def _item(function: str, name: Any, data: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(name, str):
        raise TypeError(f"{function}() takes the name of a process as text, not {type(name).__name__}")
    if not isinstance(data, Mapping):
        raise TypeError(f"{function}() takes the data of {name!r} as a dict, not {type(data).__name__}")
    return name, data


MAX_SIGNAL = 200
MAX_CHILDREN = 1_000

WAITS: Mapping[str, Callable[..., Wait]] = {
    "sleep": sleep,
    "sleep_until": sleep_until,
    "approval": approval,
    "wait_for": wait_for,
    "run_process": run_process,
    "run_all": run_all,
}

STUBS = """
class _Decision(TypedDict):
    approved: bool
    user: str | None
    comment: str
    data: dict[str, Any]

def sleep(*, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None: ...

def sleep_until(when: datetime) -> None: ...

def approval(approver: str | list[str], question: str, fields: Sequence[Mapping[str, Any]] = (), due: str | None = None, *, not_starter: bool = False, not_same_as: str = "") -> _Decision: ...

def wait_for(signal: str, timeout: float | timedelta | None = None) -> Any: ...

def run_process(name: str, /, **data: Any) -> dict[str, Any]: ...

def run_all(items: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]: ...
"""


def wait_of(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, now: datetime) -> Wait:
    """What a call of a function in `WAITS` waits for. Raises `TypeError` or `ValueError` for wrong arguments."""
    try:
        return WAITS[name](now, *args, **kwargs)
    except TypeError as error:
        # Python counts our own first argument; the caller must not.
        if "positional argument" in str(error):
            raise TypeError(f"{name}() was called with the wrong arguments; it is{_declared(name)}") from error
        raise
    except OverflowError as error:
        raise ValueError(f"{name}(): the time is out of range") from error


def _declared(name: str) -> str:
    line = next(line for line in STUBS.splitlines() if line.startswith(f"def {name}("))
    return line.removeprefix("def").removesuffix(": ...")


def _span(name: str, span: timedelta) -> timedelta:
    if not timedelta(0) <= span <= LONGEST:
        raise ValueError(f"{name}() takes up to ten years, and no negative time; this is {span}")
    return span

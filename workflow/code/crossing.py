"""Values and exceptions on their way in and out of Monty."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

from pydantic_monty import ExcType, ExternalSettledResult, MontyClassProxy, MontyStdTypeProxy

from workflow import values
from workflow.code.job import Answer, Raised, Returned
from workflow.values import ValueProblem

# What Monty hands out as text although it is none: functions, classes, modules, iterators and ranges.
_DISGUISED: Final = re.compile(r"<\w+ object>|range\(-?\d+, -?\d+(?:, -?\d+)?\)")
_KIND: Final = re.compile(r"<(?:function|action|class|module|coroutine object|bound method)\b")
_KNOWN_EXCEPTIONS: Final[frozenset[str]] = frozenset(get_args(ExcType))


def exported(value: Any, *, where: str, given: Callable[[], str]) -> Any:
    """What the code leaves behind, as `values.check` gives it.

    Raises `ValueProblem` also for text that stands for something else, unless it occurs in what the code was
    `given` (as JSON): then it is honest text.
    """
    try:
        checked = values.check(value, where)
    except ValueProblem as problem:
        raise _renamed(problem) from problem
    for text in _foreign(checked, given):
        raise ValueProblem(f"{where} holds {text}, which can't be kept; is a call's () missing after its name?")
    return checked


def refuse_disguised(name: str, arguments: Any, *, given: Callable[[], str]) -> None:
    """Raises `TypeError` for a call with text that stands for something else, as in `exported`."""
    for text in _foreign(arguments, given):
        raise TypeError(f"{name}() was called with {text}, which can't leave the code; is a call's () missing?")


def _renamed(problem: ValueProblem) -> ValueProblem:
    """The problem with the name that the type has in the code, instead of that of Monty's stand-in."""
    match problem.value:
        case MontyClassProxy(name=name):
            return ValueProblem(str(problem).replace("MontyClassProxy", name))
        case MontyStdTypeProxy(name=name, kind=kind):
            return ValueProblem(str(problem).replace("MontyStdTypeProxy", f"{kind} ({name})"))
    return problem


def _foreign(value: Any, given: Callable[[], str]) -> Iterator[str]:
    """The texts that stand for something else, and that the code was not given."""
    # Each text once, and what was given only if there is one: the code chooses how often a text occurs.
    if found := set(_disguised(value)):
        known = given()
        yield from (text for text in found if text not in known)


def _disguised(value: Any) -> Iterator[str]:
    match value:
        case str() if value[:1] in ("<", "r") and is_disguised(value):
            yield value
        case list():
            for item in value:
                yield from _disguised(item)
        case dict():
            for item in value.values():
                yield from _disguised(item)


def is_disguised(text: str) -> bool:
    """Whether Monty may have made this text of what is none. Takes time in proportion to its length, whatever it is:
    the code has chosen it, and no limit of the sandbox holds here.
    """
    if not _KIND.match(text):
        return bool(_DISGUISED.fullmatch(text))
    before, _, rest = text[1:-1].partition("'")
    outside = before + (rest.rpartition("'")[2] if "'" in rest else rest)
    return text[-1] == ">" and "\n" not in text and "<" not in outside and ">" not in outside


def as_reply(answer: Answer) -> ExternalSettledResult:
    """An answer in Monty's form.

    An exception of a type that Monty knows crosses as it is; another one as its nearest base that Monty knows,
    with its own name before the message, because the code can't see it otherwise.
    """
    match answer:
        case Returned(value):
            return {"return_value": value}
        case Raised(exception) if is_known(type(exception)):
            return {"exception": exception}
        case Raised(exception):
            base = next(cls for cls in type(exception).__mro__ if is_known(cls))
            return {"exc_type": base.__name__, "message": named(exception)}  # type: ignore[typeddict-item]


def named(exception: BaseException) -> str:
    """`Type: message`, or `Type` where there is no message."""
    try:
        message = str(exception)
    except Exception:  # noqa: BLE001 - an exception whose __str__ is broken is still to be told of
        message = ""
    return f"{type(exception).__name__}: {message}" if message else type(exception).__name__


def is_known(cls: type) -> bool:
    """Whether exceptions of this very type reach the code as they are."""
    return cls.__module__ == "builtins" and cls.__name__ in _KNOWN_EXCEPTIONS

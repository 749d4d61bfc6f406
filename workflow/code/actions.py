"""The functions that a project grants to its code tasks, with `@action` in an app's `actions.py`."""

import builtins
import inspect
import keyword
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar, overload

from django.core.exceptions import ImproperlyConfigured

from workflow.code.annotations import resolved, stub
from workflow.code.arguments import bind
from workflow.code.mail import send_mail
from workflow.code.waits import WAITS

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Action:
    """A granted function; `name` is what code calls it by.

    `atomic`: its own work in the database and the record of the call are one commit, so it takes effect exactly
    once. `checkpoint=False`: a pure look-up, of which nothing is recorded, and which a replay calls again.
    """

    name: str
    function: Callable[..., Any]
    atomic: bool = False
    checkpoint: bool = True

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature, its annotations as types; `Any` where they can't be told."""
        return resolved(self.function)

    @property
    def doc(self) -> str:
        """The docstring, without its indentation; blank where there is none."""
        return inspect.getdoc(self.function) or ""

    @cached_property
    def stub(self) -> str:
        """Its declaration for people and for the type checker: `def name(…) -> …: ...`."""
        return stub(self.name, self.signature)

    @property
    def place(self) -> str:
        """Where it is written: file and line."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code else self.function.__module__

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What the function returns; `TypeError` where the arguments don't fit its signature."""
        return self.call_bound(self.bind(args, kwargs))

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """The arguments by parameter; `TypeError` where they don't fit the signature."""
        return bind(self.name, self.signature, args=args, kwargs=kwargs)

    def call_bound(self, bound: inspect.BoundArguments) -> Any:
        """What the function returns for arguments that `bind` has checked."""
        return self.function(*bound.args, **bound.kwargs)


BUILT_IN = {"send_mail": Action(name="send_mail", function=send_mail)}
"""Functions that every project's code may call, and that work like actions."""

RESERVED = frozenset({"data", "results", "run", *WAITS, *BUILT_IN})
"""Names that the engine gives to code itself."""

_actions: dict[str, Action] = dict(BUILT_IN)


@overload
def action(function: _Function) -> _Function: ...
@overload
def action(*, atomic: bool = False, checkpoint: bool = True) -> Callable[[_Function], _Function]: ...
def action(function: _Function | None = None, *, atomic: bool = False, checkpoint: bool = True) -> Any:
    """Grants a function to all code tasks, under its own name. It stays callable as it is.

    Each call is recorded, and its return kept: it is made at least once, under the same key if it is made again
    (`current_run().key`). `atomic=True` makes that exactly once for what it does in this database.
    `checkpoint=False` is for look-ups that may be called any number of times. Raises `ImproperlyConfigured` for a name
    that is taken, for an async function, and for both options at once.
    """
    if function is None:
        return lambda granted: _grant(granted, atomic=atomic, checkpoint=checkpoint)
    return _grant(function, atomic=atomic, checkpoint=checkpoint)


def _grant(function: _Function, *, atomic: bool, checkpoint: bool) -> _Function:
    granted = Action(name=function.__name__, function=function, atomic=atomic, checkpoint=checkpoint)
    _refuse_async(granted)
    _refuse_name(granted)
    if atomic and not checkpoint:
        raise ImproperlyConfigured(
            f"The action {granted.name}() at {granted.place} is atomic without a checkpoint; atomic=True means that the "
            "record of the call is written with its work, and checkpoint=False that there is none."
        )
    _actions[granted.name] = granted
    return function


def actions() -> Mapping[str, Action]:
    """All granted actions, and the built-in ones, by name; they are known once the apps are loaded."""
    return MappingProxyType(_actions)


@contextmanager
def replaced() -> Iterator[None]:
    """A context, for tests, after which the actions are those that were granted before."""
    before = dict(_actions)
    try:
        yield
    finally:
        _actions.clear()
        _actions.update(before)


def replace_action(other: Action) -> None:
    """Have another action take the place of the one of its name. Only in a `replaced` context."""
    _actions[other.name] = other


def _refuse_async(granted: Action) -> None:
    if inspect.iscoroutinefunction(granted.function) or inspect.isasyncgenfunction(granted.function):
        raise ImproperlyConfigured(
            f"The action {granted.name}() at {granted.place} is async, which code can't call; "
            "write a plain function (asgiref.sync.async_to_sync makes one)."
        )


def _refuse_name(granted: Action) -> None:
    name, place = granted.name, granted.place
    if not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
        raise ImproperlyConfigured(
            f"The action at {place} is called {name!r}; give it a name that code can call, without a leading underscore."
        )
    if name in RESERVED:
        raise ImproperlyConfigured(
            f"The action {name}() at {place} has a name that the workflow engine gives to code itself."
        )
    if hasattr(builtins, name):
        raise ImproperlyConfigured(f"The action {name}() at {place} has the name of a built-in of Python ({name}).")
    taken = _actions.get(name)
    if taken is not None and taken.place != place:
        raise ImproperlyConfigured(f"Two actions are called {name}(): at {taken.place} and at {place}. Rename one.")

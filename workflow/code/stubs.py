"""The names in the code's scope, declared for the type checker.

A leading underscore keeps a name that only the declarations need out of the code's sight.
"""

from collections.abc import Mapping

from workflow.code.actions import Action, actions
from workflow.code.waits import STUBS as WAIT_STUBS

IMPORTS = """\
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar
"""

# What the interpreter has and its own type checker does not know.
BUILTINS = """
_T = TypeVar("_T")

def map(function: Callable[..., _T], iterable: Iterable[Any], /, *more: Iterable[Any]) -> Iterator[_T]: ...
def filter(function: Callable[[Any], Any] | None, iterable: Iterable[_T], /) -> Iterator[_T]: ...
def format(value: object, spec: str = "", /) -> str: ...
def getattr(of: object, name: str, default: Any = ..., /) -> Any: ...
def hasattr(of: object, name: str, /) -> bool: ...
def setattr(of: object, name: str, value: Any, /) -> None: ...

class ImportError(Exception): ...
class ModuleNotFoundError(ImportError): ...
class UnboundLocalError(NameError): ...
class UnicodeDecodeError(ValueError): ...
class UnicodeEncodeError(ValueError): ...
class FileExistsError(OSError): ...
class FileNotFoundError(OSError): ...
class IsADirectoryError(OSError): ...
class NotADirectoryError(OSError): ...
class PermissionError(OSError): ...
"""

STATE = """
data: dict[str, Any]
results: dict[str, Any]
"""

RUN = """
class _Run(NamedTuple):
    id: int
    process: str
    task: str
    attempt: int
    started_by: str | None
    subject: str | None

run: _Run
"""


def stubs(*, expression: bool = False, granted: Mapping[str, Action] | None = None) -> str:
    """The declarations: `data` and `results`, and for a task's code also `run` and what is `granted`."""
    if expression:
        return IMPORTS + BUILTINS + STATE
    granted = actions() if granted is None else granted
    return IMPORTS + BUILTINS + STATE + RUN + WAIT_STUBS + "".join(f"\n{action.stub}\n" for action in granted.values())

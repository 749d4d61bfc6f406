"""The names in the code's scope, declared for the type checker.

A leading underscore keeps a name that only the declarations need out of the code's sight.
"""

from collections.abc import Mapping

from workflow.code.actions import Action, actions
from workflow.code.waits import STUBS as WAIT_STUBS

IMPORTS = """\
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypedDict
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
        return IMPORTS + STATE
    granted = actions() if granted is None else granted
    return IMPORTS + STATE + RUN + WAIT_STUBS + "".join(f"\n{action.stub}\n" for action in granted.values())

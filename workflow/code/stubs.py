"""The names in the code's scope, declared for the type checker.

A leading underscore keeps a name that only the declarations need out of the code's sight.
"""

from workflow.code.actions import actions

IMPORTS = """\
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
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


def stubs(*, expression: bool = False) -> str:
    """The declarations: `data` and `results`, and for a task's code also `run` and the granted actions."""
    if expression:
        return IMPORTS + STATE
    return IMPORTS + STATE + RUN + "".join(f"\n{action.stub}\n" for action in actions().values())

"""A durable workflow engine that lives inside a Django project.

Processes are rows in the admin, an engine runs them, and they wait for people where people must decide. What programs
call can be imported from here, once Django's apps are loaded; `action` and `current_run` at any time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflow.code.actions import action
    from workflow.code.current import current_run
    from workflow.operations import approve, reject, signal, start, start_many

__all__ = ["action", "approve", "current_run", "reject", "signal", "start", "start_many"]

_HOMES = {"action": "workflow.code.actions", "current_run": "workflow.code.current"}


def __getattr__(name: str) -> Any:
    # Late, because models can't be imported before Django has loaded the apps, of which this is one.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "workflow.operations")), name)

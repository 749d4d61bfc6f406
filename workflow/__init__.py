"""A durable workflow engine that lives inside a Django project.

Processes are rows in the admin, an engine runs them, and they wait for people where people must decide. What programs
call can be imported from here, once Django's apps are loaded; `action` and `current_run` at any time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from workflow.version import __version__

if TYPE_CHECKING:
    from workflow.code.actions import action
    from workflow.code.current import current_run
    from workflow.operations import approve, reject, signal, start, start_many
    from workflow.operators import Action as Operation
    from workflow.operators import perform as operate
    from workflow.operators import perform_all as operate_all
    from workflow.operators import plan

__all__ = [
    "Operation",
    "__version__",
    "action",
    "approve",
    "current_run",
    "operate",
    "operate_all",
    "plan",
    "reject",
    "signal",
    "start",
    "start_many",
]

# Where each is at home, and under which name where that is another: `action` and `Action` are too easily mixed up.
_HOMES = {
    "Operation": "workflow.operators.Action",
    "action": "workflow.code.actions.action",
    "current_run": "workflow.code.current.current_run",
    "operate": "workflow.operators.perform",
    "operate_all": "workflow.operators.perform_all",
    "plan": "workflow.operators.plan",
}


if not TYPE_CHECKING:  # to a type checker, any name would be there

    def __getattr__(name: str) -> Any:
        # Late, because models can't be imported before Django has loaded the apps, of which this is one.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home, _, known_as = _HOMES.get(name, f"workflow.operations.{name}").rpartition(".")
        return getattr(import_module(home), known_as)


def __dir__() -> list[str]:
    # What `dir` tells by itself has only what was loaded already.
    return sorted({*globals(), *__all__})

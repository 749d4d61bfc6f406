"""Task queues that misbehave."""

from importlib import import_module
from typing import Any

from workflow import compat

_backends = f"{compat.tasks().__name__}.backends"
ImmediateBackend = import_module(f"{_backends}.immediate").ImmediateBackend
DummyBackend = import_module(f"{_backends}.dummy").DummyBackend

if compat.tasks().__name__ == "django_tasks":
    import_module("django_tasks.signals")  # which hears of settings that tests change, as Django's own framework does

sent: list[dict[str, Any]] = []
"""What `Losing` was sent."""

failures: list[Exception] = []
"""What `Failing` is still to raise."""


class Losing(DummyBackend):
    """Takes tasks, and never runs them."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        sent.append(kwargs)
        return super().enqueue(task, args, kwargs)


class Failing(ImmediateBackend):
    """Can't be reached for a while."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        if failures:
            raise failures.pop(0)
        return super().enqueue(task, args, kwargs)

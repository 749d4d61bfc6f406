"""For actions: which run of which instance calls them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.apps import apps

from workflow.code.job import RunInfo

_current: ContextVar["CurrentRun"] = ContextVar("workflow_current_run")


@dataclass(frozen=True, kw_only=True)
class CurrentRun:
    """The call that an action serves. `key` is the same whenever this very call is made again: give it to services
    that take an idempotency key.
    """

    info: RunInfo
    key: str

    @property
    def subject(self) -> Any:
        """The object that the instance is about, read anew; `None` where it has none, or that was deleted."""
        if self.info.subject is None:
            return None
        kind, key = self.info.subject.split(":", 1)
        return apps.get_model(kind)._base_manager.filter(pk=key).first()


def current_run() -> CurrentRun:
    """The run that calls this action. Raises `LookupError` outside a call by a code task."""
    try:
        return _current.get()
    except LookupError:
        raise LookupError("current_run() is known only while a code task calls an action.") from None


@contextmanager
def serving(run: CurrentRun) -> Iterator[None]:
    """Makes `run` the current one."""
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)

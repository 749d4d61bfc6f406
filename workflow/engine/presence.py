"""An engine's row: that it is there, for whoever looks after engines."""

import os
import secrets
import socket
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from workflow import clock
from workflow.abilities import Abilities
from workflow.models import Engine
from workflow.version import __version__

REMEMBERED = timedelta(days=1)
"""Since its last word. A dead engine is to be seen until somebody has looked, but not for ever."""


def name_of(pid: int, token: str) -> str:
    """The name of an engine that runs in this process of this host. The token tells it from others that had the same number."""
    return f"{socket.gethostname()}:{pid}:{token}"


def new_token() -> str:
    return secrets.token_hex(3)


def own_name() -> str:
    """A new name for an engine of this process."""
    return name_of(os.getpid(), new_token())


@dataclass(frozen=True, kw_only=True)
class Presence:
    """What an engine says of itself. `lease` is in seconds; `queued` gives the claims that wait for a thread, each as an instance
    and its fence.
    """

    name: str
    lease: float
    concurrency: int
    processes: Collection[str] = ()
    dispatch: str = "engine"
    queued: Callable[[], Sequence[tuple[int, int]]] = tuple
    abilities: Callable[[], Abilities] = Abilities.of_this_process

    def begin(self) -> None:
        """Say that the engine is there, and forget those that have been dead for long."""
        Engine.objects.filter(seen_at__lt=clock.database_now() - REMEMBERED).delete()
        self.go_on()

    def go_on(self) -> None:
        """Say that it is still there."""
        news: dict[str, Any] = {"seen_at": clock.database_now(), "queued": list(self.queued())}
        if Engine.objects.filter(name=self.name).update(**news):
            return
        Engine.objects.get_or_create(
            name=self.name,
            defaults={
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "version": __version__,
                "processes": sorted(self.processes),
                "concurrency": self.concurrency,
                "lease": self.lease,
                "dispatch": self.dispatch,
                "abilities": self.abilities().to_json(),
                "started_at": news["seen_at"],
                **news,
            },
        )

    def end(self) -> None:
        """Say that it has stopped: it is no longer to be looked for."""
        Engine.objects.filter(name=self.name).delete()

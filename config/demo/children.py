"""The demo's processes: started together, watched, and stopped together."""

import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import FrameType, TracebackType
from typing import Self

MANAGE = Path(__file__).resolve().parent.parent.parent / "manage.py"
PATIENCE = 15.0  # seconds that a process has to stop by itself
START_UP = 60.0  # seconds that the web site has to answer
GLANCE = 0.2  # seconds between looks at whether all are alive
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """A process ended that nobody had stopped."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"The {name} ended by itself, with exit code {code}; its own words are above.")


@dataclass
class Children:
    """A context in which processes run. It is left when a signal comes or one of them ends, and then all are stopped."""

    stopping: Event = field(default_factory=Event)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        return self

    def start(self, name: str, *command: str, quiet: bool = False) -> None:
        """Starts a command of `manage.py`; a `quiet` one says only what goes wrong."""
        self.running[name] = subprocess.Popen(
            [sys.executable, str(MANAGE), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else None,
            # Ctrl-C reaches a terminal's whole process group. These are to be stopped by us, once, in our order.
            process_group=0,
        )

    def wait_until_served(self, host: str, port: int) -> None:
        """Waits until something listens there. Raises `Ended` when it can't come to that any more."""
        deadline = time.monotonic() + START_UP
        while not self.stopping.is_set() and not _is_served(host, port):
            self._raise_if_ended()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nothing listens at {host}:{port} after {START_UP:.0f} seconds.")
            self.stopping.wait(GLANCE)

    def watch(self) -> None:
        """Waits for a signal to stop. Raises `Ended` when a process ends before that."""
        while not self.stopping.is_set():
            self._raise_if_ended()
            self.stopping.wait(GLANCE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for child in self.running.values():
            child.send_signal(signal.SIGINT)
        try:
            self._wait_for_all(deadline=time.monotonic() + PATIENCE)
        finally:
            # Those that are too slow, or all of them at a second Ctrl-C.
            for child in self.running.values():
                child.kill()
                child.wait()

    def _wait_for_all(self, *, deadline: float) -> None:
        for child in self.running.values():
            try:
                child.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                return

    def _raise_if_ended(self) -> None:
        for name, child in self.running.items():
            code = child.poll()
            if code is not None:
                raise Ended(name, code)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.stopping.is_set():
            raise KeyboardInterrupt
        self.stopping.set()


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        # As servers do: a port that was in use a moment ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _is_served(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0

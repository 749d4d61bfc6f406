"""Signals of the operating system, heard of as news instead of as interruptions."""

import signal
import socket
from contextlib import suppress

STOPS = (signal.SIGTERM, signal.SIGINT)


class Hearing:
    """Hears of these signals, once it is there; they do nothing else from then on. There can be one in a process.

    A handler would run in the middle of whatever the main thread does, and might wait there for a lock that the code
    which it interrupts holds itself.
    """

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)  # noqa: FBT003 - the name of the method says it
        signal.set_wakeup_fd(self._told.fileno())
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def next(self, timeout: float | None = None) -> int | None:
        """The next signal, as soon as it comes; `None` after that many seconds without news."""
        self._heard.settimeout(timeout)
        with suppress(TimeoutError):
            while (number := self._heard.recv(1)[0]) not in self._numbers:
                """Some library listens to a signal of its own."""
            return number
        return None

"""Several engines of one command: each is a process of its own, and the one that was started watches over them.

They run the command once more, each as a single engine, rather than being forks: a fork's sandbox would be dead. They stay in
the process group, so that what is done to the group is done to all of them.

What one of them holds when it dies, the parent releases: it knows that it is dead, where others could only wait for its leases to run out.
It knows what its engine is called, as it has given it the part of the name that is made up.

Each has for its standard input the end of a socket whose other end only its parent holds, the lifeline. It says there, by one byte, that
it has come up, and by its process's number in a line that it takes suspects: should it die soon, the parent knows why, and starts another at once.
The lifeline ends when the parent wants them to stop, or is no more. That can come beside a signal to the whole group, as Ctrl-C is one, and is
not taken for the second signal, which would end them at once.
"""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

from workflow.engine.hearing import STOPS, Hearing
from workflow.engine.presence import name_of, new_token
from workflow.logs import fields

logger = logging.getLogger(__name__)

MARK = "WORKFLOW_WORKER"
"""The environment variable by which a process knows that it is one of several, rather than their parent."""

TOKEN = "WORKFLOW_ENGINE_TOKEN"  # noqa: S105 - no secret
"""The environment variable of a part of its engine's name, so that its parent knows that name."""

LIFELINE = 0
"""A worker's end of it: the standard input."""

WARNING = re.compile(rb"(\d+)\n")
"""What a worker says by `warn_parent`."""

LONG_ENOUGH = 5.0  # seconds; one that ends earlier is started again after a pause
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds


def is_worker() -> bool:
    """Whether a parent has started this process as one of several engines. What it starts itself is none, so it forgets."""
    return os.environ.pop(MARK, "") != ""


def worker_name() -> str:
    """What the engine of this worker is called, as its parent expects. What it starts itself is another, so it forgets."""
    return name_of(os.getpid(), os.environ.pop(TOKEN, "") or new_token())


def tell_parent() -> None:
    """Tell the parent that this engine has come up."""
    with suppress(OSError):  # it has died already
        os.write(LIFELINE, b".")


def warn_parent() -> None:
    """Tell the parent that this engine takes suspects: if it dies soon, that is why."""
    with suppress(OSError):
        os.write(LIFELINE, b"%d\n" % os.getpid())


def obey_parent(stop: Callable[[], None]) -> None:
    """Have this engine stop when its parent wants it to, or has died."""
    Thread(target=_stop_at_end, args=(stop,), name="lifeline", daemon=True).start()


def _stop_at_end(stop: Callable[[], None]) -> None:
    with suppress(OSError):
        os.read(LIFELINE, 1)  # nobody writes: this is its end
    stop()


def same_command() -> list[str]:
    """What this process was started by, with all options of Python and of the command."""
    return [sys.executable, *sys.orig_argv[1:]]


@dataclass(eq=False)
class Worker:
    """One of the engines, through all its lives."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    """`None` when it is dead, until the next one is started."""
    began_at: float = 0.0
    starts_at: float = 0.0
    pause: float = 0.0
    exit_code: int | None = None
    """Of its last life."""
    token: str = ""
    has_warned: bool = False
    """Whether it has said in the present life that it takes suspects."""

    @property
    def engine(self) -> str:
        """The name of its engine, in the present life."""
        return name_of(self.process.pid, self.token) if self.process else ""

    @property
    def has_failed(self) -> bool:
        """Whether it is dead, and ended badly."""
        return self.process is None and bool(self.exit_code)


@dataclass(kw_only=True)
class Workers:
    """So many processes of one command. One that ends is started again, but for one that ends well where they run
    `until_idle`.
    """

    count: int
    command: Sequence[str] = field(default_factory=same_command)
    until_idle: bool = False
    release: Callable[[str], object] = lambda _: None
    """Is told the name of each engine that has died, rather than stopped."""
    hearing: Hearing = field(default_factory=lambda: Hearing(*STOPS, signal.SIGCHLD))

    def __post_init__(self) -> None:
        self._workers = [Worker(number) for number in range(1, self.count + 1)]
        self._has_come_up = False

    def run(self) -> int:
        """Watch over them until all have ended, or a signal stops them; returns the exit code for it all."""
        self._lifeline, self._stdin = socket.socketpair()
        with self._lifeline, self._stdin:
            return self._watch()

    def _watch(self) -> int:
        while True:
            self._bury()
            if self._is_hopeless():
                return self._give_up()
            self._start_due()
            if not self._left():
                return 0
            if self.hearing.next(self._next_start()) in STOPS:
                return self._stop()

    def _bury(self) -> None:
        ended = [(one, code) for one in self._workers if one.process and (code := one.process.poll()) is not None]
        self._note_what_they_say()  # only now, so that it is all that those have said
        for worker, code in ended:
            if code:
                self.release(worker.engine)
            worker.process, worker.exit_code = None, _as_shell(code)
            self._plan(worker)

    def _note_what_they_say(self) -> None:
        with suppress(BlockingIOError):
            said = self._lifeline.recv(100_000, socket.MSG_DONTWAIT)
            self._has_come_up |= bool(said)
            warned = {int(number) for number in WARNING.findall(said)}
            for worker in self._workers:
                worker.has_warned |= worker.process is not None and worker.process.pid in warned

    def _plan(self, worker: Worker) -> None:
        """When to start one again that has just ended, if at all. A pause is for what goes wrong with the engine itself: where a suspect
        has killed it, that would only hold up others.
        """
        now = time.monotonic()
        worker.pause = 0.0 if worker.has_warned else next_pause(now - worker.began_at, worker.pause)
        worker.starts_at = now + worker.pause
        if worker in self._left():
            told = "Worker %s ended with exit code %s; it is started again in %.1f seconds."
            logger.warning(told, worker.number, worker.exit_code, worker.pause, extra=fields(worker=worker.number))

    def _left(self) -> list[Worker]:
        """Those that are to run, now or after a pause."""
        return [one for one in self._workers if one.process or not (self.until_idle and one.exit_code == 0)]

    def _is_hopeless(self) -> bool:
        """Whether none has ever come up. What keeps them from it will not go away, and has been told by them."""
        return not self._has_come_up and all(worker.has_failed for worker in self._workers)

    def _give_up(self) -> int:
        code = max(worker.exit_code or 0 for worker in self._workers)
        logger.error("All %s workers ended before they had come up, with exit code %s.", self.count, code)
        return code

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._left():
            if worker.process is None and worker.starts_at <= now:
                self._start(worker)

    def _start(self, worker: Worker) -> None:
        worker.token, worker.has_warned = new_token(), False
        environment = {**os.environ, MARK: str(worker.number), TOKEN: worker.token}
        worker.process = subprocess.Popen(self.command, stdin=self._stdin.fileno(), env=environment)  # noqa: S603 - this program
        worker.began_at = time.monotonic()
        told = "Worker %s of %s is process %s."
        logger.info(told, worker.number, self.count, worker.process.pid, extra=fields(worker=worker.number))

    def _next_start(self) -> float | None:
        """Seconds until one is to be started, if there is one."""
        starts = [worker.starts_at for worker in self._left() if worker.process is None]
        return max(0.0, min(starts) - time.monotonic()) if starts else None

    def _stop(self) -> int:
        """Have those that run stop cleanly; at the second signal, at once."""
        self._lifeline.close()
        workers = [worker for worker in self._workers if worker.process]
        processes = [worker.process for worker in workers if worker.process]
        while running := [process for process in processes if process.poll() is None]:
            number = self.hearing.next()
            if number in STOPS:
                _kill(running)
                return 128 + number
        for worker in workers:
            if worker.process and _stopped(worker.process.returncode):
                self.release(worker.engine)
        return max((_stopped(process.returncode) for process in processes), default=0)


def next_pause(lived: float, last: float) -> float:
    """Seconds before one that has lived so long is started again, if the last time it was `last`."""
    return 0.0 if lived >= LONG_ENOUGH else min(LONGEST_PAUSE, max(FIRST_PAUSE, last * 2))


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def _stopped(code: int) -> int:
    """The exit code of one that was stopped. One that a signal to the whole group ended before it had begun held nothing."""
    return 0 if -code in STOPS else _as_shell(code)


def _as_shell(code: int) -> int:
    """An exit code as a shell gives it, where `subprocess` has the signal's number below 0."""
    return code if code >= 0 else 128 - code

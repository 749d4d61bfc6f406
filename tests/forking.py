"""Starts `manage.py` quickly: a server that has loaded Django and the site forks each process, and tells how it ended.

They are processes like any other, and end as Python does: only what imports take is saved. As the settings are loaded as
well, there is one environment for all of them. The server has neither threads nor a sandbox nor connections to the
database, which a fork would not survive.

It forks a keeper for each process, which forks that, and waits for its end.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
SIZE = 4  # bytes of an answer, which is a number
READ_WHEN_RUN = {"DJANGO_ALLOW_ASYNC_UNSAFE", "EFFECTS", "PYTEST_CURRENT_TEST"}
"""Variables that are read neither by Python as it starts nor by the settings: each process has its own."""


class Forked:
    """A process that was forked, to be used like a `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], answers: socket.socket) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._answers = answers
        self.pid = self._answer()

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; -N if signal N has ended it."""
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = self._answer()
            self._answers.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _answer(self) -> int:
        told = self._answers.recv(SIZE)
        assert told, "the server of forks has ended"
        return int.from_bytes(told, signed=True)


class Forking:
    """The server, which begins with the first process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._requests: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Whether it can start processes with that environment."""
        return _lasting(environment) == _lasting(self._environment)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], *, output: int, errors: int) -> Forked:
        """Have `manage.py` run with these arguments, in a process group of its own. The two are open files."""
        if self._requests is None:
            self._requests, theirs = socket.socketpair()
            self._server = self._begin(theirs)
        answers, told = socket.socketpair()
        variables = {name: environment[name] for name in READ_WHEN_RUN & environment.keys()}
        request = json.dumps([arguments, variables]).encode()
        with told:
            socket.send_fds(self._requests, [request + b"\n"], [output, errors, told.fileno()])
        return Forked(arguments, answers)

    def close(self) -> None:
        if self._requests is not None and self._server is not None:
            self._requests.close()
            self._server.wait(20)

    def _begin(self, requests: socket.socket) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.forking"]
        with requests:
            return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdin=requests, process_group=0)


def _lasting(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in READ_WHEN_RUN}


def main() -> None:
    """Be the server until nobody can ask any more, and then each of the processes."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for keepers
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as requests:
        while request := _next(requests):
            arguments, variables, files = request
            if not os.fork():
                break
            for file in files:
                os.close(file)
    if request:
        _keep(*files)
        _become(arguments, variables)


def _load() -> None:
    """All that a command would import, by the checks that each makes, and what an engine needs besides."""
    import django
    from django.core.management import call_command, get_commands, load_command_class

    django.setup()
    with Path(os.devnull).open("w") as nowhere:
        call_command("check", stdout=nowhere)
    for name, app in get_commands().items():
        if app == "workflow":
            load_command_class(app, name)
    import workflow.code.sandbox
    import workflow.engine  # noqa: F401

    assert threading.active_count() == 1
    gc.freeze()  # memory that forks share is left alone


def _next(requests: socket.socket) -> tuple[list[str], dict[str, str], list[int]] | None:
    text, files, _, _ = socket.recv_fds(requests, 1_000, 3)
    while text and not text.endswith(b"\n"):
        text += requests.recv(1_000)
    return (*json.loads(text), files) if text else None


def _keep(output: int, errors: int, answers: int) -> None:
    """Fork the process, in which this returns; here, tell who it is, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := os.fork():
        os.setpgid(child, child)
        with suppress(BrokenPipeError):  # nobody may want to know any more
            os.write(answers, child.to_bytes(SIZE, signed=True))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            os.write(answers, code.to_bytes(SIZE, signed=True))
        os._exit(0)
    with Path(os.devnull).open() as nowhere:
        for number, file in enumerate([nowhere.fileno(), output, errors]):
            os.dup2(file, number)
    for file in (output, errors, answers):
        os.close(file)


def _become(arguments: list[str], variables: dict[str, str]) -> None:
    """Be `manage.py`."""
    import manage

    os.environ.update(variables)
    sys.argv = ["manage.py", *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    manage.main()


if __name__ == "__main__":
    main()

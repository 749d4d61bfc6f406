"""Engines, ours and others', as processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks import usage
from benchmarks.site import ROOT, environment

STOPPING = 30.0  # seconds


class Worker:
    """A process that works on what is in the database, and writes its log to a file."""

    def __init__(self, *command: str, url: str, folder: Path) -> None:
        self.log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment(url),
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # so that what it starts stands still together with it
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def pause(self) -> None:
        """Have it stand still, with all that it has started."""
        os.killpg(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it run again."""
        os.killpg(self.pid, signal.SIGCONT)

    def check(self) -> None:
        """Raises if it has ended: nothing that is waited for would ever come."""
        if self.process.poll() is not None:
            raise SystemExit(f"A worker ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")

    def end(self) -> None:
        """Stop it, by force if it takes long."""
        if self.process.poll() is None:
            self.go_on()
            self.process.terminate()
            try:
                self.process.wait(STOPPING)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()

    def cpu_seconds(self) -> float:
        """Processor time that it has taken so far, with what it has started."""
        return usage.cpu_seconds(self.pid)


@contextmanager
def working(*command: str, url: str, folder: Path) -> Iterator[Worker]:
    """A worker that runs until the block ends."""
    worker = Worker(*command, url=url, folder=folder)
    try:
        yield worker
    finally:
        worker.end()


def engine(*options: str, url: str, folder: Path) -> AbstractContextManager[Worker]:
    """Our engine, with default options but for those that are given."""
    return working("manage.py", "runengine", *options, url=url, folder=folder)

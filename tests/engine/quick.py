"""A runner of a machine that is never busy."""

from collections.abc import Iterator
from contextlib import contextmanager

from workflow.code.runner import _callable_names
from workflow.code.sandbox import SandboxRunner
from workflow.code.together import ShortCode

TIME_LIMIT = 60.0
"""Seconds that code may compute where it is to run together: give it to the tasks, or to the project's setting."""


@contextmanager
def quick_runner() -> Iterator[SandboxRunner]:
    """It takes all code for short that has run to its end, however long that took: its clock stands still. Many may run together for
    as long as one may by itself.
    """
    short = ShortCode(clock=lambda: 0.0, longest=TIME_LIMIT)
    runner = SandboxRunner(workers=100, names=_callable_names, short=short)
    try:
        yield runner
    finally:
        runner.close()

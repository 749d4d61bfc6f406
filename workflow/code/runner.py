"""What runs code: the protocol that the sandbox and the trusted runner share, and the one of this OS process."""

from collections.abc import Generator
from typing import Any, Protocol

from workflow.code.job import Answer, Call, Completed, Errored, Job, Outcome, Problem


class Runner(Protocol):
    """Runs and checks code. Safe to use from several threads at once."""

    def run(self, job: Job) -> Generator[Call, Answer, Outcome]:
        """Yields the calls that the code makes, is sent their answers, and returns the outcome.

        Never raises for a fault of the code. Closing the generator abandons the job and frees its worker.
        """
        ...

    def evaluate(
        self,
        expression: str,
        *,
        data: dict[str, Any],
        results: dict[str, Any],
        time_limit: float,
        memory_limit: int,
    ) -> Completed | Errored:
        """The value of one expression that makes no calls: a condition, an approver."""
        ...

    def check(self, code: str, *, expression: bool, stubs: str) -> list[Problem]:
        """What is wrong with code that can be known without running it; `stubs` declares the names in its scope."""
        ...

    def close(self) -> None:
        """Stops the workers. The runner can't be used afterwards."""
        ...


def get_runner() -> Runner:
    """The runner of this OS process, by the setting `RUNNER`."""
    raise NotImplementedError

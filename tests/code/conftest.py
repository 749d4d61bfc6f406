"""The two runners, and jobs for them."""

from collections.abc import Iterator

import pytest

from tests.beside import *  # noqa: F403
from tests.code.granted import GRANTED
from workflow.code.runner import Runner
from workflow.code.sandbox import SandboxRunner
from workflow.code.trusted import TrustedRunner


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxRunner]:
    runner = SandboxRunner(workers=3, names=lambda: GRANTED, log_limit=1_000, timezone="Europe/Berlin")
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def trusted() -> TrustedRunner:
    return TrustedRunner(names=lambda: GRANTED, log_limit=1_000)


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Driving a job looks after the database connections of its thread."""


@pytest.fixture(params=["sandbox", "trusted"])
def runner(request: pytest.FixtureRequest) -> Runner:
    found: Runner = request.getfixturevalue(request.param)
    return found

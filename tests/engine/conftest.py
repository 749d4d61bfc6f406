"""Fixtures for tests of engines."""

import pytest

from workflow.engine import worker


@pytest.fixture(autouse=True)
def _worker_starts_anew() -> None:
    """Clear what a task queue's worker caches by primary key: each test's database assigns the same keys again."""
    worker._definitions.clear()
    worker._lacking.cache_clear()

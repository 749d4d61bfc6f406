"""The PostgreSQL that the tests bring along, for machines that have none."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.postgres import postgres_url

ROOT = Path(__file__).parent.parent
USE = """
import sys
from pathlib import Path
import psycopg
from tests.postgres import postgres_url
url = postgres_url(Path(sys.argv[1]))
with psycopg.connect(url, autocommit=True) as connection:
    connection.execute("CREATE DATABASE test")
    print(url)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a server may live that runs as nobody; pytest's own folders are closed to others than root."""
    made = Path(tempfile.mkdtemp(prefix="workflow-tests-"))
    yield made
    shutil.rmtree(made)


@pytest.mark.slow
def test_the_one_of_the_wheel_serves_for_root_too_and_ends_with_the_process_that_started_it(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TEST_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-c", USE, str(folder)],
        cwd=ROOT,
        env={**environment, "TEST_POSTGRES": "wheel"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    url = done.stdout.strip()
    assert str(folder) in url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_one_that_is_offered_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://somewhere/else")
    assert postgres_url(folder) == "postgres://somewhere/else"

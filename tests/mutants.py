"""What pytest does otherwise where mutmut runs it, see tests/mutation.py: it takes a database that is built already, and begins with the
tests that most likely notice a mutant.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

HERE = Path(__file__).parent.parent
"""The folder in which mutmut works: it has a copy of this file."""
BUILT = HERE / "built.sqlite3"
STATS = HERE / "mutmut-stats.json"

LONGEST, BESIDES = 60.0, 0.1
"""Seconds: tests beyond these are left out, and what only they would notice counts as not noticed; and what each takes besides its call."""


def pytest_configure(config: pytest.Config) -> None:
    # Later than pytest-django, whose fixture this one replaces.
    config.pluginmanager.register(_Database())
    # One example tells as much as the smallest does, which takes minutes to find.
    phases = [Phase.explicit, Phase.generate]
    settings.register_profile("mutants", parent=settings.get_profile("project"), phases=phases, database=None)
    settings.load_profile("mutants")


class _Database:
    @pytest.fixture(scope="session")
    @classmethod
    def django_db_setup(cls, django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
        """SQLite's is built once, by code that is as it should be: that takes longer than most mutants need."""
        with django_db_blocker.unblock():
            undo = _copied() if BUILT.exists() else _built()
        yield
        with django_db_blocker.unblock():
            undo()


def _copied() -> Any:
    from django.conf import settings as of_django
    from django.db import connection

    copy = Path(of_django.FOLDER) / f"test-{os.getpid()}.sqlite3"
    shutil.copy(BUILT, copy)
    connection.close()
    connection.settings_dict["NAME"] = of_django.DATABASES["default"]["NAME"] = str(copy)
    return copy.unlink


def _built() -> Any:
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from tests import bystanders

    databases = setup_databases(verbosity=0, interactive=False)
    if connection.vendor == "sqlite":
        bystanders.build()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(BUILT)])
    return lambda: teardown_databases(databases, verbosity=0)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")
    if "__mutmut_" not in mutant:
        return
    stats = json.loads(STATS.read_text())
    module = mutant.rpartition(".")[0].rpartition(".")[2]
    items[:], left = _likely_first(
        items, stats["tests_by_mangled_function_name"], stats["duration_by_test"], own=f"/test_{module}.py::"
    )
    config.hook.pytest_deselected(items=left)


def _likely_first(
    items: list[pytest.Item], tests_of: dict[str, list[str]], seconds: dict[str, float], *, own: str
) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The module's own tests, then those that are short, and reach little else; and those for which there is no time."""
    reached = Counter(test for tests in tests_of.values() for test in tests)
    chosen, left, spent = [], [], 0.0

    def lasts(item: pytest.Item) -> float:
        return seconds.get(item.nodeid, 0) + BESIDES

    for item in sorted(items, key=lambda item: (own not in item.nodeid, lasts(item) * reached[item.nodeid])):
        spent += lasts(item)
        (chosen if spent < LONGEST else left).append(item)
    return chosen, left

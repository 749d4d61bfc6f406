"""Fixtures: import both into a conftest.py or a module, and its tests run beside bystanders."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests import bystanders

__all__ = ["beside_bystanders", "built_bystanders"]

DATABASE = {"db", "transactional_db", "live_server"}


@pytest.fixture(scope="session", autouse=True)
def built_bystanders(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: pytest.FixtureRequest
) -> None:
    """They are built before the first test begins, outside of its transaction; once, however many import this."""
    if not any(map(_uses_database, request.session.items)):
        return  # then there is none
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        if not bystanders.are_built():
            bystanders.build()


@pytest.fixture(autouse=True)
def beside_bystanders(request: pytest.FixtureRequest) -> Iterator[None]:
    """They are in the database during each test that uses it, but for those marked `alone`, and are as they were in the end."""
    uses_it = _uses_database(request.node)
    if uses_it:
        request.getfixturevalue("_django_db_helper")
    is_alone = request.node.get_closest_marker("alone") or not uses_it
    with nullcontext() if is_alone else bystanders.beside():
        yield


def _uses_database(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return item.get_closest_marker("django_db") is not None or not DATABASE.isdisjoint(names)

"""The same people as in the tests of `workflow.people`."""

from tests.people.conftest import people

__all__ = ["people"]

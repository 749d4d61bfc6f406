"""A client leaves its language behind, as a thread of a web server does; here other tests come after it."""

from collections.abc import Iterator

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def _no_language_is_left() -> Iterator[None]:
    yield
    translation.deactivate()

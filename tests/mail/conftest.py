"""The same people as in the tests of `workflow.people`, with addresses, and a site that can be linked to."""

from typing import Any

import pytest

from tests.beside import *  # noqa: F403
from tests.own import ours
from tests.people.conftest import People, everybody
from tests.users import User


@pytest.fixture
def people(db: None, settings: Any) -> People:
    settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
    found = everybody()
    for user in found:
        setattr(user, User.EMAIL_FIELD, f"{user.get_username()}@example.com")
    ours(User).bulk_update(found, [User.EMAIL_FIELD])
    return found

"""The same people as in the tests of `workflow.people`, with addresses, and a site that can be linked to."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.people.conftest import People, everybody


@pytest.fixture
def people(db: None, settings: Any) -> People:
    settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
    found = everybody()
    for user in found:
        user.email = f"{user.username}@example.com"
    User.objects.bulk_update(found, ["email"])
    return found

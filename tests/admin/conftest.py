"""People, and what they may do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

Login = Callable[..., Client]


@pytest.fixture
def login(db: None) -> Login:
    """Gives a client of a member of staff who has the permissions named, such as `change_process`."""

    def log_in(*permissions: str, name: str = "paula", **fields: Any) -> Client:
        user = User.objects.create_user(name, is_staff=True, **fields)
        found = Permission.objects.filter(content_type__app_label="workflow", codename__in=permissions)
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def boss(login: Login) -> Client:
    """A superuser's client."""
    return login(name="boss", is_superuser=True)

"""People who use the admin, and what they may do."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.beside import *  # noqa: F403
from tests.users import User

Login = Callable[..., User]
OWNER = [
    f"{verb}_{model}"
    for verb in ("add", "change", "delete", "view")
    for model in ("process", "task", "tasktransitions", "formfield")
]
VIEW = [f"view_{model}" for model in ("runningprocesses", "taskrun", "waitingforapproval", "processversion", "process")]


@pytest.fixture
def login(client: Client, db: None) -> Login:
    """Logs a member of staff in who has these permissions of the app, such as `change_process`."""

    def log_in(*codenames: str, name: str = "olga", **fields: Any) -> User:
        user, _ = User.objects.get_or_create(**{User.USERNAME_FIELD: name}, is_staff=True, **fields)
        found = Permission.objects.filter(codename__in=codenames, content_type__app_label="workflow")
        assert len(found) == len(codenames)
        user.user_permissions.set(found)
        client.force_login(user)
        return user

    return log_in


@pytest.fixture
def boss(client: Client, login: Login) -> Client:
    """A superuser's client."""
    login(name="boss", is_superuser=True)
    return client

"""People before their pages: Anna and Bert, who are named; Mark and Mona, who are managers; Emil, of nothing; and staff."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests.beside import *  # noqa: F403
from tests.users import User

Visit = Callable[[Any], Client]


class People(NamedTuple):
    anna: Any
    bert: Any
    mark: Any
    mona: Any
    emil: Any
    staff: Any
    root: Any


@pytest.fixture
def people(db: None) -> People:
    anna = User.objects.create_user("anna", first_name="Anna", last_name="Huber")
    named = {name: User.objects.create_user(name) for name in ("bert", "mark", "mona", "emil")}
    Group.objects.create(name="managers").user_set.add(named["mark"], named["mona"])
    return People(
        anna=anna,
        **named,
        staff=User.objects.create_user("staff", is_staff=True),
        root=User.objects.create_superuser("root"),
    )


@pytest.fixture
def visit() -> Visit:
    """A browser of the user's own, logged in."""

    def log_in(user: Any, **options: Any) -> Client:
        client = Client(**options)
        client.force_login(user)
        return client

    return log_in

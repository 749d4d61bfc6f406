"""Who takes part: Anna and Bert, who are named; Carl and Dora, who are managers; Emil, of nothing; and the rest."""

from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group, Permission

from tests.beside import *  # noqa: F403
from tests.users import User


class People(NamedTuple):
    anna: Any
    bert: Any
    carl: Any
    dora: Any
    emil: Any
    staff: Any
    gone: Any
    operator: Any
    root: Any


@pytest.fixture
def people(transactional_db: None) -> People:
    return everybody()


def everybody() -> People:
    """All of them, in the database."""
    named = {name: User.objects.create_user(name) for name in ("anna", "bert", "carl", "dora", "emil")}
    Group.objects.create(name="managers").user_set.add(named["carl"], named["dora"])
    operator = User.objects.create_user("operator")
    operator.user_permissions.add(Permission.objects.get(codename="operate_instances"))
    return People(
        **named,
        staff=User.objects.create_user("staff", is_staff=True),
        gone=User.objects.create_user("gone", is_active=False),
        operator=operator,
        root=User.objects.create_superuser("root"),
    )

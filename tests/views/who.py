"""Who looks at pages: a client that is logged in as somebody."""

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from tests.users import User


def client_of(user: Any, *, csrf: bool = False) -> Client:
    """A browser in which the user is logged in; with `csrf`, forged forms are refused as they are in earnest."""
    client = Client(enforce_csrf_checks=csrf)
    client.force_login(user)
    return client


def somebody(name: str, *permissions: str, **fields: Any) -> User:
    """A user with these permissions of the app."""
    user = User.objects.create_user(name, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user

"""Users of whichever model the settings name: tests call people by short names, whatever field that is."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

User: Any = get_user_model()


def named(*names: str) -> QuerySet[Any]:
    """The users of these names."""
    found: QuerySet[Any] = User.objects.filter(**{f"{User.USERNAME_FIELD}__in": names})
    return found


def user_named(name: str) -> Any:
    """The user of that name."""
    return User.objects.get_by_natural_key(name)


def unsaved(name: str, **fields: Any) -> Any:
    """A user of that name, not in the database yet."""
    return User(**{User.USERNAME_FIELD: name}, **fields)


def give_address(name: str, address: str) -> None:
    """Have the user of that name get e-mail there."""
    named(name).update(**{User.EMAIL_FIELD: address})


def address_of(user: Any) -> str:
    """Where a user gets e-mail."""
    return str(getattr(user, User.EMAIL_FIELD))


def rename(name: str, new: str) -> None:
    """Give the user of that name another one."""
    named(name).update(**{User.USERNAME_FIELD: new})

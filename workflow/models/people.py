"""Who can be named as approver: users by their user name, and groups."""

from collections.abc import Sequence

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group


def unknown_names(names: Sequence[str]) -> list[str]:
    """Those of `names` that are neither an active user's nor a group's."""
    if not names:
        return []
    model = get_user_model()
    users = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": names}, is_active=True)
    known = {*users.values_list(model.USERNAME_FIELD, flat=True)}
    known.update(Group.objects.filter(name__in=names).values_list("name", flat=True))
    return [name for name in names if name not in known]

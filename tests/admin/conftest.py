"""People who use the admin, and the forms that they send."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


@pytest.fixture
def login(client: Client) -> Any:
    """Logs a member of staff in who has these permissions of the app."""

    def log_in(*codenames: str, name: str = "olga") -> User:
        user, _ = User.objects.get_or_create(username=name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames, content_type__app_label="workflow"))
        client.force_login(user)
        return user

    return log_in


EDIT = [
    f"{verb}_{model}"
    for verb in ("add", "change", "delete", "view")
    for model in ("process", "task", "tasktransitions")
]
VIEW = [f"view_{model}" for model in ("runningprocesses", "taskrun", "waitingforapproval", "processversion", "process")]


def posted(
    name: str, tasks: list[dict[str, Any]], rows: list[dict[str, Any]], *, initial: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """What the process page sends."""
    fields: dict[str, Any] = {"name": name, "description": "", "_continue": "yes"}
    for prefix, forms, before in (("tasks", tasks, initial[0]), ("transitions", rows, initial[1])):
        fields |= {f"{prefix}-TOTAL_FORMS": len(forms), f"{prefix}-INITIAL_FORMS": before}
        fields |= {f"{prefix}-MIN_NUM_FORMS": 0, f"{prefix}-MAX_NUM_FORMS": 1000}
        for number, form in enumerate(forms):
            filled = {"max_attempts": 1, "retry_delay": 10, **form} if prefix == "tasks" else form
            fields |= {f"{prefix}-{number}-{field}": value for field, value in filled.items()}
    return fields

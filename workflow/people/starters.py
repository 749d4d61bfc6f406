"""Who may start which process."""

from typing import Any

from django.db.models import Q, QuerySet

from workflow import approvers
from workflow.models import Process
from workflow.models.people import names_of

START = "workflow.add_runningprocesses"
"""The permission to start every process that does not say who starts it."""


def startable(user: Any) -> QuerySet[Process]:
    """The processes that the user may start: that name them, or one of their groups; where none are named, those with
    the permission "Can add running process". Superusers may start all.
    """
    if not user.is_active:
        return Process.objects.none()
    if user.is_superuser:
        return Process.objects.all()
    own = names_of(user)
    named = Process.objects.exclude(starters="").values_list("pk", "starters")
    mine = Q(pk__in=[key for key, starters in named if own & set(approvers.names(starters))])
    return Process.objects.filter(mine | Q(starters="") if user.has_perm(START) else mine)


def may_start(user: Any, process: Process) -> bool:
    """Whether it is among those that the user may start."""
    return startable(user).filter(pk=process.pk).exists()

"""Users who are deleted: not while open work depends on them. Their history stays, as it keeps names of its own (`workflow.origin`)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Exists, Model, OuterRef, ProtectedError, QuerySet
from django.db.models.signals import pre_delete
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflow.models import Assignee, Barred, ProcessVersion, RunningProcesses, WaitingForApproval

SHOWN = 20
"""Of the objects that depend on a user."""


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """Open work that depends on a user: in a sentence, and the newest of it."""

    sentence: str
    objects: Sequence[Model]


def dependences(user: Any) -> list[Dependence]:
    """What open work depends on a user; nothing, if they can be deleted."""
    found = [(counted, list(of.order_by("-pk")[:SHOWN]), of) for counted, of in _open_work(user)]
    return [
        Dependence(sentence=counted(of.count()) % {"user": user.get_username()}, objects=objects)
        for counted, objects, of in found
        if objects
    ]


def why_not_delete(user: Any, found: Sequence[Dependence]) -> str:
    """The sentences, with what to do instead."""
    advice = (
        _(
            "Deactivate the user instead: then nobody logs in as them, and the history and the open work stay as they are."
        )
        if user.is_active
        else _("Keep the user deactivated until that is over.")
    )
    return " ".join([*(one.sentence for one in found), advice])


def guard_users() -> None:
    """Have Django refuse to delete a user on whom open work depends: in the admin, and by code."""
    model = get_user_model()._meta.concrete_model
    for one in apps.get_models():
        if one._meta.concrete_model is model:  # the users, and proxies of theirs
            pre_delete.connect(_refuse, sender=one, dispatch_uid=f"workflow.leaving {one._meta.label}")


def _refuse(sender: type[Model], instance: Any, **_options: Any) -> None:  # noqa: ARG001 - Django names it
    if found := dependences(instance):
        raise ProtectedError(why_not_delete(instance, found), {one for each in found for one in each.objects})


def _open_work(user: Any) -> Iterator[tuple[Callable[[int], str], QuerySet[Any]]]:
    waiting = WaitingForApproval.objects.all()
    yield _started, _must_know_starter(user)
    if not user.is_active:  # they decide nothing any more, and what they hold is open to others
        return
    yield _claimed, waiting.filter(claimed_by=user)
    barred = Barred.objects.filter(waiting=OuterRef("waiting"), user=user)
    named = Assignee.objects.filter(user=user).filter(~Exists(barred)).values("waiting")
    # Who is the last of a group, or of the staff; who is named is told by that.
    is_last = waiting.filter(pk__in=_last_of(waiting, user).order_by().values("pk")).exclude(pk__in=named)
    yield _named, waiting.filter(pk__in=named).exclude(claimed_by=user)
    yield _last, is_last.exclude(claimed_by=user)


def _last_of(waiting: Any, user: Any) -> QuerySet[WaitingForApproval]:
    found: QuerySet[WaitingForApproval] = waiting.asking([user]).undecidable(without=user.pk)
    return found


def _must_know_starter(user: Any) -> QuerySet[RunningProcesses]:
    """What the user has started, is not over, and is not for them to decide: somebody who comes back could."""
    started = RunningProcesses.objects.filter(started_by=user, ended_at=None)
    versions = ProcessVersion.objects.filter(pk__in=started.order_by().values("version"))
    keys = [
        version.pk
        for version in versions
        if any(task.get("manual") and task.get("not_starter") for task in version.definition["tasks"])
    ]
    return started.filter(version__in=keys)


def _claimed(count: int) -> str:
    return ngettext("%(user)s has claimed a task.", "%(user)s has claimed {} tasks.", count).format(count)


def _named(count: int) -> str:
    return ngettext(
        "A task that waits asks %(user)s by name.", "{} tasks that wait ask %(user)s by name.", count
    ).format(count)


def _last(count: int) -> str:
    return ngettext(
        "Without %(user)s, too few people are left who can decide a task.",
        "Without %(user)s, too few people are left who can decide {} tasks.",
        count,
    ).format(count)


def _started(count: int) -> str:
    return ngettext(
        "%(user)s has started an instance that its starter may not decide.",
        "%(user)s has started {} instances that their starter may not decide.",
        count,
    ).format(count)

"""Who enters whose absence. A stand-in decides in somebody's place, so this is told to them, and kept."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import formats
from django.utils.translation import gettext as _

from workflow import clock, notices
from workflow.deciding import UserKey
from workflow.errors import BadData, NotAllowed
from workflow.models import Absence, AbsenceChange
from workflow.origin import CODE, Name, Origin, Via, name_of

MANAGE = "workflow.manage_absences"
"""The permission to enter, change and delete absences of other people."""


def save_absence(absence: Absence, by: Any = None, *, via: Via = CODE) -> AbsenceChange:
    """Enter an absence, or change it. Everybody may do that for themselves; for others it takes the permission
    `workflow.manage_absences`, and nobody names themselves as the stand-in. `None` is the program itself, and may.

    Others whose absence it is, or was, are told by e-mail. Raises `NotAllowed` or `BadData`.
    """
    _refuse_invalid(absence)
    with transaction.atomic():
        before = Absence.objects.select_for_update().filter(pk=absence.pk).first() if absence.pk else None
        _refuse(by, before, absence)
        absence.save()
        action = AbsenceChange.Action.CHANGED if before else AbsenceChange.Action.ADDED
        return _kept(action, absence, before=before, after=absence, by=by, via=via)


def delete_absence(absence: Absence, by: Any = None, *, via: Via = CODE) -> None:
    """Delete an absence, as `save_absence` changes one; one that is gone already stays so. Raises `NotAllowed`."""
    with transaction.atomic():
        before = Absence.objects.select_for_update().filter(pk=absence.pk).first()
        if before is None:
            return
        _refuse(by, before, None)
        _kept(AbsenceChange.Action.DELETED, before, before=before, after=None, by=by, via=via)
        before.delete()


def why_not_absence(by: Any, before: Absence | None, after: Absence | None) -> str:
    """A sentence that says why the user may not make the one absence of the other; blank where they may. `None` is one that is new,
    or deleted.
    """
    others = [one for one in (before, after) if one is not None and one.user_id != by.pk]
    if not others:
        return ""
    who = {"user": by.get_username(), "other": others[0].user.get_username()}
    if not by.has_perm(MANAGE):
        return _(
            "%(user)s may not enter, change or delete an absence of %(other)s: it takes the permission %(permission)s."
        ) % {
            **who,
            "permission": MANAGE,
        }
    if after is not None and by.pk in _who_decides(after):
        return (
            _(
                "%(user)s may not become the stand-in of %(other)s by an absence that they enter themselves. Have somebody else "
                "enter it, or name another stand-in."
            )
            % who
        )
    return ""


def described(state: Mapping[str, Any] | None) -> str:
    """What `AbsenceChange.before` and `after` keep, as a sentence; blank for none."""
    if state is None:
        return ""
    first, last = (date.fromisoformat(state[day]) for day in ("first_day", "last_day"))
    return _("%(stand_in)s for %(user)s, from %(first)s to %(last)s") % {
        "stand_in": _full(Name(**state["stand_in"])),
        "user": _full(Name(**state["user"])),
        "first": formats.date_format(first),
        "last": formats.date_format(last),
    }


def _full(name: Name) -> str:
    return f"{name.full_name} ({name.username})" if name.full_name else name.username


def _refuse(by: Any, before: Absence | None, after: Absence | None) -> None:
    if by is not None and (why_not := why_not_absence(by, before, after)):
        raise NotAllowed(why_not)


def _refuse_invalid(absence: Absence) -> None:
    try:
        absence.full_clean()
    except ValidationError as error:
        raise BadData(" ".join(error.messages)) from error


def _who_decides(absence: Absence) -> set[UserKey]:
    """The stand-in, and whoever stands in for them, and so on, on any of these days."""
    found: set[UserKey] = set()
    level = {absence.stand_in_id}
    while level:
        found |= level
        away = Absence.objects.filter(
            user__in=level, first_day__lte=absence.last_day, last_day__gte=absence.first_day
        ).exclude(pk=absence.pk)
        level = set(away.order_by().values_list("stand_in", flat=True)) - found
    return found


def _kept(
    action: AbsenceChange.Action,
    absence: Absence,
    *,
    before: Absence | None,
    after: Absence | None,
    by: Any,
    via: Via,
) -> AbsenceChange:
    now = clock.now()
    change = AbsenceChange.objects.create(
        absence=absence,
        action=action,
        user=absence.user,
        by=by,
        origin=Origin(via=via, user=name_of(by)).to_json(),
        before=_state(before),
        after=_state(after),
        at=now,
    )
    concerned = {one.user_id for one in (before, after) if one is not None}
    notices.queue_absence(change, concerned - {by.pk if by else None}, now=now)
    return change


def _state(absence: Absence | None) -> dict[str, Any] | None:
    if absence is None:
        return None
    return {
        "user": _name(absence.user),
        "stand_in": _name(absence.stand_in),
        "first_day": absence.first_day.isoformat(),
        "last_day": absence.last_day.isoformat(),
    }


def _name(user: Any) -> dict[str, str]:
    return Origin(user=name_of(user)).to_json()["user"]  # type: ignore[no-any-return]

"""What a person looked at before deciding, and whether that is still what is decided."""

from collections.abc import Iterator
from typing import Any

from django.core import signing
from django.db.models import TextField
from django.db.models.functions import MD5, Cast
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from workflow import values
from workflow.errors import Stale
from workflow.models import RunningProcesses, WaitingForApproval
from workflow.people.instructions import instructions_text
from workflow.people.visible import data_for, data_for_people

SALT = "workflow.seen"
FINGERPRINT = "fingerprint"
MD5_OF_DATA = MD5(Cast("data", TextField()))
"""By the database, which need not send the data for it. It finds changes; nobody is kept from making two alike."""


def seen_token(waiting: WaitingForApproval) -> str:
    """What a page sends back to say what it has shown: opaque, and to be given to `approve` and `reject` as `seen`."""
    return signing.dumps(_shown(waiting), salt=SALT, compress=True)


def seen_in_a_list(waiting: WaitingForApproval, *, version: int, data: str) -> str:
    """The same for what a list has shown, which reads no more of an instance than its version and its fingerprint."""
    shown = {"waiting": waiting.pk, "key": waiting.external_key, "version": version, FINGERPRINT: data}
    return signing.dumps(shown, salt=SALT, compress=True)


def fingerprint(md5: str) -> str:
    """What tells whether an instance's data has changed, from the `MD5` of it, and nothing of that."""
    return salted_hmac(SALT, md5, algorithm="sha256").hexdigest()[:16]


def refuse_stale(waiting: WaitingForApproval, seen: str) -> None:
    """Raises `Stale`, which says what has changed since the token was given out."""
    try:
        shown = signing.loads(seen, salt=SALT)
    except signing.BadSignature:
        raise Stale(_("It can't be told what was looked at: look at the task again. Nothing was changed.")) from None
    of_a_list = FINGERPRINT in shown
    now = {**_shown(waiting), FINGERPRINT: fingerprint(_md5_of(waiting.rpid))} if of_a_list else _shown(waiting)
    if changes := " ".join((_changes_of_a_list if of_a_list else _changes)(waiting, shown, now)):
        raise Stale(f"{changes} " + _("Look at it again. Nothing was changed."))


def what_is_seen(waiting: WaitingForApproval, by: Any = None) -> dict[str, Any]:
    """What is kept with a decision, of what there was to see `by` that user; by a command or a program (`None`), all of it."""
    instance = waiting.rpid
    return {
        "version": instance.version.number,
        "data": instance.data if by is None else data_for(by, instance),
        "asked": waiting.question or instructions_text(waiting),
    }


def _shown(waiting: WaitingForApproval) -> dict[str, Any]:
    instance = waiting.rpid
    data = data_for_people(instance.data, instance.version.frozen)
    return {
        "waiting": waiting.pk,
        "key": waiting.external_key,
        "version": instance.version_id,
        "form": _digest([field.to_json() for field in waiting.fields]),
        "data": {key: _digest(value) for key, value in data.items()},
        # Neither the names nor the values of it: who has the page can read its token.
        "rest": _digest({key: value for key, value in instance.data.items() if key not in data}),
    }


def _md5_of(instance: RunningProcesses) -> str:
    return str(RunningProcesses.objects.filter(pk=instance.pk).values_list(MD5_OF_DATA, flat=True).get())


def _digest(value: Any) -> str:
    """It tells whether a value has changed, and nothing of the value, which could be guessed from a plain hash."""
    return salted_hmac(SALT, values.dumps(value), algorithm="sha256").hexdigest()[:16]


def _changes_of_a_list(waiting: WaitingForApproval, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    same = ("waiting", "key", "version", FINGERPRINT)
    if any(before[name] != now[name] for name in same):
        yield _("%(task)s of instance %(instance)s has changed since the list was shown.") % {
            "task": repr(waiting.task_name),
            "instance": waiting.rpid_id,
        }


def _changes(waiting: WaitingForApproval, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    what = {"task": repr(waiting.task_name), "instance": waiting.rpid_id}
    if (before["waiting"], before.get("key", "")) != (now["waiting"], now["key"]):
        yield _("%(task)s of instance %(instance)s asks something else now.") % what
        return
    if before["version"] != now["version"]:
        yield _("Instance %(instance)s goes by another version of its process now.") % what
    if before["form"] != now["form"]:
        yield _("The form of %(task)s has changed.") % what
    old, new = before["data"], now["data"]
    if changed := sorted(key for key in {*old, *new} if old.get(key) != new.get(key)):
        yield _("The data of instance %(instance)s has changed: %(keys)s.") % {**what, "keys": ", ".join(changed)}
    elif before.get("rest") != now["rest"]:
        yield _("The data of instance %(instance)s has changed.") % what

"""What a page has shown to whom: signed, so that only who has seen a task learns what became of it."""

from typing import Any, NamedTuple

from django.core import signing

from workflow.models import WaitingForApproval
from workflow.people.seen import fingerprint

SALT = "workflow.shown"


class Key(NamedTuple):
    """A question that waited, and its task run, which stays: code can ask one question after the other in one run. Primary
    keys, and with `name` the key that no other question has, also after a restore; and the instance's version, and the
    fingerprint of its data.
    """

    waiting: int
    run: int
    name: str = ""
    version: int = 0
    data: str = ""


def sign(waiting: WaitingForApproval, user: Any) -> str:
    """What a page that shows the task to the user sends back. The instance is one of `in_brief`."""
    instance: Any = waiting.rpid
    said = [waiting.pk, waiting.task_run_id, str(user.pk), waiting.external_key]
    return signing.Signer(salt=SALT).sign_object([*said, instance.version_id, fingerprint(instance.md5)])


def read(text: str, user: Any) -> Key | None:
    """The key that was signed for this user; `None` for anything else."""
    try:
        waiting, run, shown_to, *name = signing.Signer(salt=SALT).unsign_object(text)
    except signing.BadSignature:
        return None
    return Key(waiting, run, *name) if shown_to == str(user.pk) else None

"""What a page has shown to whom: signed, so that only who has seen a task learns what became of it."""

from dataclasses import dataclass
from typing import Any

from django.core import signing

from workflow.models import WaitingForApproval

SALT = "workflow.shown"


@dataclass(frozen=True, kw_only=True)
class Key:
    """A question that waited, and its task run, which stays: code can ask one question after the other in one run."""

    waiting: int
    run: int


def sign(waiting: WaitingForApproval, user: Any) -> str:
    """What a page that shows the task to the user sends back."""
    return signing.Signer(salt=SALT).sign_object([waiting.pk, waiting.task_run_id, str(user.pk)])


def read(text: str, user: Any) -> Key | None:
    """The key that was signed for this user; `None` for anything else."""
    try:
        waiting, run, shown_to = signing.Signer(salt=SALT).unsign_object(text)
    except signing.BadSignature:
        return None
    return Key(waiting=waiting, run=run) if shown_to == str(user.pk) else None

"""Signs snapshots: the interpreter must not be fed bytes that anybody could write to the database.

A signed snapshot is a signature, the fingerprint of the key that made it, and the snapshot. So it shows without the key which
one it needs. Snapshots from before there were fingerprints have none, and any known key may have signed them.
"""

import hmac
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.utils.crypto import salted_hmac

from workflow import conf

SALT: Final = "workflow.snapshot"
SIGNATURE_BYTES: Final = 32
FINGERPRINT_BYTES: Final = 8

START_BYTES: Final = SIGNATURE_BYTES + 1 + FINGERPRINT_BYTES
"""As much of a signed snapshot as `signed_by` needs."""

_HAS_FINGERPRINT: Final = b"\0"
"""The first byte after the signature where a fingerprint follows. The runner's own snapshots never begin with it: software from
before there were fingerprints refuses such a snapshot, and replays the code from its ledger.
"""


class SnapshotTampered(Exception):
    """A snapshot in the database is not the one that an engine of this project saved there."""


class UnknownSigningKey(SnapshotTampered):
    """A snapshot says that it was signed by a key that this process does not know. `fingerprint` is that key's."""

    def __init__(self, message: str, fingerprint: str) -> None:
        super().__init__(message)
        self.fingerprint = fingerprint


def signing_keys() -> list[str]:
    """The keys that snapshots may be signed with, the newest first: that one signs."""
    return list(conf.get("SNAPSHOT_KEYS")) or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


@lru_cache(maxsize=64)
def fingerprint(key: str) -> str:
    """A short name of a key, 16 hexadecimal digits, by which nobody can find the key."""
    digest = salted_hmac(f"{SALT}.fingerprint", "", secret=key, algorithm="sha256").digest()
    return digest[:FINGERPRINT_BYTES].hex()


def sign(name: str, snapshot: bytes) -> bytes:
    """The snapshot signed with the newest key; nothing, where there is none. It is good at the call of that `name` alone."""
    if not snapshot:
        return b""
    newest = signing_keys()[0]
    content = _HAS_FINGERPRINT + bytes.fromhex(fingerprint(newest)) + snapshot
    return _signature(name, content, newest) + content


def verify(name: str, signed: bytes, *, where: str) -> bytes:
    """The snapshot that was signed for the call of that name. `where` says in an error whose it is.

    Raises `UnknownSigningKey` or `SnapshotTampered`.
    """
    signature, content = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
    named, keys = signed_by(signed), signing_keys()
    if named and named not in map(fingerprint, keys):
        raise UnknownSigningKey(_about_unknown(where, named), named)
    for key in keys:
        if named in {"", fingerprint(key)} and hmac.compare_digest(signature, _signature(name, content, key)):
            return content[1 + FINGERPRINT_BYTES :] if named else content
    raise SnapshotTampered(
        f"The snapshot of {where} is not what was saved: somebody has changed it in the database"
        + ("." if named else f", or it was signed by a key that is not known any more. {_remedy()}")
    )


def signed_by(signed: bytes) -> str:
    """The fingerprint of the key that a snapshot says it was signed with; blank where it says none."""
    content = signed[SIGNATURE_BYTES:START_BYTES]
    return content[1:].hex() if content[:1] == _HAS_FINGERPRINT else ""


def is_of_newest_key(signed: bytes) -> bool:
    """Whether a snapshot says that it was signed with the key that signs now."""
    return signed_by(signed) == fingerprint(signing_keys()[0])


def _about_unknown(where: str, named: str) -> str:
    known = ", ".join(map(fingerprint, signing_keys()))
    return (
        f"The snapshot of {where} was signed by a key that is not known here: its fingerprint is {named}, and those of the "
        f"known keys are {known}. {_remedy()}"
    )


def _remedy() -> str:
    if conf.get("SNAPSHOT_KEYS"):
        return "If that key can be trusted, add it to the end of WORKFLOW['SNAPSHOT_KEYS']."
    return "If that key can be trusted, add it to SECRET_KEY_FALLBACKS, or to WORKFLOW['SNAPSHOT_KEYS']."


def _signature(name: str, content: bytes, key: str) -> bytes:
    return salted_hmac(SALT, f"{name}-".encode() + content, secret=key, algorithm="sha256").digest()

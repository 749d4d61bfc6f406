"""Names of work that leave the database: in idempotency keys, signatures, seeds, e-mails and links.

A primary key is no such name. After a backup was restored, the database gives out the same numbers again, to other instances. So
each instance has a random token, and what is named after it is the same only where it is the same work: an instance that was
restored repeats its calls under the same keys, and a new instance never gets an old one.

Pure: no Django, no database.
"""

import secrets
from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256

TOKEN_BYTES = 16
"""128 bits: no two tokens are ever the same."""


def new_token() -> str:
    """The token of an instance that somebody starts: 32 hexadecimal digits."""
    return secrets.token_hex(TOKEN_BYTES)


def child_token(call: str, *, attempt: int, place: int) -> str:
    """The token of an instance that a call starts, of that key, as its child number `place`.

    Not random, but derived: a parent that was restored to before the call starts the child again, and the child's calls
    must have the keys that they had before.
    """
    return sha256(f"child:{call}:{attempt}:{place}".encode()).hexdigest()[: TOKEN_BYTES * 2]


def run_key(token: str, *, visit: int, sequence: int, task: str, taken: Collection[str] = ()) -> str:
    """The key of a task run that begins: of an instance with that token, which enters this step as its `visit`th.

    The same for the same work, so that a restored instance gets the same key again. It depends on nothing that changes when
    a later version inserts a row. `taken` are the keys of the visit's other runs: a step can have the same task several times.
    """
    # The step's number as well: a restored instance may take another branch, which is other work with the same task.
    first = f"{token}-{visit}-{sequence}-{_digest(task)}"
    key, count = first, 1
    while key in taken:
        count += 1
        key = f"{first}_{count}"  # not ".2", which is how the keys of a restarted run go on
    return key


@lru_cache(maxsize=1_000)  # each of a process's instances asks for the same few
def _digest(task: str) -> str:
    return sha256(task.encode()).hexdigest()[:12]


def run_key_by_row(instance: int, *, visit: int, row: int) -> str:
    """The key of a task run of an instance without a token, or of one that began before runs stored their keys.

    Before such a run is moved to another row, this must be stored as its key: work that is under way keeps its keys.
    """
    return f"{instance}-{visit}-{row}"


def call_key(run: str, *, first_attempt: int, number: int) -> str:
    """The key of a call of the run of that key: given to actions as `current_run().key`."""
    # What an operator restarts is meant to happen again: as another call, not as the same one.
    again = f".{first_attempt}" if first_attempt > 1 else ""
    return f"{run}{again}-{number}"

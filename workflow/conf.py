"""The app's settings: one `WORKFLOW` dict in the project's settings, read lazily, checked by `checks.py`."""

from typing import Any

from django.conf import settings

from workflow.flow import Limits

DEFAULTS: dict[str, Any] = {
    # Where code of definitions runs: "sandbox" (Monty), or "trusted" (CPython, without isolation).
    "RUNNER": "sandbox",
    # Seconds that a code task may compute; time that actions take is not counted.
    "TIME_LIMIT": 5.0,
    # MiB that a code task may hold.
    "MEMORY_LIMIT": 64,
    # Steps that an instance may enter before it is taken for a runaway.
    "MAX_STEPS": 10_000,
    # Instances that may stand above one another, by run_process().
    "MAX_DEPTH": 20,
    # Bytes of JSON that an instance's data and results may take, each.
    "MAX_DATA_BYTES": 1_000_000,
    # Characters of `print` output kept of a task run.
    "MAX_LOG_CHARACTERS": 100_000,
    # Bytes that a file may have that comes with a form.
    "MAX_UPLOAD_BYTES": 10_000_000,
    # The keys that snapshots of code are signed with, newest first; none: SECRET_KEY and SECRET_KEY_FALLBACKS.
    "SNAPSHOT_KEYS": [],
    # Seconds between an engine's looks for work.
    "POLL_INTERVAL": 1.0,
    # Code tasks that one engine runs at the same time.
    "CONCURRENCY": 4,
    # Instances that an engine holds at the same time.
    "BATCH": 100,
    # Engines that one `runengine` runs, each a process of its own.
    "WORKERS": 1,
    # Seconds after which a silent engine is taken for dead, and others go on with its work.
    "LEASE": 60.0,
    # Who drives what engines claim: "engine" (its own threads), or "tasks" (workers, by Django's Tasks framework).
    "DISPATCH": "engine",
    # Of the setting TASKS, the backend that gets those tasks, and their queue.
    "TASK_BACKEND": "default",
    "TASK_QUEUE": "default",
    # Whether people are told by e-mail of what waits for them.
    "MAIL": True,
    # Whether code may send e-mail to any address, by send_mail().
    "SEND_MAIL": True,
    # How those are told who have not said how they want it: "AT_ONCE", "DIGEST" or "NONE".
    "MAIL_DEFAULT": "AT_ONCE",
    # Days for which a link in an e-mail is good.
    "MAIL_LINK_DAYS": 14,
    # Whether one must be logged in to decide by such a link.
    "MAIL_LINK_LOGIN": False,
    # The site's address, which links in e-mails begin with: "https://workflow.example.com".
    "SITE_URL": "",
}

MOST_CONCURRENCY = 1_000
"""Each takes a thread, and may take a connection to the database."""

MOST_WORKERS = 256
"""Each is a process of its own."""

SHORTEST_LEASE = 0.5
"""Seconds. Under a shorter one, an engine is taken for dead wherever the database or the machine is busy for a moment."""

MOST_SECONDS = 999_999_999
"""Of any setting that is a time: 31 years. A moment that far ahead can still be computed and stored."""

MOST_DAYS = 36_500
"""The same of a setting in days: a century."""


def get(name: str) -> Any:
    """The project's value of a setting, or its default. Raises `KeyError` for a name that is no setting."""
    default = DEFAULTS[name]
    return getattr(settings, "WORKFLOW", {}).get(name, default)


def limits() -> Limits:
    """The limits against runaway, for `flow`."""
    return Limits(max_steps=get("MAX_STEPS"), max_data_bytes=get("MAX_DATA_BYTES"))

"""The environment in which the demo runs: its own database and key, on this machine only."""

import secrets
from collections.abc import MutableMapping
from pathlib import Path

DATABASE = Path(__file__).resolve().parent.parent.parent / "demo.sqlite3"


def prepare(environ: MutableMapping[str, str]) -> None:
    """Settings for the demo and the processes that it starts, in place of those in `.env`.

    `.env` is left unread, because it may name a database in earnest, and the demo makes log-ins. Only a `DATABASE_URL`
    that stands in the environment itself is kept.
    """
    environ["ENV_FILE"] = ""
    environ.setdefault("DATABASE_URL", f"sqlite:///{DATABASE}")
    environ.setdefault("TIME_ZONE", "UTC")
    environ.update(
        DEBUG="off",
        HTTPS="off",
        SAMPLES="on",
        SECRET_KEY=secrets.token_urlsafe(50),
        ALLOWED_HOSTS="127.0.0.1,localhost",
        CSRF_TRUSTED_ORIGINS="",
        EMAIL_URL="consolemail://",
    )

"""The environment in which the demo runs: its own database and key, on this machine only."""

import os
import secrets
import tempfile
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def prepare(environ: MutableMapping[str, str], *, folder: Path = ROOT) -> None:
    """Settings for the demo and the processes that it starts, in place of those in `.env`; its files are in `folder`.

    `.env` is left unread, because it may name a database in earnest, and the demo makes log-ins. Only a `DATABASE_URL`
    that stands in the environment itself is kept.
    """
    environ["ENV_FILE"] = ""
    environ.setdefault("DATABASE_URL", f"sqlite:///{folder / 'demo.sqlite3'}")
    environ.setdefault("TIME_ZONE", "UTC")
    environ.update(
        DEBUG="off",
        HTTPS="off",
        SAMPLES="on",
        SECRET_KEY=_key(folder / "demo.key"),
        ALLOWED_HOSTS="127.0.0.1,localhost",
        CSRF_TRUSTED_ORIGINS="",
        EMAIL_URL=f"filemail:///{folder / 'demo.mail'}",
        SITE_URL="",
    )


def _key(file: Path) -> str:
    """The key of all demos here: what one has signed, such as code that sleeps, the next one goes on with."""
    descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix="demo.key.")  # readable by nobody else
    with os.fdopen(descriptor, "w") as written:
        written.write(secrets.token_urlsafe(50))
    # Two demos may start at once; the file appears whole, and whoever comes second takes it.
    with suppress(FileExistsError):
        os.link(draft, file)
    Path(draft).unlink()
    return file.read_text()

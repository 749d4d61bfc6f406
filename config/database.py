"""Django's database settings from one URL: what SQLite and PostgreSQL each need to serve a site and its engines."""

from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"

SWITCHES = {"true": True, "false": False}
"""What Django's own options are in a URL, such as `server_side_binding`."""

PRAGMAS = (
    # Readers and the one writer do not wait for each other.
    "journal_mode=WAL",
    # What was committed outlives a power cut; an engine must never do again what is recorded as done.
    "synchronous=FULL",
    "journal_size_limit=67108864",
    "cache_size=-32000",
    "temp_store=MEMORY",
)


def database_settings(url: str, *, base: Path) -> dict[str, Any]:
    """The settings of one database. A relative path of a SQLite file starts at `base`.

    Raises `ImproperlyConfigured` for a URL that is neither SQLite's nor PostgreSQL's.
    """
    if not url.startswith(("sqlite:", "postgres:", "postgresql:")):
        raise ImproperlyConfigured(
            f"DATABASE_URL starts with {url.partition(':')[0]!r}. It must be sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME."
        )
    settings = environ.Env.db_url_config(url)
    return _sqlite(settings, base=base) if settings["ENGINE"] == SQLITE else _postgresql(settings)


def _sqlite(settings: dict[str, Any], *, base: Path) -> dict[str, Any]:
    name, wanted = settings["NAME"], settings.get("OPTIONS", {})
    options = {
        # A transaction that begins by reading can't wait for another writer later: it fails with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "init_command": "; ".join(f"PRAGMA {pragma}" for pragma in PRAGMAS),
    }
    return {
        **settings,
        "NAME": name if name == ":memory:" else str(base / name),
        "OPTIONS": {**options, **wanted, "timeout": _seconds(wanted.get("timeout", 20))},
    }


def _seconds(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"The timeout in DATABASE_URL is {value!r}. It must be a number of seconds."
        ) from None


def _postgresql(settings: dict[str, Any]) -> dict[str, Any]:
    wanted = {name: SWITCHES.get(value, value) for name, value in settings.get("OPTIONS", {}).items()}
    # Without a limit, a server that does not answer is waited for without a word.
    options = {"connect_timeout": 10, **wanted}
    return {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, **settings, "OPTIONS": options}

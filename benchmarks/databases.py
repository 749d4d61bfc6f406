"""Fresh databases, as durable as they are by default, and what they say about that."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from config.database import PRAGMAS

SQLITE = "sqlite"
DURABILITY = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")


@contextmanager
def fresh(server: str, folder: Path) -> Iterator[str]:
    """The URL of a new database, which is gone afterwards: a file in `folder`, or one on a PostgreSQL server."""
    if server == SQLITE:
        path = folder / f"{secrets.token_hex(4)}.sqlite3"
        yield f"sqlite:///{path}"
        for file in folder.glob(f"{path.name}*"):
            file.unlink()
        return
    name = f"benchmark_{secrets.token_hex(4)}"
    _administer(server, SQL("CREATE DATABASE {}").format(Identifier(name)))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        _administer(server, SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def described(server: str) -> str:
    """What the database is, and how durable its commits are."""
    if server == SQLITE:
        return _described_sqlite()
    with closing(psycopg.connect(_own(server), autocommit=True)) as connection:
        values = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in DURABILITY}
    return "PostgreSQL: " + ", ".join(f"{name} {value}" for name, value in values.items())


def _described_sqlite() -> str:
    settings = ", ".join(pragma.replace("=", " ") for pragma in PRAGMAS)
    return f"SQLite {sqlite3.sqlite_version}: {settings}"


def _administer(server: str, command: Composed) -> None:
    with closing(psycopg.connect(_own(server), autocommit=True)) as connection:
        connection.execute(command)


def _own(server: str) -> str:
    """The server's URL, with the database that every server has where it names none."""
    parts = urlsplit(server)
    return server if parts.path.strip("/") else urlunsplit(parts._replace(path="/postgres"))

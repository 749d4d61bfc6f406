"""A real backup of the tests' database, and a real restore: as an operator does it, below Django."""

import sqlite3
from contextlib import closing
from pathlib import Path

from django.db import connection


class Backup:
    """The database as it is when this is made. Nobody else may be connected to it then, nor when it is restored."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "backup.sqlite3"
        self._name = connection.settings_dict["NAME"]
        self._copy = f"{self._name}_backup"
        if connection.vendor == "sqlite":
            _copy_file(self._name, str(self._file))
        else:
            _run(f'DROP DATABASE IF EXISTS "{self._copy}"', f'CREATE DATABASE "{self._copy}" TEMPLATE "{self._name}"')

    def restore(self) -> None:
        """Put it in the place of what is there now."""
        if connection.vendor == "sqlite":
            _copy_file(str(self._file), self._name)
        else:
            _run(f'DROP DATABASE "{self._name}"', f'CREATE DATABASE "{self._name}" TEMPLATE "{self._copy}"')

    def delete(self) -> None:
        if connection.vendor != "sqlite":
            _run(f'DROP DATABASE IF EXISTS "{self._copy}"')


def _copy_file(source: str, target: str) -> None:
    connection.close()
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def _run(*statements: str) -> None:
    connection.close()
    with connection._nodb_cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)

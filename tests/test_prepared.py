"""What PostgreSQL keeps planned gives what it would without: whatever has become of the connection meanwhile. Elsewhere nothing is kept."""

from collections.abc import Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from workflow.models import Process, ProcessVersion, bulk, prepared

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = Process._meta.db_table
NAMES = f"SELECT name FROM {TABLE} WHERE name >= %s AND name <= %s ORDER BY name"


@pytest.fixture(autouse=True)
def _processes() -> Iterator[None]:
    Process.objects.bulk_create([Process(name=name) for name in "ABC"])
    connection.close()  # one that knows nothing
    yield
    connection.close()
    vars(connection.features).pop("uses_server_side_binding", None)


def names(first: str = "A", last: str = "B") -> list[str]:
    return [name for (name,) in bulk.run(NAMES, [first, last], is_kept=True)]


def kept() -> int:
    """How many statements this connection keeps."""
    return len(bulk.run("SELECT name FROM pg_prepared_statements", [])) if is_postgres() else 0


def is_postgres() -> bool:
    return connection.vendor == "postgresql"


def execute(sql: str) -> None:
    """Do something that only PostgreSQL knows."""
    if is_postgres():
        with connection.cursor() as cursor:
            cursor.execute(sql)


def as_a_stranger() -> None:
    """Forget what this connection is known to keep, as where a pooler gives it to another client."""
    if is_postgres():
        prepared._known.pop(connection.connection, None)


def test_it_is_kept_and_gives_the_same_each_time(django_assert_num_queries: Any) -> None:
    assert names() == ["A", "B"]
    assert kept() == is_postgres()
    for _ in range(10):  # from the sixth time on, PostgreSQL may take one plan for all
        with django_assert_num_queries(1):
            assert names("B", "C") == ["B", "C"]
    assert kept() == is_postgres()


def test_each_text_is_kept_by_itself() -> None:
    for number in range(3):
        assert bulk.run(f"SELECT %s + {number}", [1], is_kept=True) == [(1 + number,)]
    assert kept() == 3 * is_postgres()


def test_what_is_not_to_be_kept_is_not() -> None:
    assert bulk.run(NAMES, ["A", "A"]) == [("A",)]
    assert kept() == 0


def test_in_a_longer_transaction_nothing_is_kept() -> None:
    with transaction.atomic():
        assert names() == ["A", "B"]
    assert kept() == 0


def test_where_the_server_binds_parameters_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    options = connection.settings_dict["OPTIONS"] | ({"server_side_binding": True} if is_postgres() else {})
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    monkeypatch.delitem(vars(connection.features), "uses_server_side_binding", raising=False)
    assert names() == ["A", "B"]
    assert kept() == 0
    connection.close()


@pytest.mark.parametrize("command", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_a_connection_that_has_forgotten_it_is_told_anew(command: str) -> None:
    names()
    execute(command)
    assert names() == ["A", "B"]
    assert kept() == is_postgres()


def test_a_connection_that_knows_it_from_another_client_need_not_be_told() -> None:
    names()
    as_a_stranger()
    assert names() == ["A", "B"]
    assert names() == ["A", "B"]
    assert kept() == is_postgres()


def test_a_column_whose_type_has_changed_since_does_no_harm() -> None:
    names()
    execute(f"ALTER TABLE {TABLE} ALTER COLUMN name TYPE text")
    try:
        assert names() == ["A", "B"]
    finally:
        execute(f"ALTER TABLE {TABLE} ALTER COLUMN name TYPE varchar({Process._meta.get_field('name').max_length})")
    assert names() == ["A", "B"]


def test_each_connection_keeps_its_own() -> None:
    def work() -> None:
        with closing(connection):
            found.append(names())

    names()
    found: list[list[str]] = []
    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["A", "B"]] * 4


def test_what_is_wrong_with_the_statement_is_raised_and_not_tried_again(django_assert_num_queries: Any) -> None:
    insert = f"INSERT INTO {ProcessVersion._meta.db_table} (process_id) VALUES (%s) RETURNING id"
    with django_assert_num_queries(1), pytest.raises(IntegrityError):
        bulk.run(insert, [1], is_kept=True)
    with pytest.raises(IntegrityError):
        bulk.run(insert, [1], is_kept=True)


def test_where_it_can_be_kept_in_no_way_it_is_asked_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "_TRIES", 0)
    assert names() == ["A", "B"]
    assert kept() == 0

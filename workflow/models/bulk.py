"""Rows written many at a time, by one statement each: what an ORM does object by object costs more than the database.

They take and give model objects as they stand in memory; what writes is to be called in a transaction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import (
    AutoField,
    BinaryField,
    BooleanField,
    CharField,
    DateTimeField,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    TextField,
)
from django.db.models.base import ModelState

from workflow.models import prepared
from workflow.values import encode

ROWS = 500
"""Rows a statement: far below what any database binds, far above what makes a difference."""

_Row = TypeVar("_Row", bound=Model)
_Part = TypeVar("_Part")


def insert(rows: Sequence[_Row], *, unique: Sequence[str], are_new: bool = False) -> None:
    """Insert rows, and give them their keys. One that is there already, by what is `unique`, is left as it is there.

    So a write whose commit was not heard of, because the connection broke, can simply be done again. Where all of them
    `are_new`, one that is there raises `IntegrityError`, and `unique` need only tell them apart from one another.
    """
    for part in _parts(rows):
        keys = run(*inserting(part, unique=unique, are_new=are_new))
        read = _reading(type(part[0]), tuple(unique), connection.vendor)
        give_keys(part, {read(natural): key for key, *natural in keys}, unique=unique)


def update(model: type[Model], rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Write these fields, by their attributes' names, of rows that are there; each row also has its `id`."""
    for part in _parts(rows):
        run(*updating(model, part, names))


def inserting(
    rows: Sequence[_Row], *, unique: Sequence[str], are_new: bool = False, where: str = "TRUE"
) -> tuple[str, list[Any]]:
    """The statement of `insert`, and its parameters. It returns keys with what is `unique`, of those rows, as `v`, of which
    `where` holds.
    """
    model = type(rows[0])
    source, parameters = _source(model, _inserted(model), [vars(row) for row in rows])
    columns = ", ".join(_columns(model, _inserted(model)))
    again = "" if are_new else "ON CONFLICT DO NOTHING "
    back = ", ".join(_columns(model, ("id", *unique)))
    # Without a WHERE, what comes next could be a join's.
    insert = f"INSERT INTO {_table(model)} ({columns}) SELECT {columns} {source} WHERE {where} {again}RETURNING {back}"
    return insert, parameters


def updating(
    model: type[Model],
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    *,
    where: str = "TRUE",
    also: Sequence[str] = (),
) -> tuple[str, list[Any]]:
    """The statement of `update`, and its parameters: of those rows, as `v`, of which `where` holds. They have fields that are
    not written `also`.
    """
    table, (key, *columns) = _table(model), _columns(model, ("id", *names))
    source, parameters = _source(model, ("id", *names, *also), rows)
    assignments = ", ".join(f"{column} = v.{column}" for column in columns)
    return f"UPDATE {table} SET {assignments} {source} WHERE {table}.{key} = v.{key} AND {where}", parameters


def give_keys(rows: Sequence[Model], keys: Mapping[tuple[Any, ...], Any], *, unique: Sequence[str]) -> None:
    """Give rows that were inserted the keys that came back, by what is `unique`."""
    for row in rows:
        natural = tuple(getattr(row, name) for name in unique)
        row.pk = keys.get(natural) or _there(row, unique)
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def fresh(model: type[_Row], **values: Any) -> _Row:
    """An object that is not in the database yet. Django's own way to make one of so many fields takes longer than to run
    the code of a small task.
    """
    one = model.__new__(model)
    one.__dict__.update(_blank(model), **values)
    for name, make in _made(model):
        if name not in values:
            one.__dict__[name] = make()
    one._state = ModelState()
    return one


def objects(model: type[_Row], statement: str, parameters: Sequence[Any], *, is_kept: bool = False) -> list[_Row]:
    """What a statement gives that ends with `RETURNING` or `SELECT` and `columns(model)`; `is_kept` as in `run`."""
    names = _attributes(model)
    read = _reading(model, names, connection.vendor)
    found = []
    for row in run(statement, parameters, is_kept=is_kept):
        one = model.__new__(model)
        one.__dict__.update(zip(names, read(row), strict=True))
        one._state = ModelState()
        one._state.adding, one._state.db = False, DEFAULT_DB_ALIAS
        found.append(one)
    return found


def columns(model: type[Model]) -> str:
    """All columns of a model, as `objects` reads them."""
    return ", ".join(_columns(model, _attributes(model)))


def _parts(rows: Sequence[_Part]) -> Iterator[Sequence[_Part]]:
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS]


def run(statement: str, parameters: Sequence[Any], *, is_kept: bool = False) -> list[tuple[Any, ...]]:
    """What a statement gives. PostgreSQL plans it once if it `is_kept`, where that can be."""
    if is_kept and prepared.can_keep():
        return prepared.run(statement, parameters)
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def _there(row: Model, unique: Sequence[str]) -> Any:
    """The key of a row that an earlier try has written."""
    natural = {name: getattr(row, name) for name in unique}
    return type(row)._default_manager.values_list("pk", flat=True).get(**natural)


def _source(model: type[Model], names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[Any]]:
    """`FROM … AS v`, whose columns are those of the fields, and its parameters."""
    if connection.vendor == "postgresql":
        # One parameter, and always the same statement: a driver that looks through thousands of values is slow.
        return f"FROM jsonb_populate_recordset(NULL::{_table(model)}, %s::jsonb) AS v", [_recordset(model, names, rows)]
    prepared = _prepared(model, names)
    values = [prepare(row[name]) if prepare else row[name] for row in rows for name, prepare in prepared]
    listed = ", ".join(f"column{number} AS {column}" for number, column in enumerate(_columns(model, names), 1))
    one = f"({', '.join(['%s'] * len(prepared))})"
    return f"FROM (SELECT {listed} FROM (VALUES {', '.join([one] * len(rows))})) AS v", values


def _recordset(model: type[Model], names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a JSON array of objects."""
    columns, json_columns = _shape(model, names)
    records = []
    for row in rows:
        record = {column: row[attribute] for column, attribute in columns}
        for column in json_columns:
            record[column] = orjson.Fragment(encode(record[column]))
        records.append(record)
    return orjson.dumps(records, _binary).decode()


def _binary(value: Any) -> str:
    """What JSON has no form for: bytes, as PostgreSQL reads them."""
    if isinstance(value, bytes | memoryview):
        return "\\x" + bytes(value).hex()
    raise TypeError(f"A column of {type(value).__name__} is not written in bulk.")


@cache
def _prepared(model: type[Model], names: tuple[str, ...]) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Attributes with what makes of them what the driver takes; nothing where that is the value itself."""
    return [(field.attname, _preparation(field)) for field in _fields(model, names)]


def _preparation(field: Any) -> Callable[[Any], Any] | None:
    match field:
        case JSONField():
            return lambda value: None if value is None else encode(value).decode()
        case DateTimeField():
            return connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value
        case ForeignKey():  # a project's users may have keys that are no numbers, such as UUIDs
            return _preparation(field.target_field)
        case AutoField() | BinaryField() | BooleanField() | CharField() | IntegerField() | TextField():
            return None
    return lambda value: field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])


@cache
def _shape(model: type[Model], names: tuple[str, ...]) -> tuple[list[tuple[str, str]], list[str]]:
    """Columns with the attributes that they hold, and those of them that are JSON."""
    fields = _fields(model, names)
    columns = [(field.column, field.attname) for field in fields]
    return columns, [
        column for column, field in zip(dict(columns), fields, strict=True) if isinstance(field, JSONField)
    ]


@cache
def _fields(model: type[Model], names: tuple[str, ...]) -> tuple[Any, ...]:
    by_name: dict[str, Any] = {}
    for field in model._meta.local_concrete_fields:
        by_name[field.name] = by_name[field.attname] = field
    return tuple(by_name[name] for name in names)


@cache
def _columns(model: type[Model], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(connection.ops.quote_name(field.column) for field in _fields(model, names))


@cache
def _blank(model: type[Model]) -> dict[str, Any]:
    """What the attributes of a new object are where nothing else is said."""
    return {field.attname: field.get_default() for field in model._meta.local_concrete_fields}


@cache
def _made(model: type[Model]) -> list[tuple[str, Callable[[], Any]]]:
    """Attributes whose default is made for each object: two that share a dict would change one another's."""
    fields = model._meta.local_concrete_fields
    return [(field.attname, field.get_default) for field in fields if field.has_default() and callable(field.default)]


@cache
def _attributes(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.local_concrete_fields)


@cache
def _reading(
    model: type[Model],
    names: tuple[str, ...],
    vendor: str,
) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """What makes the values of a row that a statement gives, of these fields, those of the fields."""
    converters = _converters(model, names, vendor)
    if not converters:
        return tuple

    def read(row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for place, expression, convert in converters:
            values[place] = convert(values[place], expression, connection)
        return tuple(values)

    return read


@cache
def _converters(
    model: type[Model],
    names: tuple[str, ...],
    vendor: str,  # noqa: ARG001 - each its own
) -> list[tuple[int, Any, Callable[..., Any]]]:
    """What makes values of a row those of the fields, by the place in the row."""
    found = []
    for place, field in enumerate(_fields(model, names)):
        expression = field.get_col(model._meta.db_table)
        of_field = [*connection.ops.get_db_converters(expression), *field.get_db_converters(connection)]
        found += [(place, expression, convert) for convert in of_field]
    return found


@cache
def _inserted(model: type[Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.local_concrete_fields if not field.primary_key)


def _table(model: type[Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)

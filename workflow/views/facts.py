"""The data of an instance as people read it: with labels, and each value in the form that its kind has.

Data can be a megabyte: a page shows so many values of it, and says what it leaves out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import formats
from django.utils.translation import gettext as _

from workflow import durations, values
from workflow.definition import Definition, Field, Kind
from workflow.people.visible import data_for_people, form_fields

MOST_VALUES = 300
MOST_LEVELS = 4
"""Deeper values are shown as JSON."""
LONGEST = 5_000
"""Characters of one text."""
CHARACTERS_A_LINE = 80
MOST_TALL = 12 * CHARACTERS_A_LINE
SUMMARY_VALUES, SUMMARY_LONGEST = 3, 60


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A value, ready for `workflow/value.html`: what it is like, and what is to be written. `more` counts what is left out."""

    kind: str
    value: Any = None
    more: int = 0

    @property
    def is_tall(self) -> bool:
        """Whether a text would push what comes after it out of sight, so that it scrolls in a place of its own."""
        return self.kind == "long" and len(self.value) + CHARACTERS_A_LINE * self.value.count("\n") > MOST_TALL


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A value with its label."""

    label: str
    shown: Shown


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows that all have the same keys."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Shown]]


def facts(data: Any, definition: Definition) -> Shown:
    """What is shown of an instance's data: first what forms ask for, in their order, then the rest by name.

    It asks the database only for the names of people, where a form's field is for one.
    """
    if not isinstance(data, Mapping):
        return Shown(kind="text", value=str(data))
    (shown,) = _read([data], form_fields(definition))
    return shown


def answered(answers: Sequence[Mapping[str, Any]], form: Iterable[Field]) -> list[Shown]:
    """What several people have answered to one form: one for each."""
    return _read(answers, {field.name: field for field in form})


def _read(several: Sequence[Mapping[str, Any]], fields: Mapping[str, Field]) -> list[Shown]:
    reader = _Reader(people=_people(several, fields))
    labels = {name: field.title for name, field in fields.items()}
    return [reader.mapping(_in_order(data, fields), labels=labels) for data in several]


def summary(data: Any, definition: Definition, *, inside: bool) -> list[Fact]:
    """The first few plain values, short: what tells one row of a list from the next. Without sight of the `inside` of
    instances, only of what people see.
    """
    if not isinstance(data, Mapping):
        return []
    if not inside:
        data = data_for_people(data, definition)
    fields = form_fields(definition)
    reader = _Reader(people={})
    found: list[Fact] = []
    for name, value in _in_order(data, fields).items():
        if isinstance(value, str | int | float | Decimal | date) and not isinstance(value, bool) and value != "":
            shown = reader.shown(value[:SUMMARY_LONGEST] if isinstance(value, str) else value)
            found.append(Fact(label=_label(name, fields), shown=shown))
        if len(found) == SUMMARY_VALUES:
            break
    return found


def _in_order(data: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    asked = [name for name in fields if name in data]
    return {name: data[name] for name in [*asked, *sorted(data.keys() - fields.keys())]}


def _label(name: str, fields: Mapping[str, Field]) -> str:
    return fields[name].title if name in fields else Field(name=name).title


def _people(several: Iterable[Mapping[str, Any]], fields: Mapping[str, Field]) -> dict[str, str]:
    """The full names of the users that answers name."""
    wanted = [name for name, field in fields.items() if field.kind is Kind.USER]
    names = [data[name] for data in several for name in wanted if isinstance(data.get(name), str)]
    if not names:
        return {}
    model = get_user_model()
    found = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__in": names})
    return {user.get_username(): full_name(user) for user in found}


def full_name(user: Any) -> str:
    """How people call a user: the name, and what they log in with."""
    name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    return f"{name} ({user.get_username()})" if name else str(user.get_username())


class _Reader:
    """Reads values until there are too many."""

    def __init__(self, *, people: Mapping[str, str]) -> None:
        self._left = MOST_VALUES
        self._people = people

    def mapping(self, value: Mapping[str, Any], *, labels: Mapping[str, str], level: int = 0) -> Shown:
        entries = []
        for name, one in value.items():
            if self._left <= 0:
                break
            label = labels.get(name) or Field(name=name).title or name
            entries.append(Fact(label=label, shown=self.shown(one, level=level + 1)))
        return Shown(kind="facts", value=entries, more=len(value) - len(entries))

    def shown(self, value: Any, *, level: int = 0) -> Shown:
        self._left -= 1
        match value:
            case None | "":
                return Shown(kind="text", value="–")
            case bool():
                return Shown(kind="text", value=_("yes") if value else _("no"))
            case str():
                return self._text(value)
            case Decimal():
                return Shown(kind="text", value=formats.number_format(value, use_l10n=True, force_grouping=True))
            case int() | float():
                return Shown(kind="text", value=formats.number_format(value, use_l10n=True))
            case datetime():
                return Shown(kind="moment", value=value)
            case date():
                return Shown(kind="day", value=value)
            case timedelta():
                return Shown(kind="text", value=durations.written(value))
        return self._compound(value, level)

    def _text(self, value: str) -> Shown:
        text = self._people.get(value, value)
        kind = "long" if "\n" in text or len(text) > SUMMARY_LONGEST * 2 else "text"
        return Shown(kind=kind, value=text[:LONGEST], more=max(0, len(text) - LONGEST))

    def _compound(self, value: Any, level: int) -> Shown:
        match value:
            case {"upload": int(), "name": str(), "size": int()} if len(value) == 3:
                return Shown(kind="file", value=value)
            case list() | dict() if level > MOST_LEVELS:
                text = values.dumps(value)
                return Shown(kind="long", value=text[:LONGEST], more=max(0, len(text) - LONGEST))
            case dict():
                return self.mapping(value, labels={}, level=level)
            case list() if (columns := _columns(value)) is not None:
                return self._table(value, columns, level)
            case list():
                return self._list(value, level)
        return Shown(kind="text", value=str(value))

    def _list(self, value: Sequence[Any], level: int) -> Shown:
        items = list(self._while_room(self.shown(one, level=level + 1) for one in value))
        return Shown(kind="list", value=items, more=len(value) - len(items))

    def _table(self, value: Sequence[Mapping[str, Any]], columns: Sequence[str], level: int) -> Shown:
        rows = list(self._while_room([self.shown(row[name], level=level + 1) for name in columns] for row in value))
        table = Table(columns=[Field(name=name).title or name for name in columns], rows=rows)
        return Shown(kind="table", value=table, more=len(value) - len(rows))

    def _while_room(self, items: Iterable[Any]) -> Iterator[Any]:
        iterator = iter(items)
        while self._left > 0 and (item := next(iterator, None)) is not None:
            yield item


def _columns(value: Sequence[Any]) -> Sequence[str] | None:
    """The keys that all of them have, where they are rows of plain values; else `None`."""
    first = value[0] if value else None
    if not isinstance(first, dict) or not 0 < len(first) <= 6 or "upload" in first:
        return None
    alike = all(isinstance(one, dict) and one.keys() == first.keys() for one in value)
    plain = alike and not any(isinstance(cell, list | dict) for one in value for cell in one.values())
    return list(first) if plain else None

"""The values that processes work with, and their JSON.

JSON's own values plus date, datetime, timedelta and Decimal (DESIGN.md 4). The four are written as
an object with one key, which is also how they are given where only JSON can be typed:
`{"due": {"$date": "2026-03-01"}}`. Pure: no Django, no database.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from workflow.language import gettext as _

MAX_DEPTH = 64
MAX_SIZE = 10_000_000  # characters; what a process may keep is a setting, and far less
ITEM_SIZE = 10  # characters that every value counts for, whatever it is
MAX_DIGITS = 1_234  # of a number that is written out; 4,096 bits have as many. Python refuses to write much longer integers as text

_TOO_LONG = 10**MAX_DIGITS
_Number = TypeVar("_Number", float, Decimal)


class ValueProblem(ValueError):
    """A value that can't be kept; says where it is, what it is, and what would be right.

    `value` is the one at fault, where its type is the fault.
    """

    def __init__(self, message: str, value: Any = None) -> None:
        super().__init__(message)
        self.value = value


def check(value: Any, where: str = "value") -> Any:
    """`value` as it will be read back from the database: tuples as lists, times in UTC, plain types.

    Raises `ValueProblem` for a type that has no place in JSON, a key that is not text, a number that
    is no number, text that PostgreSQL can't store, and what is too deep or too large.
    """
    return _check(value, where, MAX_DEPTH, _Room(where))


@dataclass(frozen=True)
class Unreadable:
    """What stands in a database's row but is no value of ours: somebody wrote there by hand. It can't be written."""

    why: str

    def __str__(self) -> str:
        return _("This can't be read: %(why)s") % {"why": self.why}


class _Room:
    """What is left of `MAX_SIZE`: a list that holds itself twice, forty times over, is small only until it is copied."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._left = MAX_SIZE

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueProblem(
                _("%(where)s is too large: more than about %(most)s characters.")
                % {"where": self._where, "most": MAX_SIZE}
            )


def _check(value: Any, where: str, depth: int, room: _Room) -> Any:
    room.take(ITEM_SIZE)
    match value:
        case datetime():
            return _check_datetime(value, where)
        case None | bool() | date() | timedelta():
            return value
        case float():
            return float(_finite(value, where))
        case Decimal():
            return _short(_finite(value, where), where)
        case int():
            return _short(int(value), where)
        case str():
            return _check_text(value, where, room)
    if depth == 0:
        raise ValueProblem(
            _("%(where)s is nested more than %(most)s levels deep.") % {"where": where, "most": MAX_DEPTH}
        )
    match value:
        case list() | tuple():
            return [_check(item, f"{where}[{index}]", depth - 1, room) for index, item in enumerate(value)]
        case Mapping():
            return {
                _check_key(key, where, room): _check(item, f"{where}[{key!r}]", depth - 1, room)
                for key, item in value.items()
            }
    raise ValueProblem(
        _(
            "%(where)s is of type %(kind)s, which can't be kept; use text, numbers, booleans, "
            "None, lists, dicts, date, datetime, timedelta or Decimal."
        )
        % {"where": where, "kind": type(value).__name__},
        value,
    )


def _finite(value: _Number, where: str) -> _Number:
    if not Decimal(value).is_finite():
        raise ValueProblem(
            _("%(where)s is %(value)s: only finite numbers can be kept.") % {"where": where, "value": value}
        )
    return value


def _short(value: int | Decimal, where: str) -> int | Decimal:
    if _is_long(value):
        raise ValueProblem(
            _("%(where)s is a number of more than %(most)s digits when written in full; longer ones can't be kept.")
            % {"where": where, "most": MAX_DIGITS}
        )
    return value


def _is_long(number: int | Decimal) -> bool:
    """Whether it has more digits than can be kept: `Decimal("1e999999999")` is short only until it is written out."""
    if isinstance(number, int):
        return not -_TOO_LONG < number < _TOO_LONG
    _sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # it is finite
    before_point, after_point = max(len(digits) + exponent, 1), max(-exponent, 0)
    return before_point + after_point > MAX_DIGITS


def _check_key(key: Any, where: str, room: _Room) -> str:
    if not isinstance(key, str):
        raise ValueProblem(
            _("%(where)s has the key %(key)r of type %(kind)s; keys must be text.")
            % {"where": where, "key": key, "kind": type(key).__name__}
        )
    if key in _READERS:
        raise ValueProblem(
            _("%(where)s has the key %(key)r, which is reserved for writing that type as JSON.")
            % {"where": where, "key": key}
        )
    return _check_text(key, where, room)


def _check_text(text: str, where: str, room: _Room) -> str:
    room.take(len(text))
    if "\x00" in text:
        raise ValueProblem(_("%(where)s holds a NUL character, which can't be kept.") % {"where": where})
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueProblem(
            _("%(where)s holds text that is not valid Unicode: %(reason)s.") % {"where": where, "reason": error.reason}
        ) from error
    return str.__str__(text)  # of a subclass, such as Django's choices, only the text is kept


def _check_datetime(moment: datetime, where: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueProblem(
            _("%(where)s is a datetime without a time zone; give it one, such as datetime.timezone.utc.")
            % {"where": where}
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueProblem(
            _("%(where)s is %(moment)s, which has no equal in UTC.") % {"where": where, "moment": moment}
        ) from error


def _tagged(value: Any) -> Any:
    """One of the four types as an object with one key."""
    match value:
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case timedelta():
            return {"$timedelta": [value.days, value.seconds, value.microseconds]}
        case Decimal():
            return {"$decimal": str(value)}
    raise TypeError(f"{type(value).__name__} has no place in JSON")


class Encoder(json.JSONEncoder):
    """Writes the four types as tagged objects."""

    def default(self, o: Any) -> Any:
        return _tagged(o)


_READABLE = Encoder(ensure_ascii=False)
_COMPACT = Encoder(ensure_ascii=False, separators=(",", ":"))


class Decoder(json.JSONDecoder):
    """Reads what `Encoder` wrote; raises `ValueProblem` for a tag with a wrong value."""

    def __init__(self, **kwargs: Any) -> None:
        hooks = {"object_hook": _read_tagged, "parse_constant": _refuse_number, "parse_float": _read_float}
        super().__init__(**{**hooks, **kwargs})


def _read_tagged(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    ((tag, content),) = value.items()
    if tag not in _READERS:
        return value
    read, example = _READERS[tag]
    try:
        return read(content)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise ValueProblem(
            _('{"%(tag)s": %(content)r} is not right: write {"%(tag)s": %(example)s}.')
            % {"tag": tag, "content": content, "example": example}
        ) from error


def _read_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(_("it has no time zone"))
    return moment.astimezone(UTC)


def _read_timedelta(parts: list[int]) -> timedelta:
    days, seconds, microseconds = parts
    return timedelta(days=days, seconds=seconds, microseconds=microseconds)


def _read_decimal(text: str) -> Decimal:
    if not isinstance(text, str):
        raise ValueError(_("it is not text"))  # noqa: TRY004 - a JSON number has lost its digits already
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(_("it is not finite"))
    return number


_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "$date": (date.fromisoformat, '"2026-03-01"'),
    "$datetime": (_read_datetime, '"2026-03-01T09:30:00+00:00"'),
    "$timedelta": (_read_timedelta, "[days, seconds, microseconds]"),
    "$decimal": (_read_decimal, '"12.50"'),
}


def _read_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _refuse_number(text: str) -> float:
    raise ValueProblem(
        _("%(text)s can't be kept: only finite numbers can, and as large as a float holds.") % {"text": text}
    )


def dumps(value: Any, *, indent: int | None = None) -> str:
    """`value` as JSON text, for people."""
    return _READABLE.encode(value) if indent is None else Encoder(ensure_ascii=False, indent=indent).encode(value)


def encode(value: Any) -> bytes:
    """`value` as JSON in UTF-8, for a database: without spaces, and ten times as quick."""
    try:
        return orjson.dumps(value, _tagged, orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:  # integers of more than 64 bits are too large for it
        return _COMPACT.encode(value).encode()


def size(value: Any) -> int:
    """Bytes that `value` takes as JSON."""
    return len(encode(value))


def first_larger(limit: int, **contents: Any) -> tuple[str, int] | None:
    """The first of these contents that takes more than `limit` bytes as JSON, by its name, and what it takes."""
    if size(contents) <= limit:  # all of them together, as nearly always
        return None
    sizes = ((name, size(content)) for name, content in contents.items())
    return next(((name, taken) for name, taken in sizes if taken > limit), None)


_DECODER = Decoder()


def loads(text: str) -> Any:
    """The value of JSON text; `ValueProblem` where the text is not JSON, with line and column."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueProblem(
            _("This is not JSON: %(problem)s at line %(line)s, column %(column)s.")
            % {"problem": error.msg, "line": error.lineno, "column": error.colno}
        ) from error
    except ValueProblem:
        raise
    except ValueError as error:  # Python reads no integers of thousands of digits
        raise ValueProblem(_("This can't be kept: a number in it has too many digits.")) from error
    except RecursionError as error:
        raise ValueProblem(_("This is nested too deep; %(most)s levels can be kept.") % {"most": MAX_DEPTH}) from error

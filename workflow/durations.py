"""Time spans as people write them: `3d`, `1d 12h`, `90m`, `1.5h`. Pure."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from workflow.language import gettext as _

UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
"""What a span is written in, from the longest down."""

_WORDS = {
    **{word: timedelta(weeks=1) for word in ("w", "week", "weeks")},
    **dict.fromkeys(("d", "day", "days"), UNITS["d"]),
    **dict.fromkeys(("h", "hour", "hours"), UNITS["h"]),
    **dict.fromkeys(("m", "min", "minute", "minutes"), UNITS["m"]),
    **dict.fromkeys(("s", "sec", "second", "seconds"), UNITS["s"]),
}
_PART = re.compile(r"(?P<number>\d{1,20}(?:\.\d{1,20})?)\s*(?P<unit>[a-z]*)", re.ASCII | re.IGNORECASE)
_MICROSECOND = timedelta(microseconds=1)


def parse(text: str) -> timedelta:
    """The span that is written: numbers, each with its unit. Raises `ValueError`, which says what would be right."""
    try:
        return sum((times(number, unit) for number, unit in parts(text)), start=timedelta())
    except OverflowError:
        raise ValueError(
            _("%(text)s is too long: at most %(days)sd.") % {"text": text.strip(), "days": timedelta.max.days}
        ) from None


def parts(text: str) -> Iterator[tuple[Decimal, timedelta]]:
    """The numbers of a span that is written, each with its unit. Raises `ValueError` as `parse` does."""
    rest = text.strip()
    if not rest:
        raise ValueError(_("A time span is missing: write one such as 3d, 1d 12h or 90m."))
    while rest:
        part = _PART.match(rest)
        if part is None:
            raise ValueError(
                _("%(text)r is no time span: write one such as 3d, 1d 12h or 90m.") % {"text": text.strip()}
            )
        yield Decimal(part["number"]), _unit(part["number"], part["unit"])
        rest = rest[part.end() :].lstrip(" ,")


def times(number: Decimal, unit: timedelta) -> timedelta:
    """So many of a unit, to the microsecond. Raises `OverflowError`."""
    return int((number * (unit // _MICROSECOND)).to_integral_value()) * _MICROSECOND


def _unit(number: str, unit: str) -> timedelta:
    if not unit:
        raise ValueError(
            _("%(number)s of what? Write %(number)sd for days, %(number)sh, %(number)sm (minutes) or %(number)ss.")
            % {"number": number}
        )
    if unit == "M":
        raise ValueError(
            _(
                "%(number)sM may mean months, which are not of one length: write %(number)sm for minutes, or days, such as 90d."
            )
            % {"number": number}
        )
    unit = unit.lower()
    if unit not in _WORDS:
        raise ValueError(_("%(unit)r is no unit of time: take w, d, h, m (minutes) or s.") % {"unit": unit})
    return _WORDS[unit]


def written(span: timedelta) -> str:
    """The span as `parse` reads it, with a minus where it is negative, which `parse` refuses: `1d 12h`, `0s`."""
    if span < timedelta():
        return f"-{written(-span)}"
    parts, rest = [], span
    for unit, length in UNITS.items():
        if unit == "s":
            break
        count, rest = divmod(rest, length)
        parts += [f"{count}{unit}"] if count else []
    if rest or not parts:
        seconds = Decimal(rest // _MICROSECOND).scaleb(-6).normalize()
        parts.append(f"{seconds:f}s")
    return " ".join(parts)

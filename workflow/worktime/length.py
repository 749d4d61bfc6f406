"""How much working time: spans as people write them, such as `2d`, `1d 4h` or `-4h`."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from workflow import durations
from workflow.durations import UNITS
from workflow.language import gettext as _

LONGEST = timedelta(days=1000)
_MOST_SECONDS = int(LONGEST.total_seconds())
NOTHING = timedelta()


@dataclass(frozen=True, kw_only=True)
class Span:
    """Whole working days, and working time besides; before something, where both are negative."""

    days: int = 0
    time: timedelta = NOTHING

    def __neg__(self) -> "Span":
        return Span(days=-self.days, time=-self.time)

    @property
    def is_before(self) -> bool:
        return self.days < 0 or self.time < NOTHING

    def __str__(self) -> str:
        if self.is_before:
            return f"-{-self}"
        parts = [f"{self.days}d"] if self.days else []
        if self.time or not parts:
            parts.append(in_hours(self.time))
        return " ".join(parts)


def span(text: str) -> Span:
    """The span that is written, such as `2d`, `1d 4h`, `-4h` or `0`. Raises `ValueError`, which says what would be right."""
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if text.startswith("-") and not text.startswith("--"):
        return -span(text[1:])
    if text == "0":
        return Span()
    days, time = 0, NOTHING
    for number, unit in durations.parts(text):
        if unit > UNITS["d"]:
            raise ValueError(
                _("%(text)r has weeks; write working days, such as 5d for a week from Monday to Friday.")
                % {"text": text}
            )
        if unit == UNITS["d"] and number % 1:
            raise ValueError(_("%(text)r has a part of a working day; write hours, such as 4h.") % {"text": text})
        counted = min(number, Decimal(_MOST_SECONDS + 1))  # which is too long of any unit, and overflows none
        days += int(counted) if unit == UNITS["d"] else 0
        time += NOTHING if unit == UNITS["d"] else durations.times(counted, unit)
    if days > LONGEST.days or time > LONGEST:
        raise ValueError(_("%(text)s is too long: at most %(days)sd.") % {"text": text, "days": LONGEST.days})
    return Span(days=days, time=time)


def spans(text: str) -> list[Span]:
    """The spans in `-4h, 0, 1d`. Raises as `span` does."""
    return [span(part) for part in text.split(",") if part.strip()]


def in_hours(time: timedelta) -> str:
    """Without days, which would be working days: `26h`, `1h 30m`."""
    hours, rest = divmod(time, UNITS["h"])
    parts = [f"{hours}h"] if hours or not rest else []
    return " ".join([*parts, durations.written(rest)] if rest else parts)

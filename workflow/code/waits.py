"""The built-in functions at which code stands still until a time has come."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST = timedelta(days=3660)


def sleep(now: datetime, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
    """When `sleep(…)`, called at `now`, is over. Raises `ValueError` for a time that is no time to wait."""
    for name, number in {"days": days, "hours": hours, "minutes": minutes, "seconds": seconds}.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"sleep(): {name} must be a number, not {type(number).__name__}")
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) <= span <= LONGEST:
        raise ValueError(f"sleep() takes up to ten years, and no negative time; this is {span}")
    return now + span


def sleep_until(now: datetime, when: datetime) -> datetime:
    """When `sleep_until(when)` is over: at `when`, or at once where that has been."""
    if not isinstance(when, datetime):
        raise TypeError(f"sleep_until() takes a datetime, not {type(when).__name__}")
    if when.tzinfo is None:
        raise ValueError("sleep_until() takes a datetime with a time zone, such as datetime.timezone.utc")
    if when - now > LONGEST:
        raise ValueError(f"sleep_until() waits up to ten years; {when} is later")
    return when.astimezone(UTC)


WAITS: Mapping[str, Callable[..., datetime]] = {"sleep": sleep, "sleep_until": sleep_until}

STUBS = """
def sleep(*, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None: ...

def sleep_until(when: datetime) -> None: ...
"""


def due_at(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, now: datetime) -> datetime:
    """Until when a call of a function in `WAITS` waits. Raises `TypeError` or `ValueError` for wrong arguments."""
    try:
        return WAITS[name](now, *args, **kwargs)
    except TypeError as error:
        # Python counts our own first argument; the caller must not.
        if "positional argument" in str(error):
            raise TypeError(f"{name}() takes its times by name, such as {name}(days=2)") from error
        raise
    except OverflowError as error:
        raise ValueError(f"{name}(): the time is out of range") from error

"""Working hours and days off, as people write them."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise

from workflow.language import gettext as _
from workflow.worktime.calendars import MINUTES_A_DAY, Shift, Week

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", re.ASCII)


def week(text: str) -> Week:
    """The working hours that are written: days, each time followed by their hours, such as
    `Mon-Thu 09:00-12:00 13:00-17:00 Fri 09:00-14:00`. Raises `ValueError`, which says what would be right.
    """
    shifts: list[list[Shift]] = [[] for _ in DAYS]
    days: list[int] = []
    group = ""
    for word in text.replace("\N{EN DASH}", "-").replace(",", " ").split():
        if _HOURS.fullmatch(word):
            if not days:
                raise ValueError(
                    _("%(word)s of which days? Write them before, such as Mon-Fri %(word)s.") % {"word": word}
                )
            group = word
            for day in days:
                shifts[day].append(_shift(word))
        else:
            days, group = [*([] if group else days), *_weekdays(word)], ""
    if not group:
        what = _("There are no working hours.") if not days else _("%(day)s has no hours.") % {"day": DAYS[days[-1]]}
        raise ValueError(_("%(what)s Write some, such as Mon-Fri 09:00-17:00.") % {"what": what})
    return tuple(tuple(_apart(day, sorted(found))) for day, found in zip(DAYS, shifts, strict=True))


def _weekdays(word: str) -> Iterable[int]:
    first, dash, last = word.partition("-")
    begin, end = _weekday(first, word), _weekday(last, word) if dash else _weekday(first, word)
    return (number % len(DAYS) for number in range(begin, end + (len(DAYS) if end < begin else 0) + 1))


def _weekday(name: str, word: str) -> int:
    if len(name) > 1:
        for number, day in enumerate(DAYS):
            if day.lower().startswith(name.lower()):
                return number
    raise ValueError(_("%(word)r is neither days nor hours: write them as in Mon-Fri 09:00-17:00.") % {"word": word})


def _shift(word: str) -> Shift:
    match = _HOURS.fullmatch(word)
    assert match is not None
    from_hour, from_minute, to_hour, to_minute = map(int, match.groups())
    begin, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
    if from_minute > 59 or to_minute > 59 or begin > MINUTES_A_DAY or end > MINUTES_A_DAY:
        raise ValueError(_("%(word)s are no times of a day: the last is 24:00.") % {"word": word})
    if begin == end:
        raise ValueError(_("%(word)s is no time at all: for a whole day, write 00:00-24:00.") % {"word": word})
    if begin > end:
        first, last = word.split("-")
        raise ValueError(
            _("%(word)s goes past midnight: write %(first)s-24:00, and 00:00-%(last)s at the day after.")
            % {"word": word, "first": first, "last": last}
        )
    return begin, end


def _apart(day: str, shifts: Sequence[Shift]) -> Sequence[Shift]:
    if any(one[1] > other[0] for one, other in pairwise(shifts)):
        raise ValueError(_("Hours of %(day)s overlap: write each hour once.") % {"day": day})
    return shifts


def days_off(text: str) -> dict[date, str]:
    """The days off that are written, one a line: `2026-12-24 Christmas Eve`, or `2026-12-27 2026-12-31 Closed`. Raises
    `ValueError`, which says what would be right.
    """
    found: dict[date, str] = {}
    for line in filter(None, map(str.strip, text.replace("\r", "\n").split("\n"))):
        first, *words = line.split()
        begin = end = _date(first, line)
        if words and re.fullmatch(r"\d{4}-\S*", words[0]):
            end = _date(words.pop(0), line)
        if not timedelta() <= end - begin <= timedelta(days=366):
            raise ValueError(_("%(line)r: the second day must come after the first, within a year.") % {"line": line})
        reason = " ".join(words) or _("day off")
        found |= {begin + timedelta(days=number): reason for number in range((end - begin).days + 1)}
    return found


def _date(word: str, line: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ValueError(
            _("%(word)r in %(line)r is no date: write lines such as 2026-12-24 Christmas Eve.")
            % {"word": word, "line": line}
        ) from None

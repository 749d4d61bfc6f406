"""When people work: the shifts of each day, by the clocks of a zone, and the days off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

MINUTES_A_DAY = 24 * 60

Shift = tuple[int, int]
"""From one minute of a day to another."""

Week = Sequence[Sequence[Shift]]
"""The shifts of each day, from Monday on."""

ALWAYS: Week = (((0, MINUTES_A_DAY),),) * 7


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """When people work: the shifts of each day of the week, by the clocks of a zone; but not on days for which
    `why_off` tells a reason.
    """

    name: str
    zone: tzinfo
    week: Week
    why_off: Callable[[date], str] = lambda _: ""

    @classmethod
    def of_all_time(cls, zone: tzinfo) -> "Calendar":
        """For where there is no calendar: all time counts."""
        return cls(name="", zone=zone, week=ALWAYS)

    def shifts(self, day: date) -> list[tuple[datetime, datetime]]:
        """When people work that day, in order."""
        if not self.week[day.weekday()] or self.why_off(day):
            return []
        found: list[tuple[datetime, datetime]] = []
        for begin, end in self.week[day.weekday()]:
            since, until = self._at(day, begin), self._at(day, end)
            if found:  # where clocks are put forward, what was to begin in that hour begins after it
                since = max(since, found[-1][1])
            if since < until:
                found.append((since, until))
        return found

    def _at(self, day: date, minutes: int) -> datetime:
        days, minutes = divmod(minutes, MINUTES_A_DAY)
        midnight = datetime.combine(day + timedelta(days=days), datetime.min.time(), tzinfo=self.zone)
        return (midnight + timedelta(minutes=minutes)).astimezone(UTC)

    def days_off(self, first: date, last: date) -> dict[date, str]:
        """The days from one to another on which people would work, were they not off; each with the reason."""
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return {day: why for day in days if self.week[day.weekday()] and (why := self.why_off(day))}

    def day_of(self, moment: datetime) -> date:
        """Which day it is by the clocks of the zone."""
        return moment.astimezone(self.zone).date()

    def shifted(self, moment: datetime, days: timedelta) -> datetime:
        """So many days later at the same time, by the clocks of the zone."""
        return (moment.astimezone(self.zone) + days).astimezone(UTC)

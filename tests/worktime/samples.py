"""A calendar of working hours in Vienna, and moments by its clocks."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from workflow.worktime import Calendar, days_off, week

VIENNA = ZoneInfo("Europe/Vienna")
HOURS = "Mon-Thu 09:00-12:00 13:00-17:00 Fri 09:00-14:00"
OFF = days_off("2026-01-06 Epiphany\n2026-12-24 2026-12-31 Closed")


def calendar(hours: str = HOURS, zone: Any = VIENNA) -> Calendar:
    return Calendar(name="Vienna", zone=zone, week=week(hours), why_off=lambda day: OFF.get(day, ""))


def at(text: str, zone: Any = VIENNA) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)

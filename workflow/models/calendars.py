"""Business calendars: when people work."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import worktime
from workflow.errors import suggestion
from workflow.worktime import Calendar


def site_time_zone() -> str:
    """The zone of a new calendar."""
    return str(settings.TIME_ZONE)


class BusinessCalendar(models.Model):
    """The hours and days at which people work. Due dates are counted in them."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Tasks that name no calendar go by this one.")
    )
    time_zone = models.CharField(
        _("time zone"), max_length=100, default=site_time_zone, help_text=_("Such as Europe/Vienna.")
    )
    hours = models.TextField(
        _("working hours"),
        default="Mon-Fri 09:00-17:00",
        help_text=_("Days and their hours, such as Mon-Thu 09:00-12:00 13:00-17:00; other days on another line."),
    )
    country = models.CharField(
        _("country"), max_length=10, blank=True, help_text=_("Whose public holidays are off: its code, such as AT.")
    )
    subdivision = models.CharField(
        _("subdivision"), max_length=20, blank=True, help_text=_("The code of a state or province, such as 9.")
    )
    days_off = models.TextField(
        _("other days off"),
        blank=True,
        help_text=_("One a line: 2026-12-24 Christmas Eve; or from one day to another, 2026-12-27 2026-12-31 Closed."),
    )

    class Meta:
        verbose_name = _("business calendar")
        verbose_name_plural = _("business calendars")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["is_default"],
                name="workflow_calendar_one_default",
                condition=Q(is_default=True),
                violation_error_message=_("Another calendar is the default. Untick it there first."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def worktime(self) -> Calendar:
        """The calendar as a value. Raises `ValueError` where it makes no sense, as `clean` does."""
        off = worktime.days_off(self.days_off)
        holidays = public_holidays(self.country, self.subdivision)
        return Calendar(
            name=self.name,
            zone=_zone(self.time_zone),
            week=worktime.week(self.hours),
            why_off=lambda day: off.get(day) or holidays(day),
        )

    def clean(self) -> None:
        """Each mistake at its field."""
        readers: dict[str, Callable[[], Any]] = {
            "time_zone": lambda: _zone(self.time_zone),
            "hours": lambda: worktime.week(self.hours),
            "country": lambda: public_holidays(self.country, ""),
            "days_off": lambda: worktime.days_off(self.days_off),
        }
        found = {field: problem for field, read in readers.items() if (problem := _problem(read))}
        if "country" not in found and (problem := _problem(lambda: public_holidays(self.country, self.subdivision))):
            found["subdivision"] = problem
        if found:
            raise ValidationError(found)


def _problem(read: Callable[[], Any]) -> str:
    try:
        read()
    except ValueError as error:
        return str(error)
    return ""


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            gettext("There is no time zone %(name)r: give one such as Europe/Vienna.") % {"name": name}
        ) from None


def public_holidays(country: str, subdivision: str) -> Callable[[date], str]:
    """Tells the name of the public holiday that a day is, in English where it is known; blank for other days. Raises
    `ValueError`.
    """
    if not country:
        if subdivision:
            raise ValueError(gettext("It is a subdivision of which country?"))
        return lambda _: ""
    _holidays_of(country, subdivision, 2000)  # raises what any year would
    return lambda day: _holidays_of(country, subdivision, day.year).get(day, "")


@cache
def _holidays_of(country: str, subdivision: str, year: int) -> Mapping[date, str]:
    try:
        import holidays  # an extra: only calendars with a country need it
    except ImportError:
        raise ValueError(
            gettext(
                "Public holidays need the package “holidays” (pip install holidays). Or write them as other days off."
            )
        ) from None
    known = holidays.list_supported_countries()
    if country not in known:  # the library would take other names of its own as well
        raise ValueError(_no_such_code(country, known))
    try:
        return dict(holidays.country_holidays(country, subdiv=subdivision or None, years=year, language="en_US"))
    except NotImplementedError:
        raise ValueError(_no_such_code(subdivision, known[country])) from None


def _no_such_code(code: str, known: Iterable[str]) -> str:
    return gettext("There is no code %(code)r.") % {"code": code} + suggestion(code, known)


def calendar_named(name: str) -> tuple[Calendar, str]:
    """The calendar of that name, the default one for a blank name, and all time by the site's clocks where there is neither;
    and what is wrong, where it is not the one that was meant. A mistake in a calendar must not keep a task from waiting.
    """
    every = BusinessCalendar.objects.all()
    found = every.filter(name=name).first() if name else None
    problem = _("There is no calendar %(name)r any more.") % {"name": name} + " " if name and found is None else ""
    found = found or every.filter(is_default=True).first()
    try:
        if found is not None:
            return found.worktime, problem
    except ValueError as error:
        problem += _("The calendar %(name)r is not right: %(error)s") % {"name": str(found), "error": error} + " "
    return Calendar.of_all_time(timezone.get_default_timezone()), problem

"""Business calendars: when people work."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import TextField
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from workflow import clock, moments, worktime
from workflow.admin import show
from workflow.admin.guarded import GuardedAdmin
from workflow.models import BusinessCalendar

EXAMPLES = ("4h", "1d", "5d")
YEAR = timedelta(days=366)


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(GuardedAdmin):
    """It shows what comes of a calendar, so that a mistake is seen before something is late by it."""

    list_display = ("name", "is_default", "time_zone", "hours", "country", "subdivision")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "is_default", "time_zone", "hours")}),
        (_("Days off"), {"fields": ("country", "subdivision", "days_off")}),
        (_("What comes of it"), {"fields": ("examples", "off_shown")}),
    )
    readonly_fields = ("examples", "off_shown")
    formfield_overrides: ClassVar = {TextField: {"widget": forms.Textarea(attrs={"rows": 4, "cols": 60})}}
    empty_list_text = _("There is no calendar yet, so all time counts.")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is not None else self.fieldsets[:-1]

    @admin.display(description=_("from now on"))
    def examples(self, calendar: BusinessCalendar) -> SafeString | str:
        try:
            counted = [worktime.add(calendar.worktime, clock.now(), worktime.span(span)).why for span in EXAMPLES]
        except ValueError as error:
            return str(error)
        return show.lines(counted)

    @admin.display(description=_("days off within a year"))
    def off_shown(self, calendar: BusinessCalendar) -> SafeString | str:
        try:
            when = calendar.worktime
        except ValueError as error:
            return str(error)
        today = when.day_of(clock.now())
        return show.lines(f"{moments.day(day)} {why}" for day, why in when.days_off(today, today + YEAR).items())

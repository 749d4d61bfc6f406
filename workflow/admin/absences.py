"""Absences: who is away, and who decides in their place."""

from django.contrib import admin

from workflow.admin.guarded import GuardedAdmin
from workflow.models import Absence


@admin.register(Absence)
class AbsenceAdmin(GuardedAdmin):
    list_display = ("user", "stand_in", "first_day", "last_day")
    list_select_related = ("user", "stand_in")
    raw_id_fields = ("user", "stand_in")
    date_hierarchy = "first_day"

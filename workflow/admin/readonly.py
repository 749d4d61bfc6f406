"""Admin pages of rows that people read, and never edit."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):
    """Nobody adds, changes or deletes these rows by hand, not even a superuser: only the engine writes history."""

    show_full_result_count = False
    list_per_page = 50

    class Media:
        css: ClassVar = {"all": ["workflow/admin.css", "workflow/diagram.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

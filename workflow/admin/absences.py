"""Absences: who is away, and who decides in their place; and who has entered that."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin.guarded import GuardedAdmin
from workflow.admin.readonly import ReadOnlyAdmin
from workflow.models import Absence, AbsenceChange
from workflow.origin import ADMIN
from workflow.people.absences import MANAGE, described


class AbsenceForm(forms.ModelForm):
    """An absence, entered by the user `by`: for themselves, unless they may do so for others."""

    by: Any

    class Meta:
        model = Absence
        fields = ("user", "stand_in", "first_day", "last_day")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = Absence.objects.filter(pk=self.instance.pk).first()
        if "user" in self.fields and not self.by.has_perm(MANAGE):
            self.fields["user"].initial = self.initial["user"] = self.by.pk
            self.fields["user"].disabled = True
            self.fields["user"].help_text = _(
                "Only those with the permission “Can enter, change and delete absences of other people” can choose another user."
            )

    def clean(self) -> dict[str, Any] | None:
        given = super().clean()
        if not self.errors:
            after = Absence(pk=self.instance.pk, **self.cleaned_data)
            if why_not := operations.why_not_absence(self.by, self._before, after):
                raise forms.ValidationError(why_not)
        return given


@admin.register(Absence)
class AbsenceAdmin(GuardedAdmin):
    form = AbsenceForm
    list_display = ("user", "stand_in", "first_day", "last_day")
    list_select_related = ("user", "stand_in")
    raw_id_fields = ("user", "stand_in")
    date_hierarchy = "first_day"

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002 - Django's
        made: Any = super().get_form(request, obj, change, **kwargs)
        return type(made.__name__, (made,), {"by": request.user})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        operations.save_absence(obj, request.user, via=ADMIN)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        operations.delete_absence(obj, request.user, via=ADMIN)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Absence]) -> None:
        for absence in queryset.order_by("pk"):
            operations.delete_absence(absence, request.user, via=ADMIN)


def _may_touch(request: HttpRequest, absence: Absence | None) -> bool:
    return absence is None or not operations.why_not_absence(request.user, absence, None)


@admin.register(AbsenceChange)
class AbsenceChangeAdmin(ReadOnlyAdmin):
    list_display = ("at", "who", "action", "state_before", "state_after")
    list_filter = ("action",)
    list_display_links = ("at",)
    empty_list_text = _("Nobody has entered an absence yet.")
    fields = ("at", "who", "how", "action", "state_before", "state_after", "absence")
    readonly_fields: ClassVar = fields
    number_field = "absence"

    @admin.display(description=_("by"), ordering="by")
    def who(self, change: AbsenceChange) -> str:
        return change.made.who

    @admin.display(description=_("how"))
    def how(self, change: AbsenceChange) -> str:
        return change.made.details or "-"

    @admin.display(description=_("before"))
    def state_before(self, change: AbsenceChange) -> str:
        return described(change.before) or "-"

    @admin.display(description=_("after"))
    def state_after(self, change: AbsenceChange) -> str:
        return described(change.after) or "-"

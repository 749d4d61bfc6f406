"""Notices: what people were told by e-mail, what is queued, and why something was not sent."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from workflow import clock, operations
from workflow.admin import show
from workflow.admin.guarded import GuardedAdmin
from workflow.admin.readonly import ReadOnlyAdmin
from workflow.mail import outbox
from workflow.mail.wishes import save_wish
from workflow.models import InstanceState, MailPreference, Notice, NoticeState
from workflow.people.rights import OPERATE

LOOKS = {
    NoticeState.QUEUED: InstanceState.WAITING,
    NoticeState.SPREAD: InstanceState.FINISHED,
    NoticeState.SENT: InstanceState.FINISHED,
    NoticeState.DROPPED: InstanceState.CANCELLED,
    NoticeState.GIVEN_UP: InstanceState.FAILED,
}
"""Which of the instances' badges a notice's state looks like."""


class TroubleFilter(admin.SimpleListFilter):
    """An alert: what could not be sent so far."""

    title = _("trouble")
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Not sent, for an error"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(state__in=(NoticeState.QUEUED, NoticeState.GIVEN_UP)).exclude(error="")


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("kind", "to", "about", "state_badge", "attempts", "since", "next_try", "short_error")
    inside = ("error",)
    list_filter = (TroubleFilter, "state", "kind")
    search_help_text = _("The number of an instance, or a part of a user's name or, for operators, of an error.")
    number_field = "task_run__instance"
    heavy = ("task_run__snapshot", "task_run__log", "task_run__result", "task_run__changes")
    empty_list_text = _("Nobody was told anything yet.")
    actions = ("send_again",)
    fields = (
        "kind",
        "to",
        "about",
        "state_badge",
        "text",
        "attempts",
        "created_at",
        "due_at",
        "sent_at",
        "error",
        "key",
    )
    readonly_fields = ("to", "about", "state_badge")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # In one query with the run, which may be gone: no constraint keeps it.
        return super().get_queryset(request).select_related("user", "task_run")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        inside = self.inside if operations.sees_inside(request.user) else ()
        return ("key", f"user__{get_user_model().USERNAME_FIELD}", *inside)

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = self.list_display
        return shown if operations.sees_inside(request.user) else [name for name in shown if name != "short_error"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        is_inside = operations.sees_inside(request.user)
        return [name for name in self.fields if is_inside or name not in self.inside]

    @admin.display(description=_("to"), ordering="user")
    def to(self, notice: Notice) -> str:
        return str(notice.user) if notice.user is not None else gettext("all whom the task asks")

    @admin.display(description=_("about"))
    def about(self, notice: Notice) -> SafeString | str:
        if notice.absence_change_id is not None:
            return show.link(self.admin_site, "absencechange", notice.absence_change_id, gettext("an absence"))
        run = notice.task_run
        if run is None:
            return "-"
        return show.link(self.admin_site, "runningprocesses", run.instance_id, f"{run.task_name} {run.instance_id}")

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, notice: Notice) -> SafeString:
        state = NoticeState(notice.state)
        return show.state(LOOKS[state], state.label)

    @admin.display(description=_("since"), ordering="created_at")
    def since(self, notice: Notice) -> str:
        return show.time(notice.created_at)

    @admin.display(description=_("next try"), ordering="due_at")
    def next_try(self, notice: Notice) -> str:
        return show.time(notice.due_at)

    @admin.display(description=_("error"))
    def short_error(self, notice: Notice) -> str:
        return Truncator(notice.error).chars(100) or "-"

    @admin.action(description=_("Try again what was given up"), permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        count = outbox.revive(queryset.values_list("pk", flat=True), clock.now())
        told = ngettext("%(count)d is tried again.", "%(count)d are tried again.", count)
        messages.success(request, told % {"count": count})

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(OPERATE))


@admin.register(MailPreference)
class MailPreferenceAdmin(GuardedAdmin):
    list_display = ("user", "wish", "digest_hour", "time_zone", "language")
    list_select_related = ("user",)
    raw_id_fields = ("user",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        save_wish(obj, clock.now())

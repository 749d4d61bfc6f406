"""Task runs: the history of all instances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import operations
from workflow.admin import relatives, show
from workflow.admin.readonly import ProcessNameFilter, ReadOnlyAdmin
from workflow.code.ledger import written
from workflow.models import ActionCall, Decision, RunningProcesses, TaskRun
from workflow.origin import Origin
from workflow.people.visible import data_for_people

CALLS_SHOWN = 100
CHILDREN_SHOWN = 100
UNANSWERED = "Unanswered"
"""The type of error of a call that its task has not waited for to the end."""


@dataclass(frozen=True)
class _Call:
    """One line of the ledger, which an operator reads before a retry. Others see neither values nor errors (`inside`)."""

    call: ActionCall
    children: Sequence[tuple[RunningProcesses, SafeString]] = ()
    inside: bool = False

    @property
    def written(self) -> str:
        return written(self.call.name, self.call.arguments) if self.inside else f"{self.call.name}(…)"

    @property
    def outcome(self) -> SafeString | str:
        if self.call.ended_at is None:
            return gettext("waits")
        if not self.inside:
            return gettext("This call failed.") if self.call.error else "-"
        if self.call.error and self.call.error["type"] == UNANSWERED:
            return gettext("No answer: the task ended while this waited.")
        return show.error(self.call.error) if self.call.error else show.json(self.call.result)


@dataclass(frozen=True)
class _Vote:
    """What one person decided, and what of. Of the data, only operators see more than forms have asked (`inside`)."""

    vote: Decision
    inside: bool = False

    @property
    def answers(self) -> SafeString | str:
        return show.json(self.vote.answers) if self.vote.answers else "-"

    @property
    def saw(self) -> SafeString:
        return show.json(self.vote.saw if self.inside else self._saw_of_forms)

    @property
    def _saw_of_forms(self) -> dict[str, Any]:
        saw, definition = self.vote.saw, self.vote.task_run.instance.version.frozen
        return {**saw, "data": data_for_people(saw.get("data"), definition)} if isinstance(saw, dict) else {}


class InstanceProcessFilter(ProcessNameFilter):
    """By the process of the instance that it was run for."""

    field = "instance__process_name"


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnlyAdmin):
    list_display = ("task_name", "instance_link", "sequence", "state_badge", "started", "ended")
    list_filter = ("state", InstanceProcessFilter)
    list_select_related = ("instance",)
    search_fields = ("task_name",)
    search_help_text = _("The number of an instance, or a part of the task's name.")
    number_field = "instance"
    inside = ("result", "changes", "log", "error", "snapshot")
    heavy = ("result", "changes", "log", "error", "snapshot", "instance__data", "instance__results", "instance__error")
    empty_list_text = _("No task has run yet. An engine (manage.py runengine) runs what has been started.")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "instance_link",
                    "sequence",
                    "external_key",
                    "state_badge",
                    "attempt",
                    "started_at",
                    "ended_at",
                    "due_at",
                    "deadline",
                )
            },
        ),
        (_("What came of it"), {"fields": ("result_shown", "error_shown", "changes_shown", "log_shown")}),
        (_("Decision"), {"fields": ("decider", "comment")}),
    )
    readonly_fields = (
        "instance_link",
        "external_key",
        "state_badge",
        "decider",
        "result_shown",
        "error_shown",
        "changes_shown",
        "log_shown",
    )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        run, inside = context["original"], operations.sees_inside(request.user)
        calls = run.calls.order_by("-number", "-attempt")[: CALLS_SHOWN + 1]
        shown = list(calls)
        children = relatives.of_calls([call.pk for call in shown], most=CHILDREN_SHOWN + 1)
        has_more_children = sum(map(len, children.values())) > CHILDREN_SHOWN
        context.update(
            all_children=show.list_address(self.admin_site, "runningprocesses", above=run.instance_id)
            if has_more_children
            else "",
            calls=[_Call(call, children.get(call.pk, ()), inside) for call in shown[:CALLS_SHOWN]],
            has_more_calls=len(shown) > CALLS_SHOWN,
            votes=[_Vote(vote, inside) for vote in run.decisions.select_related("user", "on_behalf_of")],
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the decision, where there was nothing to decide, and without a deadline, where there is none; and, for all but
        operators, without what came of it.
        """
        is_decided = obj is not None and (obj.decision != Origin() or obj.comment)
        (head, options), outcome, decision = self.fieldsets
        more = [outcome] if operations.sees_inside(request.user) else []
        more += [decision] if is_decided else []
        has_deadline = obj is not None and obj.deadline is not None
        fields = tuple(field for field in options["fields"] if has_deadline or field != "deadline")
        return [(head, {**options, "fields": fields}), *more]

    @admin.display(description=_("key"))
    def external_key(self, run: TaskRun) -> str:
        return run.external_key

    @admin.display(description=_("started"), ordering="started_at")
    def started(self, run: TaskRun) -> str:
        return show.time(run.started_at)

    @admin.display(description=_("ended"), ordering="ended_at")
    def ended(self, run: TaskRun) -> str:
        return show.time(run.ended_at)

    @admin.display(description=_("decided by"))
    def decider(self, run: TaskRun) -> SafeString:
        return show.origin(run.decision)

    @admin.display(description=_("instance"), ordering="instance")
    def instance_link(self, run: TaskRun) -> SafeString:
        return show.link(self.admin_site, "runningprocesses", run.instance_id, run.instance)

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, run: TaskRun) -> SafeString:
        return show.state(run.state, run.get_state_display())

    @admin.display(description=_("result"))
    def result_shown(self, run: TaskRun) -> SafeString:
        return show.json(run.result)

    @admin.display(description=_("changes to the data"))
    def changes_shown(self, run: TaskRun) -> SafeString | str:
        return show.json(run.changes) if run.changes else "-"

    @admin.display(description=_("log"))
    def log_shown(self, run: TaskRun) -> SafeString | str:
        return show.text(run.log)

    @admin.display(description=_("error"))
    def error_shown(self, run: TaskRun) -> SafeString | str:
        return show.error(run.error)

"""The page on which an operator steps in: cancel, pause, resume, retry, restart, skip, or go to a step."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import operators, values
from workflow.admin import show
from workflow.errors import WorkflowError
from workflow.models import RunningProcesses
from workflow.operators import Action
from workflow.origin import ADMIN
from workflow.people.overriding import listed, passed_over_by_each
from workflow.people.rights import why_not_operate

if TYPE_CHECKING:
    from workflow.admin.instances import RunningProcessesAdmin

WORDS = {
    Action.CANCEL: _("Cancel: end it, and take back what waits for people"),
    Action.PAUSE: _("Pause: hold it until it is resumed"),
    Action.RESUME: _("Resume: let it go on"),
    Action.RETRY: _("Retry: try the failed task again, from the call that failed"),
    Action.RESTART: _("Restart: try the failed task again from its start, with all its calls"),
    Action.SKIP: _("Skip: take the failed task for done, with the result below"),
    Action.GOTO: _("Go to the step below"),
}


class StepInForm(forms.Form):
    """What to do, and why."""

    action = forms.ChoiceField(label=_("What to do"), widget=forms.RadioSelect)
    step = forms.TypedChoiceField(label=_("Step"), coerce=int, required=False, empty_value=None)
    result = forms.CharField(
        label=_("Result"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false", "class": "workflow-code"}),
        help_text=_("JSON; what a skipped task is taken to have returned. Blank: nothing."),
    )
    reason = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text=_(
            "To skip a task that nobody has decided, or to go past it, give a reason. You need the permission “Can send "
            "instances past tasks that people have not decided”."
        ),
    )

    def __init__(self, *args: Any, possible: list[Action], steps: Mapping[int, Sequence[str]], **kwargs: Any) -> None:
        """`steps` are those to go to, each with the tasks that it would pass over."""
        super().__init__(*args, **kwargs)
        actions, numbers = self.fields["action"], self.fields["step"]
        assert isinstance(actions, forms.ChoiceField)
        assert isinstance(numbers, forms.ChoiceField)
        actions.choices = [(action.value, WORDS[action]) for action in possible]
        numbers.choices = [("", "-"), *((step, _step(step, tasks)) for step, tasks in steps.items())]

    def clean_result(self) -> Any:
        text = self.cleaned_data["result"]
        try:
            return values.loads(text) if text else None
        except values.ValueProblem as problem:
            raise forms.ValidationError(str(problem)) from problem


def _step(step: int, passes_over: Sequence[str]) -> str:
    if not passes_over:
        return str(step)
    return gettext("%(step)s, passing over %(tasks)s") % {"step": step, "tasks": listed(passes_over)}


def may(request: HttpRequest, instance: RunningProcesses) -> bool:
    """Whether the user may step in there."""
    return not why_not_operate(request.user, instance)


def view(admin: "RunningProcessesAdmin", request: HttpRequest, key: int) -> HttpResponse:
    """Show what has happened, ask what to do, and do it on a POST."""
    user: Any = request.user
    if not user.has_perm(operators.PERMISSION):
        raise PermissionDenied
    instance = RunningProcesses.objects.filter(pk=key).first()
    if instance is None:
        raise Http404
    if why_not := why_not_operate(user, instance):
        return _page(admin, request, instance, {"why_not": why_not}, status=403)
    possible = [action for action in Action if operators.is_possible(instance, action)]
    steps = passed_over_by_each(instance) if Action.GOTO in possible else {}
    chosen = _chosen(request.GET)
    sent = request.POST if request.method == "POST" else None
    form = StepInForm(sent, possible=possible, steps=steps, initial=chosen)
    if form.is_valid() and _performed(request, instance, form):
        return redirect(show.address(admin.admin_site, "runningprocesses", key))
    context = {
        "possible": possible,
        "form": form,
        "plans": [
            *(
                (WORDS[action], operators.plan(key, action))
                for action in (Action.RETRY, Action.RESTART)
                if action in possible
            ),
            *_plan_to(instance, steps, (sent or chosen).get("step")),
        ],
        "skips": operators.plan(key, Action.SKIP).passes_over if Action.SKIP in possible else (),
    }
    return _page(admin, request, instance, context)


def _plan_to(
    instance: RunningProcesses, steps: Collection[int], chosen: str | None
) -> list[tuple[str, operators.Plan]]:
    """What it would do to go to the step that is chosen; to the step that it is at, where that does something again."""
    step = next((step for step in steps if str(step) == chosen), instance.step)
    if step not in steps:
        return []
    plan = operators.plan(instance.pk, Action.GOTO, to=step)
    if not (plan.again or plan.warnings or str(step) == chosen):
        return []
    return [(gettext("Go to step %(step)s") % {"step": step}, plan)]


def _chosen(query: Mapping[str, str]) -> dict[str, str | None]:
    """What a link says that the page is for: `?action=cancel`, or the step to go to, `?to=20`."""
    step = query.get("to")
    return {"action": query.get("action") or (Action.GOTO if step else None), "step": step}


def _page(
    admin: "RunningProcessesAdmin",
    request: HttpRequest,
    instance: RunningProcesses,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    around = {
        **admin.admin_site.each_context(request),
        "title": gettext("Step in: %(instance)s") % {"instance": instance},
        "instance": instance,
        "opts": admin.opts,
        "media": admin.media,
    }
    return TemplateResponse(request, "admin/workflow/step_in.html", {**around, **context}, status=status)


def _performed(request: HttpRequest, instance: RunningProcesses, form: StepInForm) -> bool:
    given = form.cleaned_data
    action = Action(given["action"])
    try:
        changed = operators.perform(
            instance.pk,
            action,
            by=request.user,
            reason=given["reason"],
            to=given["step"] if action == Action.GOTO else None,
            result=given["result"],
            via=ADMIN,
        )
    except WorkflowError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, gettext("It is %(state)s.") % {"state": changed.get_state_display()})
    return True

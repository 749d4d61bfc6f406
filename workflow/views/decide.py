"""The page on which one task is decided: what it is about, what is asked, where the instance is, and what was before.

A GET changes nothing. A page that is stale, or sent twice, decides nothing: it is told what has happened meanwhile.
"""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from workflow import clock, operations
from workflow.deciding import Bar, May
from workflow.errors import AlreadyDecided, BadData, NotAllowed, Stale
from workflow.forms import AnswersForm
from workflow.models import Decision, Intervention, TaskRun, WaitingForApproval
from workflow.origin import PAGE
from workflow.picture import newest_of_each_row, picture_of
from workflow.views.base import PageView
from workflow.views.facts import facts, full_name
from workflow.views.found import found_run, told
from workflow.views.subject import subject
from workflow.views.votes import votes_on

HISTORY_SHOWN = 20


class CommentForm(forms.Form):
    """Why something is approved or rejected."""

    comment = forms.CharField(
        label=_("Comment"), required=False, max_length=2_000, widget=forms.Textarea(attrs={"rows": 3})
    )


class DecideView(PageView):
    place = "inbox"

    def get(self, request: HttpRequest, key: int) -> HttpResponse:
        run, waiting = found_run(request.user, key)
        if waiting is None:
            return self._gone(run)
        asked = AnswersForm(waiting.fields, by=request.user, known=waiting.rpid.data, prefix="answer")
        return self._page(waiting, CommentForm(), asked)

    def post(self, request: HttpRequest, key: int) -> HttpResponse:
        run, waiting = found_run(request.user, key)
        if waiting is None:
            return self._gone(run, status=409)
        verb = request.POST.get("decision", "")
        if verb not in {"approve", "reject"}:
            return self.refuse(gettext("Press “Approve” or “Reject”. Nothing was changed."), status=400)
        self._refuse(waiting)  # before a file is kept that comes with the form
        comment = CommentForm(request.POST)
        asked = AnswersForm(
            *(waiting.fields, request.POST, request.FILES),
            by=request.user,
            is_partial=verb == "reject",
            known=waiting.rpid.data,
            prefix="answer",
        )
        with asked:
            if not (comment.is_valid() & asked.is_valid()):
                return self._page(waiting, comment, asked, status=422)
            return self._decide(waiting, verb, comment, asked)

    def _refuse(self, waiting: WaitingForApproval) -> None:
        if why := operations.why_not(self.request.user, waiting, to_them=True):
            is_voted = operations.Rights.kept(self.request.user).to(waiting) is Bar.VOTED
            raise AlreadyDecided(why) if is_voted else NotAllowed(why)

    def _decide(self, waiting: WaitingForApproval, verb: str, comment: CommentForm, asked: AnswersForm) -> HttpResponse:
        operation = operations.approve if verb == "approve" else operations.reject
        try:
            run = operation(
                waiting,
                by=self.request.user,
                comment=comment.cleaned_data["comment"].strip(),
                answers=asked.answers,
                seen=self.request.POST.get("seen", ""),
                via=PAGE,
            )
        except Stale as error:
            comment.add_error(None, str(error))
            _, fresh = found_run(self.request.user, waiting.task_run_id)
            return self._page(fresh or waiting, comment, asked, status=409)
        except BadData as error:
            asked.add_error(None, str(error))
            return self._page(waiting, comment, asked, status=422)
        except AlreadyDecided:
            run, still = found_run(self.request.user, waiting.task_run_id)
            if still is not None:  # their own vote was counted already
                raise
            return self._gone(run, status=409)
        return self._done(waiting, run, verb)

    def _done(self, waiting: WaitingForApproval, run: TaskRun, verb: str) -> HttpResponse:
        done = gettext("You approved {} of {}.") if verb == "approve" else gettext("You rejected {} of {}.")
        link = format_html(
            '<a href="{}">{}</a>',
            reverse("workflow:decide", args=[run.pk]),
            gettext("“%(name)s”") % {"name": waiting.task_name},
        )
        messages.success(self.request, format_html(done, link, f"{waiting.process_name} {waiting.rpid_id}"))
        return redirect("workflow:inbox")

    def _gone(self, run: TaskRun, *, status: int = 200) -> HttpResponse:
        return self.page("decided.html", status=status, **told(run, self.request.user))

    def _page(
        self, waiting: WaitingForApproval, comment: CommentForm, asked: AnswersForm, *, status: int = 200
    ) -> HttpResponse:
        user, instance = self.request.user, waiting.rpid
        definition = instance.version.frozen
        right = operations.Rights.kept(user).to(waiting)
        now, votes = clock.now(), votes_on(waiting)
        return self.page(
            "decide.html",
            status=status,
            title=waiting.task_name,
            waiting=waiting,
            instance=instance,
            run=waiting.task_run,
            may_decide=isinstance(right, May),
            why_not=operations.why_not(user, waiting, to_them=True),
            on_behalf_of=_on_behalf_of(right, user),
            is_mine=waiting.claimed_by_id == user.pk,
            is_overdue=waiting.is_overdue(now),
            missing=waiting.quorum - waiting.votes,
            why_due=operations.why_due(waiting),
            coming=_coming(waiting),
            instructions=operations.instructions_html(waiting),
            facts=facts(operations.data_for(user, instance), definition),
            subject=subject(instance),
            comment=comment,
            asked=asked,
            errors=_errors(comment, asked),
            seen=operations.seen_token(waiting),
            diagram=picture_of(instance, newest_of_each_row(instance), inside=operations.sees_inside(user)),
            votes=votes,
            answered=[vote for vote in votes if vote.answers.value],
            history=_history(waiting),
        )


def _coming(waiting: WaitingForApproval) -> list[tuple[datetime, str]]:
    """What comes if nobody decides; of several reminders the next."""
    found: dict[str, datetime] = {}
    for event in waiting.events:
        found.setdefault(operations.what_comes(event), event.at)
    return [(at, what) for what, at in found.items()]


def _on_behalf_of(right: Any, user: Any) -> str:
    """For whom the user would decide, if not in a right of their own."""
    if not isinstance(right, May) or right.on_behalf_of is None:
        return ""
    absent = operations.Rights.kept(user).absent
    return next((full_name(person) for person in absent if person.pk == right.on_behalf_of), "")


def _errors(comment: CommentForm, asked: AnswersForm) -> list[tuple[str, str, str]]:
    """Each error with the field that it is at, as the label and the id of that; both blank where it is at none."""
    found = [("", "", str(error)) for form in (comment, asked) for error in form.non_field_errors()]
    for form in (asked, comment):
        found += [(str(field.label), field.id_for_label, str(error)) for field in form for error in field.errors]
    return found


def _history(waiting: WaitingForApproval) -> list[dict[str, Any]]:
    """The newest decisions of the instance, and what was handed on, newest first."""
    decisions = Decision.objects.filter(task_run__instance=waiting.rpid).select_related(
        "user", "on_behalf_of", "task_run"
    )
    heavy = ("answers", "saw", *(f"task_run__{name}" for name in ("snapshot", "log", "changes", "result")))
    notes = Intervention.objects.filter(instance=waiting.rpid, action="delegate").select_related("by")
    entries: list[dict[str, Any]] = [
        {"at": one.at, "decision": one} for one in decisions.defer(*heavy).order_by("-pk")[:HISTORY_SHOWN]
    ]
    entries += [{"at": one.at, "note": one} for one in notes.order_by("-pk")[:HISTORY_SHOWN]]
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)[:HISTORY_SHOWN]

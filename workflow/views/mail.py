"""Pages that e-mails lead to: where a person confirms what they decide, and says how they want to be told."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.generic.base import View

from workflow import clock, conf, operations
from workflow.errors import BadData, NotAllowed, Stale, WorkflowError
from workflow.forms import AnswersForm
from workflow.mail import links
from workflow.mail.links import Opened
from workflow.mail.wishes import save_wish, wish_of
from workflow.models import MailPreference, MailWish
from workflow.origin import LINK, PAGE
from workflow.people.visible import data_for_people
from workflow.views.base import PageView, status_of
from workflow.views.facts import facts
from workflow.views.votes import votes_on

HEADERS = {
    "Cache-Control": "no-store",
    # Nothing of the address is told to anybody, not even to this site, whose server may write it down. Not "no-referrer":
    # browsers then send forms from nowhere ("Origin: null"), which the protection against forged ones must refuse.
    "Referrer-Policy": "strict-origin",
    "X-Robots-Tag": "noindex, nofollow",
}

PREFIX = "answer"
"""Of the form's fields: a process can call one of them "comment"."""


class DecideByLinkView(PageView):
    """Where a person confirms what they decide, who has come by a link of an e-mail.

    Looking at it changes nothing, as programs look at links, too, that check mail. The link says who decides; members of
    staff must log in besides, and so must all by the setting `MAIL_LINK_LOGIN`.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = self._response(request, *args, **kwargs)
        except WorkflowError as error:
            response = self.refuse(str(error), status=status_of(error))
        for name, value in HEADERS.items():
            response.headers[name] = value
        return response

    def _response(self, request: HttpRequest, token: str) -> Any:
        self.opened = links.opened(token)
        if request.user.is_authenticated and request.user != self.opened.user:
            raise NotAllowed(_not_yours(request.user, self.opened))
        if not request.user.is_authenticated and _needs_login(self.opened.user):
            # To the task's own page: whoever has logged in needs no token, which would stand in one more address.
            return redirect_to_login(reverse("workflow:decide", args=[self.opened.waiting.task_run_id]))
        return View.dispatch(self, request)  # past what asks everybody to log in

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._confirm(request, self._asked())

    def post(self, request: HttpRequest) -> HttpResponse:
        approved = request.POST.get("decision") == "approve"
        if not approved and request.POST.get("decision") != "reject":
            raise BadData(_("Say whether you approve or reject it. Nothing was changed."))
        with self._asked(request.POST, request.FILES, is_partial=not approved) as form:
            if not form.is_valid():
                return self._confirm(request, form, status=422)
            return self._decide(request, form, approved=approved)

    def _decide(self, request: HttpRequest, form: AnswersForm, *, approved: bool) -> HttpResponse:
        waiting, user = self.opened.waiting, self.opened.user
        decide = operations.approve if approved else operations.reject
        try:
            decide(
                waiting,
                by=user,
                comment=request.POST.get("comment", ""),
                answers=form.answers,
                seen=request.POST.get("seen", ""),
                via=PAGE if request.user.is_authenticated else LINK,
            )
        except (BadData, Stale) as error:
            form.add_error(None, str(error))
            return self._confirm(request, form, status=status_of(error))
        title = _("Approved") if approved else _("Rejected")
        return self.page("decided_by_link.html", title=title, waiting=waiting, approved=approved)

    def _asked(self, *sent: Any, is_partial: bool = False) -> AnswersForm:
        waiting = self.opened.waiting
        known = waiting.rpid.data
        return AnswersForm(
            waiting.fields, *sent, by=self.opened.user, is_partial=is_partial, known=known, prefix=PREFIX
        )

    def _confirm(self, request: HttpRequest, form: AnswersForm, *, status: int = 200) -> HttpResponse:
        waiting = self.opened.waiting
        definition = waiting.rpid.version.frozen
        return self.page(
            "decide_by_link.html",
            status=status,
            title=waiting.task_name,
            who=self.opened.user,
            missing=waiting.quorum - waiting.votes,
            waiting=waiting,
            instructions=operations.instructions_html(waiting),
            facts=facts(data_for_people(waiting.rpid.data, definition), definition),
            answered=[vote for vote in votes_on(waiting) if vote.answers.value],
            form=form,
            comment=request.POST.get("comment", ""),
            seen=operations.seen_token(waiting),
            is_overdue=waiting.is_overdue(clock.now()),
        )


def _needs_login(user: Any) -> bool:
    return bool(conf.get("MAIL_LINK_LOGIN") or user.is_staff or user.is_superuser)


def _not_yours(user: Any, opened: Opened) -> str:
    return _("The link is for %(owner)s, and you are logged in as %(user)s. Nothing was changed.") % {
        "owner": opened.user.get_username(),
        "user": user.get_username(),
    }


class MailPreferencesForm(forms.ModelForm):
    """How somebody wants to be told of what waits for them."""

    class Meta:
        model = MailPreference
        fields = ("wish", "digest_hour")
        widgets = {"wish": forms.RadioSelect}  # noqa: RUF012 - Django reads it


class MailPreferencesView(PageView):
    """Where a person says how they want to be told. The language and the time zone are those of the page that they see."""

    place = "mail"
    title = gettext_lazy("E-mail")

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(MailPreferencesForm(instance=self._preference(request)))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = MailPreferencesForm(request.POST, instance=self._preference(request))
        if not form.is_valid():
            return self._page(form, status=422)
        preference = form.save(commit=False)
        preference.language = get_language() or ""
        preference.time_zone = timezone.get_current_timezone_name()
        save_wish(preference, clock.now())
        messages.success(request, _("That is how you will be told from now on."))
        return redirect("workflow:mail_preferences")

    def _preference(self, request: HttpRequest) -> MailPreference:
        user: Any = request.user
        wish = wish_of(user)
        found = MailPreference.objects.filter(user=user).first()
        return found or MailPreference(user=user, wish=wish.wish, digest_hour=wish.digest_hour)

    def _page(self, form: MailPreferencesForm, *, status: int = 200) -> HttpResponse:
        user: Any = self.request.user
        return self.page(
            "mail_preferences.html",
            status=status,
            form=form,
            address=getattr(user, user.get_email_field_name(), ""),
            zone=timezone.get_current_timezone_name(),
            is_on=conf.get("MAIL"),
            digest=MailWish.DIGEST,
        )

"""Users in the admin: who deactivates one is told what waits for them, and who deletes one what depends on them."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from workflow.admin import show
from workflow.models import Notice, WaitingForApproval
from workflow.people.leaving import dependences, why_not_delete


class TellsWhatWaits(admin.ModelAdmin):
    """For the admin of users: it warns where tasks wait for one who is deactivated, and leads to them; and it deletes nobody on whom
    open work depends.
    """

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """With what keeps users from being deleted, which Django then lists, and offers no button."""
        deleted, counts, missing, protected = super().get_deleted_objects(objs, request)
        # What is still to be told to a user goes with them. Nobody else deletes it, so it would keep every user.
        missing.discard(Notice._meta.verbose_name)
        return deleted, counts, missing, [*protected, *_kept(objs)]

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return _or_why_not(request, lambda: super(TellsWhatWaits, self).delete_view(request, object_id, extra_context))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return _or_why_not(request, lambda: super(TellsWhatWaits, self).changelist_view(request, extra_context))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            tell_what_waits(request, obj, self.admin_site)


def _or_why_not(request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
    """The view's response; or why it deleted nobody, if open work depends on somebody only since their page was looked at."""
    if request.method != "POST":
        return view()
    try:
        with transaction.atomic():  # Django logs what it is about to delete
            return view()
    except (ProtectedError, RestrictedError) as error:
        messages.error(request, error.args[0])
        return redirect(request.get_full_path())


def _kept(users: Any) -> Iterator[str]:
    for user in users:
        if found := dependences(user):
            yield why_not_delete(user, found)
            yield from (str(one) for each in found for one in each.objects)


def tell_what_waits(request: HttpRequest, user: Any, site: admin.AdminSite) -> None:
    """Say what still asks the user, and how much of it nobody can decide any more; with a link, where the site lists it."""
    asked = WaitingForApproval.objects.asking([user])
    count = asked.count()
    if not count:
        return
    stuck = asked.undecidable().count()
    text = ngettext(
        "%(count)d task waits for %(user)s, who is not active any more;",
        "%(count)d tasks wait for %(user)s, who is not active any more;",
        count,
    ) % {"count": count, "user": user}
    text += " " + (_("of %(stuck)d nobody is left.") % {"stuck": stuck} if stuck else _("others can decide them."))
    known = site.is_registered(WaitingForApproval)
    link = show.list_link(site, "waitingforapproval", _("Show them"), user=user.pk) if known else ""
    messages.warning(request, format_html("{} {}", text, link))


def extend_user_admin() -> None:
    """Have Django's own admin of users do it. A project with another one puts `TellsWhatWaits` before it by itself."""
    model = get_user_model()
    if model is not User:
        return
    from django.contrib.auth import admin as registers_it  # noqa: F401 - our app may stand before Django's

    registered = type(admin.site.get_model_admin(model))
    admin.site.unregister(model)
    admin.site.register(model, type(registered.__name__, (TellsWhatWaits, registered), {}))


extend_user_admin()

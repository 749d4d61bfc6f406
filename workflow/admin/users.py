"""Who deactivates a user is told what waits for them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from workflow.admin import show
from workflow.models import WaitingForApproval


class TellsWhatWaits(admin.ModelAdmin):
    """For the admin of users: it warns where tasks wait for one who is deactivated, and leads to them."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data and not obj.is_active:
            tell_what_waits(request, obj, self.admin_site)


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

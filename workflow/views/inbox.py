"""What waits for the user."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from workflow.views.base import PageView


class InboxView(PageView):
    place = "inbox"
    title = _("Inbox")

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        return self.page("inbox.html")


class CountView(PageView):
    """The number beside the inbox in the navigation, which pages ask for again from time to time."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        return self.page("count.html")

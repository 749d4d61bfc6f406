"""The addresses of the pages for people. Include them at a place of yours: `path("", include("workflow.urls"))`."""

from django.urls import path

from workflow.views.inbox import CountView, InboxView
from workflow.views.mail import DecideByLinkView, MailPreferencesView

app_name = "workflow"
urlpatterns = [
    path("", InboxView.as_view(), name="inbox"),
    path("inbox/count/", CountView.as_view(), name="inbox_count"),
    path("decide/<str:token>/", DecideByLinkView.as_view(), name="decide_by_link"),
    path("mail/", MailPreferencesView.as_view(), name="mail_preferences"),
]

"""The addresses of the pages for people. Include them at a place of yours: `path("", include("workflow.urls"))`."""

from django.urls import path

from workflow.views.inbox import CountView, InboxView

app_name = "workflow"
urlpatterns = [
    path("", InboxView.as_view(), name="inbox"),
    path("inbox/count/", CountView.as_view(), name="inbox_count"),
]

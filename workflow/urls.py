"""The addresses of the pages for people. Include them at a place of yours: `path("", include("workflow.urls"))`."""

from django.urls import path

from workflow.views.decide import DecideView
from workflow.views.files import FileView
from workflow.views.hand import ClaimView, DelegateView, PeopleView, ReleaseView
from workflow.views.inbox import CountView, InboxView
from workflow.views.instances import ChildrenView, EarlierView, InstanceView, NewsView
from workflow.views.mail import DecideByLinkView, MailPreferencesView
from workflow.views.mine import MineView
from workflow.views.several import SeveralView
from workflow.views.starting import StartListView, StartView

app_name = "workflow"
urlpatterns = [
    path("", InboxView.as_view(), name="inbox"),
    path("inbox/count/", CountView.as_view(), name="inbox_count"),
    path("decide/<str:token>/", DecideByLinkView.as_view(), name="decide_by_link"),
    path("mail/", MailPreferencesView.as_view(), name="mail_preferences"),
    path("inbox/decide/", SeveralView.as_view(), name="decide_several"),
    # A task is named by its task run, which stays when it is decided.
    path("waiting/<int:key>/", DecideView.as_view(), name="decide"),
    path("waiting/<int:key>/claim/", ClaimView.as_view(), name="claim"),
    path("waiting/<int:key>/release/", ReleaseView.as_view(), name="release"),
    path("waiting/<int:key>/delegate/", DelegateView.as_view(), name="delegate"),
    path("start/", StartListView.as_view(), name="start"),
    path("start/<int:key>/", StartView.as_view(), name="start_process"),
    path("mine/", MineView.as_view(), name="mine"),
    path("instances/<int:key>/", InstanceView.as_view(), name="instance"),
    path("instances/<int:key>/news/", NewsView.as_view(), name="instance_news"),
    path("instances/<int:key>/earlier/", EarlierView.as_view(), name="instance_earlier"),
    path("instances/<int:key>/children/", ChildrenView.as_view(), name="instance_children"),
    path("people/", PeopleView.as_view(), name="people"),
    path("files/<int:key>/", FileView.as_view(), name="file"),
]

"""The site's addresses, with two admins: only the second one knows the app."""

from django.contrib import admin
from django.urls import include, path

from config import urls
from tests.uuid_users.admin import office

urlpatterns = [
    path("django-admin/", admin.site.urls),
    path("admin/", office.urls),
    path("", include(urls.urlpatterns[1:])),
]

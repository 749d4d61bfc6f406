"""Another admin than Django's own has the app's models, and Django's own has none of them."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group

import workflow.admin  # noqa: F401 - registers its models with Django's own
from tests.uuid_users.models import Member
from workflow.admin.users import TellsWhatWaits

office = admin.AdminSite(name="office")

for model, model_admin in list(admin.site._registry.items()):
    if model._meta.app_label == "workflow":
        admin.site.unregister(model)
        office.register(model, type(model_admin))
office.register(Group, GroupAdmin)


@admin.register(Member, site=office)
class MemberAdmin(TellsWhatWaits):
    search_fields = ("email",)
    fields = ("email", "address", "is_active", "is_staff")

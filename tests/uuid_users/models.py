"""The users of `tests.settings_uuid`."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class MemberManager(BaseUserManager["Member"]):
    """Makes users as Django's own does, so that tests need not know whose users they make."""

    def create_user(self, name: str, password: str | None = None, **fields: Any) -> "Member":
        for one in ("first_name", "last_name"):
            fields.pop(one, None)
        if "email" in fields:
            fields["address"] = fields.pop("email")
        member = self.model(email=name, **fields)
        member.set_password(password)
        member.save()
        return member

    def create_superuser(self, name: str, password: str | None = None, **fields: Any) -> "Member":
        return self.create_user(name, password, **{"is_staff": True, "is_superuser": True, **fields})


class Member(AbstractBaseUser, PermissionsMixin):
    """Somebody who logs in with an e-mail address.

    That is a text here, so that tests can call people by short names; `address` is where mail goes.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.CharField(max_length=150, unique=True)
    address = models.CharField(max_length=254, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = MemberManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "address"
    REQUIRED_FIELDS: ClassVar = []

    def __str__(self) -> str:
        return self.email

"""Who can log in to the demo. These log-ins exist only where `manage.py demo` made them."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

DOMAIN = "demo.example"
"""Tells the people of the demo from everybody else, by their mail address."""

START = "add_runningprocesses"
"""The permission to start what does not say who may start it."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """A log-in, and what it is good for."""

    login: str
    first_name: str
    last_name: str
    role: str
    groups: tuple[str, ...] = ()
    superuser: bool = False


PEOPLE = (
    Person(
        login="admin",
        first_name="Ada",
        last_name="Admin",
        role="may do everything: define processes, write code, decide for anybody",
        superuser=True,
    ),
    Person(login="anna", first_name="Anna", last_name="Huber", role="claims expenses"),
    Person(login="mark", first_name="Mark", last_name="Weber", role="approves as a manager", groups=("managers",)),
    Person(login="fiona", first_name="Fiona", last_name="Lang", role="approves for finance", groups=("finance",)),
    Person(login="felix", first_name="Felix", last_name="Roth", role="approves for finance too", groups=("finance",)),
    Person(login="frida", first_name="Frida", last_name="Berg", role="and so does she", groups=("finance",)),
    Person(login="hanna", first_name="Hanna", last_name="Reich", role="signs contracts", groups=("hr",)),
    Person(login="ivo", first_name="Ivo", last_name="Thal", role="sets up laptops", groups=("it",)),
    Person(login="shop", first_name="Sonja", last_name="Hoppe", role="approves orders", groups=("sales",)),
    Person(
        login="wanda",
        first_name="Wanda",
        last_name="Haus",
        role="packs parcels in the warehouse",
        groups=("warehouse",),
    ),
)


def are_here() -> bool:
    """Whether this database is one of the demo's."""
    return get_user_model().objects.filter(email__endswith=f"@{DOMAIN}").exists()


def are_others_here() -> bool:
    """Whether anybody can log in who is not of the demo."""
    return get_user_model().objects.exclude(email__endswith=f"@{DOMAIN}").exists()


def create() -> None:
    """Creates all of them, without passwords, in groups that exist. Who decides, or starts something, needs no more
    rights than those to start: the pages show them what concerns them.
    """
    start = Permission.objects.get(content_type__app_label="workflow", codename=START)
    for person in PEOPLE:
        user = get_user_model().objects.create(
            username=person.login,
            first_name=person.first_name,
            last_name=person.last_name,
            email=f"{person.login}@{DOMAIN}",
            is_staff=person.superuser,
            is_superuser=person.superuser,
        )
        user.groups.set(Group.objects.filter(name__in=person.groups))
        user.user_permissions.add(start)


def set_password(password: str) -> None:
    """Gives all of them the same new password."""
    for user in get_user_model().objects.filter(email__endswith=f"@{DOMAIN}"):
        user.set_password(password)
        user.save(update_fields=["password"])

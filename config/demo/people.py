"""Who can log in to the demo. These log-ins exist only where `manage.py demo` made them."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

DOMAIN = "demo.example"
"""Tells the people of the demo from everybody else, by their mail address."""

# What a person needs in the admin to look at what runs, to start more, and to decide what waits for them.
MODELS = (
    "process",
    "task",
    "tasktransitions",
    "formfield",
    "processversion",
    "runningprocesses",
    "taskrun",
    "actioncall",
    "waitingforapproval",
)
PERMISSIONS = (*(f"view_{model}" for model in MODELS), "add_runningprocesses")


@dataclass(frozen=True, kw_only=True)
class Person:
    """A log-in, and what it is good for."""

    name: str
    role: str
    groups: tuple[str, ...] = ()
    superuser: bool = False


PEOPLE = (
    Person(name="admin", role="may do everything: define processes, write code, decide for anybody", superuser=True),
    Person(name="anna", role="claims expenses"),
    Person(name="mark", role="approves as a manager", groups=("managers",)),
    Person(name="fiona", role="approves for finance", groups=("finance",)),
    Person(name="felix", role="approves for finance too", groups=("finance",)),
    Person(name="hr", role="signs contracts", groups=("hr",)),
    Person(name="it", role="sets up laptops", groups=("it",)),
    Person(name="shop", role="approves orders", groups=("sales",)),
    Person(name="wanda", role="packs parcels in the warehouse", groups=("warehouse",)),
)


def are_here() -> bool:
    """Whether this database is one of the demo's."""
    return get_user_model().objects.filter(email__endswith=f"@{DOMAIN}").exists()


def are_others_here() -> bool:
    """Whether anybody can log in who is not of the demo."""
    return get_user_model().objects.exclude(email__endswith=f"@{DOMAIN}").exists()


def create() -> None:
    """Creates all of them, without passwords, in groups that exist."""
    for person in PEOPLE:
        user = get_user_model().objects.create(
            username=person.name,
            email=f"{person.name}@{DOMAIN}",
            is_staff=True,
            is_superuser=person.superuser,
        )
        user.groups.set(Group.objects.filter(name__in=person.groups))
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="workflow", codename__in=PERMISSIONS)
        )


def set_password(password: str) -> None:
    """Gives all of them the same new password."""
    for user in get_user_model().objects.filter(email__endswith=f"@{DOMAIN}"):
        user.set_password(password)
        user.save(update_fields=["password"])

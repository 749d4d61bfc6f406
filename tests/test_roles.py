"""Who may see which page, and change what there: for every page of the site, and everybody who may come.

The pages are read from the URL configuration, so that a new one fails here until somebody says who may see it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client

from tests.who_sees_what import EXPECTED
from tests.world import CODE, CONDITION, ROLES, SECRETS, Visit, World, made, pages

pytestmark = pytest.mark.django_db

MAY_READ = {
    "owner": {CODE, CONDITION},
    "viewer": {CODE, CONDITION},
    "operator": set(SECRETS),
    "superuser": set(SECRETS),
}
"""Which of what is hidden somebody may come across: who may look at definitions knows their code."""


OF_DEFINITIONS = ("/admin/workflow/process/", "/admin/workflow/processversion/")


class Seen(NamedTuple):
    """What came of a visit: the status of a look, and of a form that was sent, and whether that changed anything."""

    get: int
    post: int
    has_changed: bool


@pytest.fixture
def world(db: None) -> World:
    return made()


def test_of_every_page_it_is_said_who_may_see_it() -> None:
    assert {name for name, _ in pages()} == set(EXPECTED), "Say in tests/who_sees_what.py who may see it."


@pytest.mark.parametrize("role", ROLES)
def test_everybody_sees_what_is_theirs_and_changes_nothing_else(role: str, world: World) -> None:
    client = world.client(role)
    before = _checksum()
    found = {}
    read: dict[str, set[str]] = defaultdict(set)
    for page, route in pages():
        for place, visit in enumerate(world.visits(page, route, role)):
            seen, bodies = _visited(client, visit, before)
            found[f"{page} {place}"] = seen
            for secret in _secrets(bodies):
                read[secret].add(visit.path)
    assert found == dict(_expected(role))
    assert {secret: places for secret, places in read.items() if secret not in MAY_READ.get(role, ())} == {}
    if role == "viewer":
        of_instances = {path for paths in read.values() for path in paths if not path.startswith(OF_DEFINITIONS)}
        assert of_instances == set(), "of instances, only operators see what is inside"


def test_who_decides_in_the_admin_sees_no_more_there_than_on_the_pages(world: World) -> None:
    world.users["staff"].user_permissions.add(Permission.objects.get(codename="view_waitingforapproval"))
    shown = world.client("staff").get(f"/admin/workflow/waitingforapproval/{world.waiting.pk}/change/")
    assert shown.status_code == 200
    assert "visible" in shown.content.decode()
    assert _secrets([shown.content]) == set()


def _expected(role: str) -> Iterator[tuple[str, Seen]]:
    for page, lines in EXPECTED.items():
        for place, line in enumerate(lines):
            looks, posts, changing = (part.split() for part in line.split("|"))
            yield f"{page} {place}", Seen(_of(role, looks), _of(role, posts), role in changing)


def _of(role: str, statuses: list[str]) -> int:
    each = [
        int(status) for text in statuses for status, _, times in [text.partition("*")] for _ in range(int(times or 1))
    ]
    return dict(zip(ROLES, each, strict=True))[role]


def _visited(client: Client, visit: Visit, before: str) -> tuple[Seen, list[bytes]]:
    cookies = client.cookies.copy()
    with transaction.atomic():
        look = client.get(visit.path)
        assert _checksum() == before, f"To look at {visit.path} has changed something."
        answers = [look, client.post(visit.path, visit.sent)]
        has_changed = _checksum() != before
        transaction.set_rollback(True)
    client.cookies = cookies  # who has logged out comes again
    return Seen(*(answer.status_code for answer in answers), has_changed), [_body(answer) for answer in answers]


def _body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def _secrets(bodies: list[bytes]) -> set[str]:
    return {secret for secret in SECRETS for body in bodies if secret.encode() in body}


def _checksum() -> str:
    """What is in all tables that a page could change without right."""
    models = [*apps.get_app_config("workflow").get_models(), User, Group]
    rows = [list(model._base_manager.order_by("pk").values_list()) for model in models]
    return hashlib.sha256(repr(rows).encode()).hexdigest()

"""What anybody can send in any address or form: it may be refused, but never breaks a page."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from tests.admin.pages import text
from tests.world import World, made, pages

pytestmark = pytest.mark.django_db

MANY = "9" * 30
HURTFUL: Mapping[str, bytes] = {
    "a NUL": b"a\0b",
    "30 digits": b"9" * 30,
    "a negative number of 30 digits": b"-" + b"9" * 30,
    "several numbers": b"1,,\0,9" + b"9" * 30,
    "5,000 digits": b"9" * 5_000,
    "digits of another script": "\N{ARABIC-INDIC DIGIT THREE}".encode() * 30,
    "odd text": "a\u2028b\u202ec\u2066²\N{FAMILY}\N{ZERO WIDTH JOINER}<script>'\"&%00%s%(x)s{0}../../etc".encode(),
    "100,000 characters": b"x" * 100_000,
    "a lone surrogate": b"a\xed\xa0\x80b\xff\xfe",
    "a lone surrogate in JSON": b'{"a": "\\ud800", "b": {"$date": "\\u0000"}}',
    "deep JSON": b"[" * 5_000,
    "a moment at the end of time": b"1_9999-12-31T23:59:59-12:00",
}
QUERIES: Mapping[str, tuple[str, ...]] = {
    "workflow:inbox": ("tab", "text", "process", "age", "after", "known"),
    "workflow:inbox_count": ("known",),
    "workflow:start": ("text",),
    "workflow:mine": ("state", "process", "before"),
    "workflow:instance_news": ("seen", "unfolded"),
    "workflow:instance_earlier": ("after",),
    "workflow:instance_children": ("before",),
    "workflow:people": ("q",),
    "admin:workflow_process_start": ("id",),
    "admin:workflow_runningprocesses_step_in": ("action",),
    "admin:workflow_waitingforapproval_approve": ("run",),
    "admin:workflow_waitingforapproval_reject": ("run",),
}
OF_ALL_LISTS = ("q", "p", "o", "all", "e", "pk", "pk__in", "_changelist_filters")
OF_LISTS: Mapping[str, tuple[str, ...]] = {
    "absence": ("first_day__year", "first_day__month", "first_day__day", "user", "user__id__exact", "stand_in"),
    "absencechange": ("user", "absence", "at__gte"),
    "businesscalendar": ("name", "is_default__exact"),
    "engine": ("name", "pid", "seen_at__gte"),
    "runningprocesses": ("state__exact", "process", "level", "above", "version", "version__id__exact", "started_by"),
    "notice": ("trouble", "state__exact", "kind__exact", "user", "task_run", "waiting"),
    "mailpreference": ("user", "digest_hour", "digest_hour__gt"),
    "process": ("name", "priority", "max_running"),
    "taskrun": ("state__exact", "process", "instance", "instance__id__exact", "started_at__gte", "deadline__lt"),
    "processversion": ("name", "number", "number__lte", "process"),
    "waitingforapproval": ("due", "left", "user", "process", "rpid", "task_run", "queued_at__year"),
}
PARTS = 4
"""So that no test takes long."""
LOOKED_AT_ONLY = frozenset(
    {"admin:jsi18n", "admin:view_on_site", "admin:app_list", "admin:index", "admin:logout", "logout"}
)
FIELDS = (
    *("decision", "comment", "seen", "task", "to", "token", "reason", "answer-reason", "next", "wish", "digest_hour"),
    *("username", "password", "language", "json", "action", "_selected_action", "step", "result", "waiting", "index"),
    *("name", "description", "starters", "priority", "user", "stand_in", "first_day", "last_day", "hours", "days_off"),
    *("old_password", "new_password1", "select_across", "time_zone"),
)


@pytest.fixture
def world(db: None) -> World:
    return made()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", HURTFUL)
def test_no_page_breaks(kind: str, part: int, world: World) -> None:
    client = world.client("superuser")
    value = HURTFUL[kind]
    broken = []
    with transaction.atomic():
        for page, route in list(pages())[part::PARTS]:
            for method, path, sent in _requests(world, page, route, value):
                if _breaks(client, method, path, sent):
                    broken.append(f"{method} {path[:150]} {sorted(sent)[:3]}")
        transaction.set_rollback(True)
    assert not broken, "\n".join(broken)


def _requests(world: World, page: str, route: str, value: bytes) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    quoted, sent_text = quote_from_bytes(value[:2_000], safe=""), value.decode(errors="replace")
    if "<" in route:
        yield (
            "get",
            "/" + re.sub(r"<[^>]+>|\(\?P[^)]+\)", lambda _: quoted, route).replace("^", "").replace("$", ""),
            {},
        )
    for visit in world.visits(page, route, "superuser"):
        path = visit.path.partition("?")[0]
        for name in _names(page):
            yield "get", f"{path}?{name}={quoted}", {}
        for name in visit.sent:
            yield "post", visit.path, {**visit.sent, name: sent_text}
        if page in LOOKED_AT_ONLY:
            continue
        file = SimpleUploadedFile(value.decode(errors="replace")[:300] or "x", value)
        yield "post", visit.path, {**dict.fromkeys(FIELDS, sent_text), "answer-receipt": file, quoted[:100]: sent_text}


def _names(page: str) -> tuple[str, ...]:
    if page.endswith("_changelist"):
        return (*OF_ALL_LISTS, *OF_LISTS.get(page.removeprefix("admin:workflow_").removesuffix("_changelist"), ()))
    return QUERIES.get(page, ())


def _breaks(client: Client, method: str, path: str, sent: Mapping[str, Any]) -> bool:
    """Whether it is a fault of the server. What it does is taken back."""
    cookies = client.cookies.copy()
    with transaction.atomic():
        status = getattr(client, method)(path, sent or None).status_code
        transaction.set_rollback(True)
    client.cookies = cookies
    return status >= 500


@pytest.mark.parametrize(
    "path",
    [
        *(f"absence/?first_day__year={year}" for year in ("0", "-5", "9999", MANY, "2026&first_day__month=" + MANY)),
        *(f"mailpreference/{MANY}/{page}/" for page in ("history", "delete", "change")),
        *(f"waitingforapproval/?{query}={MANY}" for query in ("queued_at__year", "user", "rpid")),
        *(f"runningprocesses/?{query}" for query in (f"version={MANY}", f"above={MANY}", "process=a%00")),
        *(f"taskrun/?{query}" for query in (f"instance={MANY}", f"instance__in=1,{MANY}", "instance=1%00")),
    ],
)
def test_lists_of_the_admin_find_nothing_there(path: str, world: World) -> None:
    assert world.client("superuser").get(f"/admin/workflow/{path}").status_code in {200, 302}


def test_a_name_and_a_comment_with_a_nul_are_refused_with_a_word(world: World) -> None:
    client, page = world.client("superuser"), f"/waiting/{world.waiting.task_run_id}/"
    for given in ({"to": "a\0b"}, {"to": "stranger", "comment": "a\0b"}):
        answer = client.post(f"{page}delegate/", given, follow=True)
        assert "There is no active user 'a\\x00b'" in text(answer) or "The comment holds a NUL character" in text(
            answer
        )
    assert world.waiting.assignees.count() == 1


def test_a_filter_by_what_there_is_still_finds_it(world: World) -> None:
    client = world.client("superuser")
    lists = {
        "absence": f"first_day__year={world.by_model['absence'].first_day.year}",
        "taskrun": f"instance={world.waiting.rpid_id}",
        "runningprocesses": f"version={world.by_model['processversion'].pk}",
    }
    for model, query in lists.items():
        assert client.get(f"/admin/workflow/{model}/?{query}").context["cl"].result_count > 0

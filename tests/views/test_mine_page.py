"""What one has started: where it stands, by state and process, page by page."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.build import code, form, manual, process, run_until_idle, waits
from tests.own import ours
from tests.users import User
from tests.views.who import client_of, somebody
from workflow import operations
from workflow.models import InstanceState, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna() -> User:
    return somebody("anna")


def shown(client: Client, query: str = "") -> list[int]:
    return [line.instance.pk for line in client.get(f"/mine/{query}").context["found"].lines]


def ended(user: Any, count: int) -> None:
    """So many more that have ended."""
    process("Ends", {"A": code("1")}, (1, "A"))
    version = operations.start("Ends").version
    now = timezone.now()
    RunningProcesses.objects.bulk_create(
        RunningProcesses(
            version=version,
            process_name="Ends",
            step=1,
            state=InstanceState.FINISHED,
            started_by=user,
            started_at=now,
            ended_at=now + timedelta(hours=1),
        )
        for _ in range(count)
    )


def test_it_tells_what_each_waits_for_and_since_when(anna: User) -> None:
    mark = somebody("mark")
    tasks = {"Sign": manual("mark"), "Check": manual("mark, anna", quorum=2), "Wait": code("sleep(days=2)")}
    form(process("Claim", tasks, *[(1, task) for task in tasks]), None, purpose="text")
    waiting = waits("Claim", {"purpose": "Train to Lisbon"}, anna, task="Sign")
    operations.claim(waiting, mark)
    page = client_of(anna).get("/mine/")
    (line,) = page.context["found"].lines
    assert [(task.name, task.why) for task in line.tasks] == [
        ("Sign", "claimed by mark"),
        ("Check", "waits for mark, anna; 0 of 2 have approved"),
        ("Wait", "sleeps"),
    ]
    assert line.since <= waiting.queued_at
    assert "Train to Lisbon" in page.content.decode()


def test_it_has_what_one_has_started_oneself_and_not_what_that_started(anna: User) -> None:
    process("Inner", {"Look": manual()}, (1, "Look"))
    process("Outer", {"A": code("run_process('Inner')")}, (1, "A"))
    mine = operations.start("Outer", user=anna)
    operations.start("Outer", user=somebody("bert"))
    operations.start("Outer")
    run_until_idle()
    assert ours(RunningProcesses).filter(started_by=anna).count() == 2
    assert shown(client_of(anna)) == [mine.pk]


def test_it_is_filtered_by_state_and_process(anna: User) -> None:
    process("Sign", {"Sign": manual("anna")}, (1, "Sign"))
    under_way = waits("Sign", user=anna).rpid
    rejected = operations.start("Sign", user=anna)
    run_until_idle()
    operations.reject(rejected.waiting.get())
    run_until_idle()
    ended(anna, 1)
    client = client_of(anna)
    finished = ours(RunningProcesses).get(state="FINISHED", started_by=anna)
    assert shown(client) == [finished.pk, rejected.pk, under_way.pk]
    assert shown(client, "?state=open") == [under_way.pk]
    assert shown(client, "?state=REJECTED") == [rejected.pk]
    assert shown(client, "?process=Ends") == [finished.pk]
    assert shown(client, "?process=Ends&state=open") == []
    assert shown(client, "?state=nonsense&process=%00&before=x") == [finished.pk, rejected.pk, under_way.pk]
    assert "Nothing that you have started is like that" in client.get("/mine/?state=FAILED").content.decode()


def test_it_is_turned_page_by_page_without_a_count(anna: User) -> None:
    ended(anna, 60)
    client, query, pages = client_of(anna), "", []
    while True:
        page = client.get(f"/mine/{query}")
        pages.append([line.instance.pk for line in page.context["found"].lines])
        if not page.context["older"]:
            break
        query = page.context["older"]
    assert [len(page) for page in pages] == [25, 25, 10]
    keys = [key for page in pages for key in page]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 60
    assert page.context["newest"] == "?"


def test_whoever_has_started_nothing_is_shown_where_to(anna: User) -> None:
    assert 'href="/start/"' in client_of(anna).get("/mine/").content.decode()


def test_whoever_is_nobody_logs_in_first() -> None:
    assert Client().get("/mine/")["Location"] == "/login/?next=/mine/"


@pytest.mark.parametrize("count", [1, 60])
def test_it_takes_few_queries(anna: User, count: int, django_assert_max_num_queries: Any) -> None:
    process("Sign", {"Sign": manual("anna")}, (1, "Sign"))
    operations.start_many(["Sign"], user=anna, count=count)
    run_until_idle()
    client = client_of(anna)
    with django_assert_max_num_queries(15):
        client.get("/mine/")


def test_what_somebody_has_started_is_found_by_its_index(anna: User) -> None:
    ended(somebody("bert"), 4000)
    ended_by_anna = ours(RunningProcesses).filter(pk__in=ours(RunningProcesses).values("pk")[:50])
    ended_by_anna.update(started_by=anna)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    mine = ours(RunningProcesses).filter(started_by=anna, depth=0).order_by("-pk")
    for found, index in [
        (mine, "workflow_instance_starter"),
        (mine.filter(ended_at=None), "workflow_instance_under_way"),
    ]:
        plan = found[:26].explain()
        assert index in plan or (connection.vendor == "sqlite" and "workflow_instance_starter" in plan)
        assert "Seq Scan" not in plan
        assert "TEMP B-TREE" not in plan

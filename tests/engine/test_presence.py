"""Engines announce themselves; who looks after them tells a dead one from an idle one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.build import code, process
from workflow import clock, health, operations
from workflow.engine.presence import REMEMBERED, Presence
from workflow.models import Engine, RunningProcesses
from workflow.models.engines import EngineState

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def announced(name: str = "web1:7:a", *, lease: float = 30, processes: tuple[str, ...] = (), **fields: Any) -> Engine:
    Presence(name=name, lease=lease, concurrency=2, processes=processes).begin()
    Engine.objects.filter(name=name).update(**fields)
    return Engine.objects.get(name=name)


@pytest.mark.parametrize(
    ("silent", "holds", "expected"),
    [
        (0, 0, EngineState.IDLE),
        (30, 0, EngineState.IDLE),
        (30.1, 0, EngineState.DEAD),
        (0, 3, EngineState.WORKING),
        (31, 3, EngineState.DEAD),
        (-5, 0, EngineState.IDLE),
    ],
)
def test_its_state_is_told_by_its_last_word(silent: float, holds: int, expected: EngineState) -> None:
    engine = Engine(lease=30, seen_at=NOW)
    assert engine.state(now=NOW + timedelta(seconds=silent), holds=holds) is expected


@pytest.mark.django_db
class TestPresence:
    def test_it_says_that_it_is_there_and_what_it_does(self) -> None:
        engine = announced(processes=("B", "A"))
        assert (engine.lease, engine.concurrency, engine.processes) == (30, 2, ["A", "B"])
        assert engine.pid > 0
        assert engine.host
        assert engine.version

    def test_another_word_changes_when_it_was_seen_alone(self) -> None:
        with clock.stopped(NOW):
            first = announced()
        with clock.stopped(NOW + timedelta(seconds=10)):
            Presence(name=first.name, lease=30, concurrency=2).go_on()
        again = Engine.objects.get()
        assert (again.started_at, again.seen_at) == (NOW, NOW + timedelta(seconds=10))

    def test_one_that_was_forgotten_meanwhile_announces_itself_again(self) -> None:
        presence = Presence(name="a", lease=30, concurrency=2)
        presence.begin()
        Engine.objects.all().delete()
        presence.go_on()
        assert Engine.objects.get().name == "a"

    def test_the_dead_are_forgotten_in_a_day(self) -> None:
        announced("old", seen_at=clock.now() - REMEMBERED - timedelta(minutes=1))
        announced("newer", seen_at=clock.now() - REMEMBERED + timedelta(minutes=1))
        announced("new")
        assert set(Engine.objects.values_list("name", flat=True)) == {"newer", "new"}

    def test_one_that_stops_is_gone(self) -> None:
        announced("other")
        presence = Presence(name="a", lease=30, concurrency=2)
        presence.begin()
        presence.end()
        assert Engine.objects.get().name == "other"


@pytest.mark.django_db
class TestTrouble:
    def test_an_engine_that_is_alive_is_none(self) -> None:
        announced(host="web1")
        assert health.trouble() == health.trouble(host="web1") == health.trouble(processes=["A"]) == ""

    def test_there_is_none(self) -> None:
        announced(host="web1")
        assert health.trouble(host="web2") == (
            "No engine has announced itself on web2. Start one: manage.py runengine."
        )

    def test_it_is_dead(self) -> None:
        engine = announced(seen_at=clock.now() - timedelta(seconds=90))
        assert f"the last word of {engine.name} was 90 s ago, and its lease is 30 s" in health.trouble()

    def test_it_takes_other_processes(self) -> None:
        announced(processes=("A",))
        assert health.trouble(processes=["A"]) == ""
        assert "No engine takes instances of 'B'" in health.trouble(processes=["A", "B"])
        announced("another", processes=("B",))
        assert health.trouble(processes=["A", "B"]) == ""


@pytest.mark.django_db
def test_the_admin_shows_which_there_are(admin_client: Client, django_assert_max_num_queries: Any) -> None:
    process("P", {"A": code("1")}, (1, "A"))
    instance = operations.start("P")
    RunningProcesses.objects.filter(pk=instance.pk).update(state="RUNNING", owner="works")
    announced("works")
    announced("rests", processes=("P",))
    announced("gone", seen_at=clock.now() - timedelta(minutes=5))
    with django_assert_max_num_queries(8):
        page = admin_client.get(reverse("admin:workflow_engine_changelist")).content.decode()
    for word in ("working", "idle", "dead", "all processes"):
        assert word in page
    works = Engine.objects.get(name="works")
    address = reverse("admin:workflow_engine_change", args=[works.pk])
    about = reverse("admin:workflow_runningprocesses_change", args=[instance.pk])
    assert f'<a href="{about}">' in admin_client.get(address).content.decode()
    assert f'<a href="{address}">' in admin_client.get(about).content.decode()


@pytest.mark.django_db
def test_nobody_without_the_permission_sees_them(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("anna", is_staff=True))
    assert client.get(reverse("admin:workflow_engine_changelist")).status_code == 403

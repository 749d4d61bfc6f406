"""The inbox: what is in it, how it is found, and several decided at once."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.utils.text import capfirst
from django.utils.timezone import localdate

from tests.build import code, form, manual, process
from tests.own import ours
from tests.users import User
from tests.views.conftest import People, Visit
from tests.views.drive import run_until_idle, waits
from tests.views.pages import address, fields, messages, select, text
from workflow import clock, operations
from workflow.models import Absence, Decision, RunningProcesses, TaskRun, WaitingForApproval
from workflow.views.filters import Place

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def claims(people: People) -> list[WaitingForApproval]:
    """Three claims, which wait for the managers."""
    form(process("Claim", {"Sign": manual("managers")}, (10, "Sign")), None, amount="money", reason="text")
    operations.start_many(["Claim"], {"amount": 180, "reason": "Train to Lisbon"}, user=people.anna, count=3)
    run_until_idle()
    return list(ours(WaitingForApproval).order_by("pk"))


def numbers(response: Any) -> list[int]:
    """The instances that a list shows, in its order."""
    return [row.instance.pk for row in response.context["rows"]]


def due(waiting: WaitingForApproval, hours: float) -> None:
    ours(WaitingForApproval).filter(pk=waiting.pk).update(due_at=clock.now() + timedelta(hours=hours))


def test_who_is_not_logged_in_is_asked_to(client: Client, db: None) -> None:
    assert client.get("/?tab=me")["Location"] == "/login/?next=/%3Ftab%3Dme"
    assert client.post("/inbox/decide/")["Location"] == "/login/?next=/inbox/decide/"


def test_a_part_that_asks_for_news_after_its_session_gets_none(client: Client, db: None) -> None:
    for path in ("/", "/inbox/count/"):
        assert client.get(path, headers=HTMX).status_code == 401


@pytest.mark.demo
def test_it_has_what_waits_for_the_user_and_nothing_else(
    people: People, visit: Visit, claims: list[WaitingForApproval]
) -> None:
    page = visit(people.mark).get("/")
    assert numbers(page) == [one.rpid_id for one in claims]
    assert "Amount 180 Reason Train to Lisbon" in text(page)
    assert f"Claim {claims[0].rpid_id} · from Anna Huber" in text(page)
    assert "Inbox 3 waiting" in text(page)
    for user in (people.anna, people.bert, people.root):
        assert "Nothing waits for you." in text(visit(user).get("/"))


def test_what_is_due_comes_first_and_what_is_late_is_marked(
    people: People, visit: Visit, claims: list[WaitingForApproval]
) -> None:
    due(claims[1], hours=26)
    due(claims[2], hours=-3)
    page = visit(people.mark).get("/")
    assert numbers(page) == [claims[2].rpid_id, claims[1].rpid_id, claims[0].rpid_id]
    assert text(page).count("overdue due 3 hours ago") == 1
    assert "due in 26 hours" in text(page)
    late = visit(people.mark).get("/?age=overdue")
    assert numbers(late) == [claims[2].rpid_id]


class TestFilter:
    """Tabs, search, process and age."""

    def test_tabs(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        process("Ask", {"Ask": manual("mark")}, (10, "Ask"))
        own = waits("Ask").rpid_id
        operations.claim(claims[0], people.mark)
        client = visit(people.mark)
        ours = [one.rpid_id for one in claims]
        assert numbers(client.get("/")) == [*ours, own]
        assert numbers(client.get("/?tab=me")) == [own]
        assert numbers(client.get("/?tab=groups")) == ours
        assert numbers(client.get("/?tab=claimed")) == ours[:1]
        assert "You have claimed nothing." in text(visit(people.mona).get("/?tab=claimed"))
        assert numbers(visit(people.mona).get("/")) == ours[1:], "what Mark holds is his"

    @pytest.mark.demo
    def test_search(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        client = visit(people.mark)
        for search in ("claim", "SIGN", "anna", "hub", "\0"):
            assert len(numbers(client.get("/", {"text": search}))) == 3, search
        for search in ("Lisbon", "%", "99999999999999999999", "²"):
            assert numbers(client.get("/", {"text": search})) == [], search
        assert numbers(client.get("/", {"text": claims[1].rpid_id})) == [claims[1].rpid_id]

    def test_what_code_asks_and_what_it_is_about_are_found(self, people: People, visit: Visit) -> None:
        process("Ask", {"Ask": code('approval("mark", "Is it blue?")')}, (10, "Ask"))
        operations.start("Ask", subject=people.bert)
        run_until_idle()
        client = visit(people.mark)
        page = client.get("/?text=blue")
        assert "Is it blue?" in text(page)
        assert f"{capfirst(User._meta.verbose_name)} {people.bert.pk}" in text(page)
        assert len(numbers(client.get("/", {"text": people.bert.pk}))) == 1
        assert "Nothing like that waits." in text(client.get("/?text=green"))

    def test_process_and_age(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        process("Ask", {"Ask": manual("mark")}, (10, "Ask"))
        own = waits("Ask")
        ours(WaitingForApproval).filter(pk=own.pk).update(queued_at=clock.now() - timedelta(days=4))
        client = visit(people.mark)
        page = client.get("/?process=Ask")
        assert numbers(page) == [own.rpid_id]
        assert page.context["processes"] == ["Ask", "Claim"]
        assert numbers(client.get("/?age=3")) == [own.rpid_id]
        assert numbers(client.get("/?age=7")) == []

    def test_many_of_one_process_hide_no_other(self, people: People, visit: Visit) -> None:
        process("Claim", {"Sign": manual("managers")}, (10, "Sign"))
        process("Trip", {"Sign": manual("managers")}, (10, "Sign"))
        process("Other", {"Sign": manual("anna")}, (10, "Sign"))
        operations.start_many(["Claim"], count=1_001)
        run_until_idle()
        waits("Trip")
        waits("Other")
        assert visit(people.mark).get("/").context["processes"] == ["Claim", "Trip"]

    def test_nonsense_is_passed_over(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        client = visit(people.mark)
        places = ("x", "1_x", "1_2026-01-01", "1_2026-99-99T00:00Z", "²", "9" * 30)
        for query in ("tab=x", "age=x", "age=-1", *(f"after={place}" for place in places)):
            assert len(numbers(client.get(f"/?{query}"))) == 3, query


def test_pages_follow_each_other_without_a_gap_or_a_repetition(people: People, visit: Visit) -> None:
    process("Claim", {"Sign": manual("managers")}, (10, "Sign"))
    operations.start_many(["Claim"], count=60)
    run_until_idle()
    waiting = list(ours(WaitingForApproval).order_by("pk"))
    for index, one in enumerate(waiting[::2]):
        due(one, hours=30 - index // 7)  # some at the same time
    client = visit(people.mark)
    seen, path = [], "/"
    while path:
        page = client.get(path)
        seen += numbers(page)
        path = page.context["next_page"]
    ordered = ours(WaitingForApproval).due_first().values_list("rpid_id", flat=True)
    assert seen == list(ordered)
    assert len(seen) == 60
    assert "That was all." in text(client.get(f"/?after={Place.of(ordered.model.objects.due_first().last())}"))


class TestNews:
    """A list that is open asks for news, and is left alone where there is none."""

    def test_nothing_new_changes_nothing(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        client = visit(people.mark)
        news = client.get("/").context["news"]
        assert client.get(news, headers=HTMX).status_code == 204
        operations.approve(claims[0], by=people.mona)
        renewed = client.get(news, headers=HTMX)
        assert renewed.status_code == 200
        assert numbers(renewed) == [one.rpid_id for one in claims[1:]]
        assert renewed.content.decode().startswith('<div id="inbox-list"')
        assert client.get(renewed.context["news"], headers=HTMX).status_code == 204

    def test_the_count(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        client = visit(people.mark)
        assert text(client.get("/inbox/count/?known=2", headers=HTMX)) == "3 waiting"
        assert client.get("/inbox/count/?known=3", headers=HTMX).status_code == 204
        assert not text(visit(people.emil).get("/inbox/count/", headers=HTMX))

    def test_beyond_99_it_does_not_count(self, people: People, visit: Visit) -> None:
        process("Claim", {"Sign": manual("managers")}, (10, "Sign"))
        operations.start_many(["Claim"], count=101)
        run_until_idle()
        assert text(visit(people.mark).get("/inbox/count/", headers=HTMX)) == "99+ waiting"


class TestSeveral:
    """Several decided at once, each by itself."""

    @pytest.mark.parametrize(
        ("decision", "state", "told"),
        [("approve", "FINISHED", "3 tasks were approved."), ("reject", "REJECTED", "3 tasks were rejected.")],
    )
    def test_all_with_one_comment(
        self,
        people: People,
        visit: Visit,
        claims: list[WaitingForApproval],
        decision: str,
        state: str,
        told: str,
    ) -> None:
        response = select(visit(people.mark), decision, comment="fine")
        assert messages(response) == [told]
        runs = ours(TaskRun).all()
        assert {(run.state, run.decided_by, run.comment) for run in runs} == {(state, people.mark, "fine")}

    def test_what_somebody_was_quicker_with_is_told_and_holds_up_nothing(
        self, people: People, visit: Visit, claims: list[WaitingForApproval]
    ) -> None:
        client = visit(people.mark)
        tasks = fields(client.get("/"), "task")
        operations.reject(claims[1], by=people.mona)
        response = client.post(
            "/inbox/decide/", {"task": tasks, "decision": "approve", "next": "/?tab=groups"}, follow=True
        )
        assert response.redirect_chain == [("/?tab=groups", 302)]
        told = messages(response)
        assert told[0] == "2 tasks were approved."
        assert told[1].startswith(f"mona rejected 'Sign' of instance {claims[1].rpid_id} at")
        assert ours(Decision).count() == 3

    @pytest.mark.parametrize("decision", ["approve", "reject"])
    def test_what_has_changed_since_is_not_decided_and_named(
        self, people: People, visit: Visit, claims: list[WaitingForApproval], decision: str
    ) -> None:
        client = visit(people.mark)
        tasks = fields(client.get("/"), "task")
        ours(RunningProcesses).filter(pk=claims[1].rpid_id).update(data={"amount": 18_000, "reason": "x" * 10_000})
        told = messages(client.post("/inbox/decide/", {"task": tasks, "decision": decision}, follow=True))
        did = "approved" if decision == "approve" else "rejected"
        assert told == [
            f"2 tasks were {did}.",
            f"'Sign' of instance {claims[1].rpid_id} has changed since the list was shown. Look at it again. "
            "Nothing was changed.",
        ]
        assert [one.rpid_id for one in ours(WaitingForApproval).all()] == [claims[1].rpid_id]
        assert messages(select(client, decision)) == [f"1 task was {did}."]

    def test_of_several_that_have_changed_one_message_tells(
        self, people: People, visit: Visit, claims: list[WaitingForApproval]
    ) -> None:
        client = visit(people.mark)
        page = client.get("/")
        ours(RunningProcesses).update(data={"amount": 18_000})
        given = {"task": fields(page, "task"), "decision": "approve"}
        names = ", ".join(f"Claim {one.rpid_id}: Sign" for one in claims)
        assert messages(client.post("/inbox/decide/", given, follow=True)) == [
            f"3 tasks have changed since the list was shown, and were not decided: {names}. Look at them again."
        ]
        assert not ours(Decision).exists()
        known = page.context["digest"]
        assert client.get(f"/?known={known}", headers=HTMX).status_code == 200, "an open list shows what is new"

    def test_sent_twice_they_are_decided_once(
        self, people: People, visit: Visit, claims: list[WaitingForApproval]
    ) -> None:
        client = visit(people.mark)
        given = {"task": fields(client.get("/"), "task") * 2, "decision": "approve"}
        assert messages(client.post("/inbox/decide/", given, follow=True)) == ["3 tasks were approved."]
        names = ", ".join(f"Claim {one.rpid_id}: Sign" for one in claims)
        assert messages(client.post("/inbox/decide/", given, follow=True)) == [
            f"3 tasks wait for you no more, and were not changed: {names}."
        ]
        assert ours(Decision).count() == 3

    def test_what_has_a_form_to_fill_in_is_decided_on_its_page(self, people: People, visit: Visit) -> None:
        made = process("Claim", {"Sign": manual("managers")}, (10, "Sign"))
        form(made, "Sign", account={"kind": "text", "required": True})
        waiting = waits("Claim")
        client = visit(people.mark)
        assert "has a form" in text(client.get("/"))
        told = messages(select(client, "approve"))
        assert told == [
            f'“Sign” of Claim {waiting.rpid_id} has a form to fill in, so it is decided on <a href="{address(waiting)}">its page</a>.'
        ]
        assert not ours(Decision).exists()
        assert messages(select(client, "reject")) == ["1 task was rejected."]

    def test_a_question_that_was_not_shown_is_not_decided(self, people: People, visit: Visit) -> None:
        process("Ask", {"Ask": code('approval("anna", "One?")\napproval("anna", "Two?")')}, (10, "Ask"))
        operations.start("Ask")
        run_until_idle()
        client = visit(people.anna)
        tasks = fields(client.get("/"), "task")
        operations.reject(ours(WaitingForApproval).get())
        run_until_idle()
        response = client.post("/inbox/decide/", {"task": tasks, "decision": "approve"}, follow=True)
        assert "waits no more: the instance has moved on. Nothing was changed." in messages(response)[0]
        assert ours(WaitingForApproval).get().question == "Two?"

    def test_only_what_was_shown_to_this_user_can_be_sent(
        self, people: People, visit: Visit, claims: list[WaitingForApproval]
    ) -> None:
        others = fields(visit(people.mark).get("/"), "task")
        assert len(others) == 3
        made_up = [f"[{one.pk},{one.task_run_id}]" for one in claims]
        client = visit(people.emil)
        for tasks in (others, made_up, []):
            response = client.post("/inbox/decide/", {"task": tasks, "decision": "approve"}, follow=True)
            assert messages(response) == ["Nothing was selected, so nothing was changed."]
        assert not ours(Decision).exists()

    def test_rights_that_are_lost_meanwhile_count(
        self, people: People, visit: Visit, claims: list[WaitingForApproval]
    ) -> None:
        client = visit(people.mark)
        tasks = fields(client.get("/"), "task")
        people.mark.groups.clear()
        response = client.post("/inbox/decide/", {"task": tasks, "decision": "approve"}, follow=True)
        (told,) = messages(response)
        assert told.startswith(f"3 tasks were not decided: Claim {claims[0].rpid_id}: Sign, ")
        assert "it waits for managers" in told
        assert not ours(Decision).exists()

    def test_what_was_deleted_meanwhile(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        client = visit(people.mark)
        tasks = fields(client.get("/"), "task")
        ours(RunningProcesses).filter(pk=claims[0].rpid_id).delete()
        response = client.post("/inbox/decide/", {"task": tasks, "decision": "approve"}, follow=True)
        assert messages(response) == ["2 tasks were approved.", "A task was deleted meanwhile."]

    def test_of_many_that_fail_one_message_tells(self, people: People, visit: Visit) -> None:
        process("Claim", {"Sign": manual("managers")}, (10, "Sign"))
        operations.start_many(["Claim"], count=12)
        run_until_idle()
        client = visit(people.mark)
        tasks = fields(client.get("/"), "task")
        operations.decide_all("Claim", "Sign", approved=True, by=people.mona)
        told = messages(client.post("/inbox/decide/", {"task": tasks, "decision": "reject"}, follow=True))
        (message,) = told
        assert message.startswith("12 tasks wait for you no more, and were not changed: Claim ")
        assert message.endswith(": Sign and 2 more.")

    def test_another_word_decides_nothing(self, people: People, visit: Visit, claims: list[WaitingForApproval]) -> None:
        assert select(visit(people.mark), "perhaps").status_code == 400
        assert not ours(Decision).exists()

    def test_claimed_from_the_list_and_back_to_it(
        self, people: People, visit: Visit, claims: list[WaitingForApproval]
    ) -> None:
        client = visit(people.mark)
        response = client.post(address(claims[0], "claim"), {"next": "/?tab=groups"}, follow=True)
        assert response.redirect_chain == [("/?tab=groups", 302)]
        assert "claimed by you" in text(response)


def test_it_asks_as_much_of_the_database_however_much_there_is(
    people: People, visit: Visit, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        process(f"Claim {number}", {"Sign": manual("managers, mark")}, (10, "Sign"))
    today = localdate(clock.now())
    for person in (people.anna, people.bert, people.mona):
        Absence.objects.create(user=person, stand_in=people.mark, first_day=today, last_day=today)
    client = visit(people.mark)
    ContentType.objects.clear_cache()
    with django_assert_max_num_queries(15):
        client.get("/")
    names = [f"Claim {number}" for number in range(5)]
    operations.start_many(names, {"amount": 7}, user=people.anna, subject=people.bert, count=10)
    operations.start_many(names, {"text": "x" * 100_000}, user=people.bert, count=2)
    run_until_idle()
    assert ours(User).count() == 7
    ContentType.objects.clear_cache()
    with django_assert_max_num_queries(15):
        page = client.get("/?text=claim&process=Claim+1")
    assert len(numbers(page)) == 12
    with django_assert_max_num_queries(15):
        assert len(numbers(client.get("/"))) == 25

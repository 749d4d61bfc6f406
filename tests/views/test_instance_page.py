"""The page of an instance: who sees it, what it says, and that it brings itself up to date."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.app.models import Receipt
from tests.build import code, form, manual, process, run_until_idle, waits
from tests.own import ours
from tests.test_timeline import long_history
from tests.users import User
from tests.views.who import client_of, somebody
from workflow import clock, operations, operators
from workflow.models import Engine, RunningProcesses, TaskRun, WaitingForApproval
from workflow.testing import Workflow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna() -> User:
    return somebody("anna")


@pytest.fixture
def mark() -> User:
    return somebody("mark")


def signed(anna: User) -> WaitingForApproval:
    """A claim of anna's that waits for mark."""
    made = process("Claim", {"Sign": manual("mark"), "Pay": code("data['paid'] = True")}, (1, "Sign"), (2, "Pay"))
    form(made, None, purpose="text", paid="yes_no")
    return waits("Claim", {"purpose": "Train to Lisbon"}, anna)


def address(instance: RunningProcesses, part: str = "") -> str:
    return f"/instances/{instance.pk}/{part}"


def _without_token(response: Any) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())


def text_of(client: Client, instance: RunningProcesses) -> str:
    response = client.get(address(instance))
    assert response.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


class TestWhoSeesIt:
    def test_whom_it_concerns_and_nobody_else(self, anna: User, mark: User) -> None:
        instance = signed(anna).rpid
        somebody("olga", "view_runningprocesses", is_staff=True)
        somebody("bert", "view_runningprocesses")
        somebody("staff", is_staff=True)
        for part in ("", "news/", "children/", "earlier/?after=2.0"):
            found = {
                user.get_username(): client_of(user).get(address(instance, part)).status_code
                for user in ours(User).all()
            }
            assert {name for name, status in found.items() if status != 404} == {"anna", "mark", "olga"}, part

    def test_who_may_not_see_it_can_not_tell_whether_there_is_one(self, anna: User, mark: User) -> None:
        instance = signed(anna).rpid
        client = client_of(somebody("bert"))
        there, not_there = client.get(address(instance)), client.get("/instances/999999/")
        assert there.status_code == not_there.status_code == 404
        assert "Not here" in there.content.decode()
        assert _without_token(there) == _without_token(not_there)
        assert client.get(f"/instances/{'9' * 40}/").status_code == 404

    def test_whoever_is_nobody_logs_in_first_and_gets_no_news(self, anna: User, mark: User) -> None:
        instance = signed(anna).rpid
        assert Client().get(address(instance))["Location"] == f"/login/?next={address(instance)}"
        assert Client().get(address(instance, "news/"), headers={"HX-Request": "true"}).status_code == 401


class TestWhatItSays:
    def test_it_says_where_it_stands_what_it_knows_and_what_happened(self, anna: User, mark: User) -> None:
        waiting = signed(anna)
        text = text_of(client_of(anna), waiting.rpid)
        assert "It waits for mark to decide “Sign”." in text
        assert "Purpose Train to Lisbon" in text
        assert "Decide" not in text
        operations.approve(waiting, by=mark, comment="have a good trip")
        run_until_idle()
        text = text_of(client_of(anna), waiting.rpid)
        assert "It has come to its end." in text
        assert "Sign Finished mark approved by code have a good trip" in text
        assert "Paid yes" in text

    def test_what_waits_for_me_has_a_link_to_decide_it(self, anna: User, mark: User) -> None:
        waiting = signed(anna)
        page = client_of(mark).get(address(waiting.rpid)).content.decode()
        assert "waits for you" in page
        assert f'href="/waiting/{waiting.task_run_id}/"' in page
        root = User.objects.create_superuser("root")
        assert "waits for you" not in client_of(root).get(address(waiting.rpid)).content.decode()

    def test_nobody_but_operators_reads_of_engines(self, anna: User) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instance = operations.start("P", user=anna)
        ours(RunningProcesses).update(due_at=timezone.now() - timezone.timedelta(hours=1))
        assert "something holds it up" in text_of(client_of(anna), instance)
        operator = somebody("olga", "view_runningprocesses", "operate_instances", is_staff=True)
        assert "manage.py runengine" in text_of(client_of(operator), instance)

    def test_it_tells_above_and_below(self, anna: User, mark: User) -> None:
        inner = process("Inner", {"Look": manual("mark")}, (1, "Look"))
        process("Outer", {"Step": {"subprocess": inner}}, (1, "Step"))
        outer = operations.start("Outer", user=anna)
        run_until_idle()
        child = ours(RunningProcesses).get(process_name="Inner")
        page = client_of(anna).get(address(outer)).content.decode()
        assert f"It waits for “Inner {child.pk}” to end." in page
        assert page.count(f'href="{address(child)}"') == 2, "in the history, and in the diagram"
        assert f'href="{address(outer)}"' in client_of(anna).get(address(child)).content.decode()
        listed = client_of(anna).get(address(outer, "children/")).context["found"].lines
        assert [line.instance for line in listed] == [child]
        # Who only decides in it sees what it is part of, but not that.
        page = client_of(mark).get(address(child)).content.decode()
        assert f"Outer {outer.pk}" in page
        assert address(outer) not in page

    def test_it_tells_what_it_is_about(self, anna: User, mark: User) -> None:
        process("Claim", {"Sign": manual("mark")}, (1, "Sign"))
        receipt = Receipt.objects.create(instance=operations.start("Claim"))
        instance = operations.start("Claim", user=anna, subject=receipt)
        assert f", about {receipt}" in text_of(client_of(anna), instance)

    def test_what_people_type_is_shown_as_they_typed_it(self, anna: User, mark: User) -> None:
        evil = "<script>alert(1)</script>"
        process("Claim", {evil: manual("mark")}, (1, evil))
        waiting = waits("Claim", {evil: evil}, anna)
        operations.approve(waiting, by=mark, comment=evil)
        page = client_of(anna).get(address(waiting.rpid)).content.decode()
        assert "<script>alert" not in page
        assert page.count("&lt;script&gt;alert(1)") >= 4

    def test_links_into_the_admin_are_for_staff_who_may(self, anna: User, mark: User) -> None:
        instance = signed(anna).rpid
        olga = somebody("olga", "view_runningprocesses", is_staff=True)
        operator = somebody("otto", "view_runningprocesses", "operate_instances", is_staff=True)
        pages = {user: client_of(user).get(address(instance)).content.decode() for user in (anna, mark, olga, operator)}
        admin = f"/admin/workflow/runningprocesses/{instance.pk}/"
        assert [f"{admin}change/" in page for page in pages.values()] == [False, False, True, True]
        assert [f"{admin}step-in/?action=cancel" in page for page in pages.values()] == [False, False, False, True]
        chosen = client_of(operator).get(f"{admin}step-in/?action=cancel").content.decode()
        assert re.search(r'value="cancel"[^>]*checked', chosen)
        assert f'href="{address(instance)}"' in client_of(olga).get(f"{admin}change/").content.decode()


class TestNews:
    def poll(self, client: Client, page: Any, more: str = "") -> Any:
        found = re.search(r'hx-get="([^"]+)"', page.content.decode().partition('id="news"')[2])
        assert found is not None
        return client.get(found[1] + more, headers={"HX-Request": "true"})

    def parts(self, page: Any) -> list[str]:
        return re.findall(r'id="part-(\w+)" hx-swap-oob', page.content.decode())

    def test_there_is_none_as_long_as_nothing_has_changed(self, anna: User, mark: User) -> None:
        instance, client = signed(anna).rpid, client_of(anna)
        page = client.get(address(instance))
        assert self.poll(client, page).status_code == 204

    def test_what_has_changed_is_sent_and_nothing_else_until_it_has_ended(self, anna: User, mark: User) -> None:
        waiting, client = signed(anna), client_of(anna)
        page = client.get(address(waiting.rpid))
        operations.claim(waiting, mark)
        news = self.poll(client, page)
        assert (news.status_code, self.parts(news)) == (200, ["waiting", "history"])
        assert self.poll(client, news).status_code == 204
        operations.approve(waiting, by=mark)
        run_until_idle()
        end = self.poll(client, news)
        assert (end.status_code, self.parts(end)) == (
            286,
            ["badge", "standing", "waiting", "diagram", "data", "history"],
        )
        assert "hx-get" not in end.content.decode()
        assert 'hx-trigger="every' not in client.get(address(waiting.rpid)).content.decode().partition('id="news"')[2]

    def test_who_reads_what_was_earlier_is_left_there_and_told_of_news(self, anna: User, mark: User) -> None:
        waiting, client = signed(anna), client_of(anna)
        page = client.get(address(waiting.rpid))
        operations.claim(waiting, mark)
        news = self.poll(client, page, "&unfolded=1")
        assert self.parts(news) == ["waiting"]
        assert "Something new has happened" in news.content.decode()

    def test_it_is_said_to_screen_readers_once_and_politely(self, anna: User, mark: User) -> None:
        page = client_of(anna).get(address(signed(anna).rpid)).content.decode()
        main = page.partition('id="news"')[2]
        assert re.findall(r'id="([\w-]+)"[^>]*aria-live="polite"', main) == ["part-standing"]


class TestLong:
    def test_it_takes_few_queries_whatever_its_length(self, anna: User, django_assert_max_num_queries: Any) -> None:
        staff = somebody("olga", "view_runningprocesses", "operate_instances", is_staff=True)
        somebody("mark")
        client = client_of(staff)
        for instance in (signed(anna).rpid, self.long()):
            client.get(address(instance))
            with django_assert_max_num_queries(15):
                client.get(address(instance))
            with django_assert_max_num_queries(15):
                client.get(address(instance, "news/"))
            with django_assert_max_num_queries(15):
                client.get(address(instance, "earlier/?after=30.0"))

    @pytest.mark.parametrize("late", [{"state": "READY"}, {"state": "WAITING"}, {"state": "RUNNING", "owner": "gone"}])
    def test_it_takes_few_queries_however_long_the_cause_is_looked_for(
        self, anna: User, mark: User, late: dict[str, Any], django_assert_max_num_queries: Any
    ) -> None:
        staff = somebody("olga", "view_runningprocesses", "operate_instances", is_staff=True)
        instance, client = signed(anna).rpid, client_of(staff)
        ours(RunningProcesses).filter(pk=instance.pk).update(due_at=clock.now() - timedelta(minutes=1), **late)
        Engine.objects.create(
            name="e1", pid=1, concurrency=1, lease=9, started_at=clock.now(), seen_at=clock.ask_database()
        )
        client.get(address(instance))
        with django_assert_max_num_queries(15):
            assert "See their logs." in client.get(address(instance)).content.decode()

    def test_what_is_earlier_comes_in_parts(self, anna: User) -> None:
        instance, client = self.long(), client_of(User.objects.create_superuser("root"))
        page = client.get(address(instance)).content.decode()
        ask = re.search(r'id="earlier" href="([^"]+)" hx-get="([^"]+)"', page)
        assert ask is not None
        assert ask[1] == ask[2]
        assert re.findall(r"<strong>(A\d+)<", page) == [f"A{number}" for number in range(60, 35, -1)]
        part = client.get(ask[1], headers={"HX-Request": "true"}).content.decode()
        assert re.findall(r"<strong>(A\d+)<", part) == [f"A{number}" for number in range(35, 10, -1)]
        assert "<html" not in part
        assert "<html" in client.get(ask[1]).content.decode(), "without scripts it is a page"
        assert client.get(address(instance, "earlier/?after=x")).status_code == 404

    def long(self) -> RunningProcesses:
        """Sixty steps, a thousand calls in the last one, with a child, something to decide, and notes."""
        instance = long_history()
        process("Inner", {"Look": manual()}, (1, "Look"))
        waiting = waits("Inner")
        newest = instance.task_runs.order_by("-pk")[0]
        call = newest.calls.order_by("-number")[0]
        ours(RunningProcesses).filter(pk=waiting.rpid_id).update(parent=call, depth=1)
        ours(WaitingForApproval).filter(pk=waiting.pk).update(rpid=instance, task_run=newest)
        ours(TaskRun).filter(pk=newest.pk).update(state="WAITING", ended_at=None)
        ours(RunningProcesses).filter(pk=instance.pk).update(state="WAITING", due_at=None, ended_at=None, visit=60)
        return instance


def test_operators_words_follow_what_was_done(anna: User, mark: User) -> None:
    waiting = signed(anna)
    root = User.objects.create_superuser("root")
    operations.delegate(waiting, root, by=mark, comment="on holiday")
    operators.perform(waiting.rpid_id, operators.Action.PAUSE, by=root, reason="a question")
    text = text_of(client_of(anna), waiting.rpid)
    assert "An operator has paused it." in text
    assert "Sign claimed by root" in text, "it can be decided while the instance is paused"
    assert "root paused it by code a question" in text
    assert "mark handed on 'Sign' to root by code on holiday" in text.replace("&#x27;", "'")


def test_what_the_engine_did_because_people_were_late_is_told(anna: User, mark: User) -> None:
    fields = {"due": "1h", "remind": "0", "escalate_to": "anna", "escalate_after": "1h"}
    tasks = {"Sign": manual("mark", **fields, by_default="reject", by_default_after="2h")}
    process("Late", tasks, (1, "Sign"))
    with Workflow() as workflow:
        instance = workflow.start("Late", user=anna)
        workflow.advance(hours=3)
    text = text_of(client_of(anna), instance).replace("&#x27;", "'")
    assert "The engine reminded people of 'Sign' At " in text
    assert "The engine escalated 'Sign' to anna 1h from" in text
    assert "The engine decided by default 'Sign': reject 2h from" in text
    assert "Nobody in time: by default" in text

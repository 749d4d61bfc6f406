"""Parents, children and subjects on the pages of instances and task runs."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from tests.admin.conftest import VIEW, Login
from tests.admin.pages import text
from tests.build import code, engine, manual, process, run_until_idle
from tests.own import ours
from workflow import operations, operators
from workflow.admin.relatives import CHILDREN_SHOWN
from workflow.admin.runs import CHILDREN_SHOWN as MOST_OF_CALLS
from workflow.engine import Mode
from workflow.models import Process, RunningProcesses, Signal, TaskRun
from workflow.operators import Action

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _defined() -> None:
    ship = process("Ship", {"Pack": manual(timeout=timedelta(days=2))}, (1, "Pack"))
    process("Order", {"Go": {"subprocess": ship}}, (1, "Go"))
    process("Many", {"All": code("run_all([('Ship', {})] * data['count'])")}, (1, "All"))


def started(name: str, data: Any = None, **options: Any) -> RunningProcesses:
    instance = operations.start(name, data, **options)
    run_until_idle()
    instance.refresh_from_db()
    return instance


def page_of(client: Client, row: Any) -> Any:
    response = client.get(address(row))
    assert response.status_code == 200
    return response


def address(row: Any) -> str:
    return f"/admin/workflow/{row._meta.model_name}/{row.pk}/change/"


class TestParentsAndChildren:
    def test_each_links_to_the_other(self, client: Client, login: Login) -> None:
        login(*VIEW)
        order = started("Order")
        ship, run = ours(RunningProcesses).get(process_name="Ship"), ours(TaskRun).get(instance=order)
        response = page_of(client, order)
        words, page = text(response), response.content.decode()
        assert f"It waits for “Ship {ship.pk}” to end." in words
        assert (
            f"What it has started, newest first Instance State By the task Started Ended Ship {ship.pk} Waiting Go"
            in words
        )
        assert page.count(f'href="{address(ship)}"') == 2, "in the picture, and in the list"
        assert page.count(f'href="{address(run)}"') == 2, "in the history, and in the list"
        response = page_of(client, ship)
        assert f"Started by Order {order.pk} , Go ." in text(response)
        assert f'href="{address(order)}"' in response.content.decode()
        assert f'href="{address(run)}"' in response.content.decode()
        assert "What it has started" not in text(response)

    def test_a_call_links_to_what_it_has_started(self, client: Client, login: Login) -> None:
        login(*VIEW)
        order = started("Order")
        ship, run = ours(RunningProcesses).get(process_name="Ship"), ours(TaskRun).get(instance=order)
        response = page_of(client, run)
        assert f'href="{address(ship)}"' in response.content.decode()
        assert f"Ship {ship.pk} Waiting waits" in text(response)

    def test_a_box_leads_to_the_newest_child(self, client: Client, login: Login) -> None:
        login(*VIEW)
        process("Bad", {"A": code("1 / 0")}, (1, "A"))
        process("Try", {"Go": {"subprocess": process_named("Bad"), "max_attempts": 2, "retry_delay": 0.0}}, (1, "Go"))
        instance = started("Try")
        old, new = ours(RunningProcesses).filter(process_name="Bad").order_by("pk")
        page = page_of(client, instance).content.decode()
        picture = picture_in(page)
        assert f'href="{address(new)}"' in picture
        assert f'href="{address(old)}"' not in picture
        assert f'href="{address(old)}"' in page

    def test_a_box_leads_to_its_run_where_nothing_was_started(self, client: Client, login: Login) -> None:
        login(*VIEW)
        process("Wrong", {"Go": {"subprocess": process_named("Ship"), "input": "1"}}, (1, "Go"))
        instance = started("Wrong")
        page = page_of(client, instance).content.decode()
        assert f'href="{address(ours(TaskRun).get())}"' in picture_in(page)

    def test_of_many_some_are_shown_with_a_link_to_all(
        self, client: Client, login: Login, django_assert_max_num_queries: Any
    ) -> None:
        login(*VIEW)
        few, many = started("Many", {"count": 2}), started("Many", {"count": CHILDREN_SHOWN + 5})

        def queries(row: Any) -> int:
            with django_assert_max_num_queries(25) as counted:
                page_of(client, row)
            return len(counted)

        every = f"/admin/workflow/runningprocesses/?above={many.pk}"
        page = page_of(client, many)
        assert len(page.context["children"]) == CHILDREN_SHOWN
        assert every in page.content.decode()
        assert "for more that it has started." in text(page)
        assert client.get(every).context["cl"].result_count == CHILDREN_SHOWN + 5
        assert "?above=" not in page_of(client, few).content.decode()
        assert queries(many) == queries(few)
        run = ours(TaskRun).get(instance=many)
        assert "?above=" not in page_of(client, run).content.decode()
        assert queries(run) == queries(ours(TaskRun).get(instance=few))

    @pytest.mark.alone("It looks at whole lists.")
    def test_the_list_tells_who_has_started_what(self, client: Client, login: Login) -> None:
        login(*VIEW)
        order = started("Order")

        def listed(query: str) -> list[str]:
            found = client.get(f"/admin/workflow/runningprocesses/?{query}").context["cl"].queryset
            return sorted(found.values_list("process_name", flat=True))

        assert listed("") == ["Order", "Ship"]
        assert listed("level=top") == ["Order"]
        assert listed("level=sub") == ["Ship"]
        assert listed(f"above={order.pk}") == ["Ship"]
        assert listed(f"above={'9' * 30}") == []
        assert listed("above=x&level=y") == ["Order", "Ship"]


class TestCalls:
    def test_one_that_has_started_very_many_shows_some(self, client: Client, login: Login) -> None:
        login(*VIEW)
        many = operations.start("Many", {"count": MOST_OF_CALLS + 1})
        engine().run(Mode.ONCE)
        response = page_of(client, ours(TaskRun).get(instance=many))
        assert f"/admin/workflow/runningprocesses/?above={many.pk}" in response.content.decode()

    def test_one_that_had_no_answer_says_so(self, client: Client, login: Login) -> None:
        login(*VIEW, "operate_instances")
        order = started("Order")
        operators.perform(order.pk, Action.CANCEL)
        words = text(page_of(client, ours(TaskRun).get(instance=order)))
        assert "Cancelled No answer: the task ended while this waited." in words
        assert "Unanswered" not in words

    def test_the_deadline_is_shown_where_there_is_one(self, client: Client, login: Login) -> None:
        login(*VIEW)
        order = started("Order")
        ship = ours(RunningProcesses).get(process_name="Ship")
        assert "Deadline:" in text(page_of(client, ours(TaskRun).get(instance=ship)))
        assert "Deadline:" not in text(page_of(client, ours(TaskRun).get(instance=order)))
        assert "“Pack” fails unless it is done by 2" in text(page_of(client, ship))


class TestSubjects:
    def test_who_may_see_it_gets_a_link(self, client: Client, login: Login) -> None:
        group = Group.objects.create(name="<managers>")
        user = login(*VIEW)
        user.user_permissions.add(Permission.objects.get(codename="view_group"))
        response = page_of(client, started("Ship", subject=group))
        assert "About <managers> ." in text(response)
        assert f'<a href="/admin/auth/group/{group.pk}/change/">&lt;managers&gt;</a>' in response.content.decode()

    def test_anybody_else_learns_its_kind_and_key(self, client: Client, login: Login) -> None:
        login(*VIEW)
        group = Group.objects.create(name="secret")
        response = page_of(client, started("Ship", subject=group))
        assert f"About Group {group.pk}." in text(response)
        assert "secret" not in response.content.decode()

    def test_one_that_has_no_page_is_named_alike(self, boss: Client) -> None:
        kind = ContentType.objects.get_for_model(Signal)
        assert f"About Content type {kind.pk}." in text(page_of(boss, started("Ship", subject=kind)))

    def test_one_that_is_gone_is_told(self, boss: Client) -> None:
        group = Group.objects.create(name="managers")
        instance, key = started("Ship", subject=group), group.pk
        group.delete()
        assert f"About Group {key}, which was deleted." in text(page_of(boss, instance))

    def test_one_whose_app_is_gone_keeps_its_label(self, boss: Client) -> None:
        instance = started("Ship", subject=Group.objects.create(name="managers"))
        ContentType.objects.create(app_label="gone", model="thing")
        kind = ContentType.objects.get(app_label="gone")
        ours(RunningProcesses).filter(pk=instance.pk).update(subject_type=kind, subject_id="7")
        assert "About gone.thing:7." in text(page_of(boss, instance))

    def test_a_child_is_about_the_same(self, boss: Client) -> None:
        started("Order", subject=Group.objects.create(name="managers"))
        assert "About managers ." in text(page_of(boss, ours(RunningProcesses).get(process_name="Ship")))


def test_a_version_tells_what_its_tasks_start(boss: Client) -> None:
    ship = process_named("Ship")
    process("P", {"Go": {"subprocess": ship, "input": "{'<b>': 1}", "output": "{}"}}, (1, "Go"))
    words = text(page_of(boss, started("P").version))
    assert "The process “Ship”. Input: {'<b>': 1} Output: {}" in words


def picture_in(page: str) -> str:
    return page.partition('class="workflow-diagram"')[2].partition("</svg>")[0]


def process_named(name: str) -> Process:
    return Process.objects.get(name=name)

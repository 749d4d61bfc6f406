"""Pages of what runs: readable, quick, and not editable by anybody."""

from datetime import date
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.admin.conftest import VIEW
from tests.build import code, manual, process, run_until_idle
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.admin.readonly import MOST_COUNTED, CappedPaginator
from workflow.models import ProcessVersion, RunningProcesses, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = {
    "runningprocesses": RunningProcesses,
    "taskrun": TaskRun,
    "waitingforapproval": WaitingForApproval,
    "processversion": ProcessVersion,
}


@pytest.fixture
def _history() -> None:
    User.objects.create_user("olga", is_staff=True)
    process("Sign", {"Count": code("print('hello')\n41 + 1"), "Sign": manual("olga")}, (10, "Count"), (20, "Sign"))
    process("Fail", {"Fail": code("x = 1\nx / 0")}, (1, "Fail"))
    operations.start_many(["Sign"], {"<b>": "<i>"}, count=3)
    operations.start("Fail")
    run_until_idle()


@pytest.mark.usefixtures("_history")
class TestPages:
    @pytest.mark.parametrize("model", MODELS)
    def test_lists_and_pages_open_and_escape(self, client: Client, login: Any, model: str) -> None:
        login(*VIEW)
        assert client.get(f"/admin/workflow/{model}/?q=1").status_code == 200
        for row in MODELS[model].objects.all():
            page = client.get(f"/admin/workflow/{model}/{row.pk}/change/").content.decode()
            assert "<b>" not in page
            assert "<i>" not in page

    @pytest.mark.parametrize("model", MODELS)
    def test_nobody_edits_adds_or_deletes_by_hand(self, client: Client, django_user_model: Any, model: str) -> None:
        client.force_login(django_user_model.objects.create_superuser("root"))
        key = MODELS[model].objects.first().pk
        assert client.get(f"/admin/workflow/{model}/add/").status_code == 403
        assert client.post(f"/admin/workflow/{model}/{key}/change/", {"state": "FINISHED"}).status_code == 403
        assert client.post(f"/admin/workflow/{model}/{key}/delete/", {"post": "yes"}).status_code == 403
        delete = {"action": "delete_selected", "_selected_action": key, "post": "yes"}
        client.post(f"/admin/workflow/{model}/", delete)
        assert MODELS[model].objects.filter(pk=key).exists()

    @pytest.mark.parametrize("model", MODELS)
    def test_without_the_permission_there_is_nothing_to_see(self, client: Client, login: Any, model: str) -> None:
        login()
        assert client.get(f"/admin/workflow/{model}/").status_code == 403

    @pytest.mark.parametrize("model", MODELS)
    def test_a_list_takes_as_many_queries_for_many_rows_as_for_one(
        self, client: Client, login: Any, django_assert_max_num_queries: Any, model: str
    ) -> None:
        login(*VIEW)

        def queries() -> int:
            with django_assert_max_num_queries(20) as counted:
                client.get(f"/admin/workflow/{model}/")
            return len(counted)

        before = queries()
        operations.start_many(["Sign"], count=20)
        run_until_idle()
        assert queries() <= before + 1

    def test_the_instance_says_what_it_waits_for_and_shows_where_it_is(self, client: Client, login: Any) -> None:
        login(*VIEW)
        waiting = ours(WaitingForApproval).first()
        page = client.get(f"/admin/workflow/runningprocesses/{waiting.rpid_id}/change/").content.decode()
        assert "It waits for olga to decide “Sign”." in page
        assert "<svg" in page
        assert f"/admin/workflow/taskrun/{waiting.task_run_id}/change/" in page

    def test_a_failure_is_shown_with_the_codes_own_traceback(self, client: Client, login: Any) -> None:
        login(*VIEW, "operate_instances")
        run = ours(TaskRun).get(task_name="Fail")
        page = client.get(f"/admin/workflow/taskrun/{run.pk}/change/").content.decode()
        assert "x / 0" in page
        page = client.get(f"/admin/workflow/runningprocesses/{run.instance_id}/change/").content.decode()
        assert "It failed: division by zero" in page

    def test_what_code_printed_is_on_its_run(self, client: Client, login: Any) -> None:
        login(*VIEW, "operate_instances")
        run = ours(TaskRun).filter(task_name="Count").first()
        assert "hello" in client.get(f"/admin/workflow/taskrun/{run.pk}/change/").content.decode()


class TestLists:
    def test_a_list_does_not_read_what_it_does_not_show(self, client: Client, login: Any) -> None:
        login(*VIEW)
        process("Sign", {"Sign": manual("olga")}, (10, "Sign"))
        operations.start("Sign", {"much": "x"})
        run_until_idle()
        for model, heavy in (("runningprocesses", "data"), ("taskrun", "snapshot"), ("processversion", "definition")):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(f"/admin/workflow/{model}/").status_code == 200
            read = " ".join(query["sql"] for query in queries)
            assert f'"workflow_{model}"."id"' in read
            assert f'"{heavy}"' not in read

    @pytest.mark.alone("It looks at whole lists.")
    @pytest.mark.parametrize("model", ["runningprocesses", "taskrun", "waitingforapproval"])
    def test_a_number_finds_the_instance_and_words_find_names(self, client: Client, login: Any, model: str) -> None:
        login(*VIEW)
        process("Sign", {"Sign": manual("olga")}, (10, "Sign"))
        process("Other", {"Other": manual("olga")}, (10, "Other"))
        instance, _ = operations.start("Sign"), operations.start("Other")
        run_until_idle()

        def found(query: str) -> int:
            return client.get(f"/admin/workflow/{model}/", {"q": query}).context["cl"].result_count

        assert found(str(instance.pk)) == 1
        assert found("sig") == 1
        assert found("nothing like it") == 0
        assert found("9" * 30) == 0
        assert found("") == 2

    def test_what_ran_of_a_deleted_process_is_found_by_its_name(self, client: Client, login: Any) -> None:
        login(*VIEW)
        made = process("Sign", {"Sign": manual("olga")}, (10, "Sign"))
        operations.start("Sign")
        run_until_idle()
        made.delete()
        for model in ("runningprocesses", "taskrun", "waitingforapproval", "processversion"):
            response = client.get(f"/admin/workflow/{model}/", {"process": "Sign"})
            assert response.context["cl"].result_count == 1, model
            response = client.get(f"/admin/workflow/{model}/", {"process": "Other"})
            assert response.context["cl"].result_count == 0, model

    @pytest.mark.alone("It looks at whole lists.")
    def test_an_empty_list_says_what_to_do(self, client: Client, boss: Client) -> None:
        for model, words in (
            ("process", "No process is defined yet."),
            ("runningprocesses", "Nothing has been started yet."),
            ("taskrun", "No task has run yet."),
            ("waitingforapproval", "Nothing waits for anybody."),
            ("processversion", "There is no version yet."),
        ):
            assert words in client.get(f"/admin/workflow/{model}/").content.decode()
            assert words not in client.get(f"/admin/workflow/{model}/?q=something").content.decode()

    def test_counting_ends_somewhere(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        operations.start_many(["P"], count=3)
        instances = ours(RunningProcesses).order_by("-pk")
        assert CappedPaginator(instances, 2).count == 3
        with CaptureQueriesContext(connection) as queries:
            assert CappedPaginator(instances, 2).num_pages == 2
        assert f"LIMIT {MOST_COUNTED}" in queries[0]["sql"]


class TestPagesOfInstances:
    def test_dates_and_decimals_are_readable(self, client: Client, boss: Client) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instance = operations.start("P", {"due": date(2026, 3, 1), "price": Decimal("12.50")})
        page = unescape(client.get(f"/admin/workflow/runningprocesses/{instance.pk}/change/").content.decode())
        assert '"$date": "2026-03-01"' in page
        assert '"$decimal": "12.50"' in page

    def test_a_loop_is_drawn_with_the_newest_state_of_each_row(self, client: Client, boss: Client) -> None:
        process(
            "Loop",
            {"Count": code('data["n"] = data.get("n", 0) + 1'), "Stop": manual()},
            (10, "Count", {"then": 20}),
            (20, "Stop", {"on_reject": 10}),
        )
        instance = operations.start("Loop")
        run_until_idle()
        for _ in range(2):
            operations.reject(ours(WaitingForApproval).get())
            run_until_idle()
        newest = ours(TaskRun).filter(task_name="Stop").order_by("-pk").first()
        page = client.get(f"/admin/workflow/runningprocesses/{instance.pk}/change/").content.decode()
        assert page.count(f'href="/admin/workflow/taskrun/{newest.pk}/change/"') == 2, (
            "in the picture, and in the history"
        )
        assert "diagram-mark-waiting" in page
        assert "diagram-mark-rejected" not in page

    def test_long_histories_are_cut_and_link_to_all(
        self, client: Client, boss: Client, django_assert_max_num_queries: Any
    ) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instance, now = operations.start("P"), timezone.now()
        TaskRun.objects.bulk_create(
            TaskRun(instance=instance, visit=visit, row=0, task_name="A", sequence=1, state="FINISHED", started_at=now)
            for visit in range(1, 60)
        )
        with django_assert_max_num_queries(16):
            page = client.get(f"/admin/workflow/runningprocesses/{instance.pk}/change/").content.decode()
        every = f"/admin/workflow/taskrun/?instance={instance.pk}"
        assert every in page
        assert client.get(every).context["cl"].result_count == 59

    def test_a_version_shows_its_code_and_its_picture(self, client: Client, boss: Client) -> None:
        process("P", {"A": code("x = 1\nif x:\n    x + 1"), "B": manual("boss")}, (1, "A"), (2, "B"))
        version = operations.start("P").version
        page = unescape(client.get(f"/admin/workflow/processversion/{version.pk}/change/").content.decode())
        assert "x = 1\nif x:\n    x + 1</pre>" in page
        assert "Manual: boss decides." in page
        assert '<a href="#task-2">' in page
        assert f"/admin/workflow/runningprocesses/?version={version.pk}" in page
        listed = client.get(f"/admin/workflow/runningprocesses/?version={version.pk}")
        assert listed.context["cl"].result_count == 1

"""Pages of what runs: readable, quick, and not editable by anybody."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.admin.conftest import VIEW
from tests.build import code, manual, process, run_until_idle
from workflow import operations
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
    User.objects.create(username="olga", is_staff=True)
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
        waiting = WaitingForApproval.objects.first()
        page = client.get(f"/admin/workflow/runningprocesses/{waiting.rpid_id}/change/").content.decode()
        assert "It waits for olga to decide “Sign”." in page
        assert "<svg" in page
        assert f"/admin/workflow/taskrun/{waiting.task_run_id}/change/" in page

    def test_a_failure_is_shown_with_the_codes_own_traceback(self, client: Client, login: Any) -> None:
        login(*VIEW)
        run = TaskRun.objects.get(task_name="Fail")
        page = client.get(f"/admin/workflow/taskrun/{run.pk}/change/").content.decode()
        assert "x / 0" in page
        page = client.get(f"/admin/workflow/runningprocesses/{run.instance_id}/change/").content.decode()
        assert "It failed: division by zero" in page

    def test_what_code_printed_is_on_its_run(self, client: Client, login: Any) -> None:
        login(*VIEW)
        run = TaskRun.objects.filter(task_name="Count").first()
        assert "hello" in client.get(f"/admin/workflow/taskrun/{run.pk}/change/").content.decode()

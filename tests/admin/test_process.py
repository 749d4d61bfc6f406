"""The page on which a process is defined: what is sent is what is saved, or an error says why not."""

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import EDIT, posted
from tests.build import code, manual, process
from workflow import operations
from workflow.models import Process, RunningProcesses, Task, TaskTransitions
from workflow.models.definitions import draft

pytestmark = pytest.mark.django_db

ADD = "/admin/workflow/process/add/"


def address(process: Process) -> str:
    return reverse("admin:workflow_process_change", args=[process.pk])


def existing() -> tuple[Process, list[dict[str, Any]], list[dict[str, Any]]]:
    """A process with one task at one step, and what its page sends when nothing was changed."""
    made = process("P", {"A": code("1")}, (10, "A"))
    task, row = Task.objects.get(), TaskTransitions.objects.get()
    return (
        made,
        [{"id": task.pk, "parent": made.pk, "name": "A", "code": "1"}],
        [{"id": row.pk, "process": made.pk, "sequence": 10, "task_name": "A", "condition": ""}],
    )


class TestEditing:
    @pytest.fixture(autouse=True)
    def _owner(self, login: Any) -> None:
        login(*EDIT, "edit_code")

    def test_a_whole_process_is_defined_in_one_go(self, client: Client) -> None:
        tasks = [{"name": "Compute", "code": "1 + 1"}, {"name": "Sign", "manual": "on", "approver": ""}]
        rows = [
            {"sequence": 20, "task_name": "Sign", "condition": "results['Compute'] > 1", "on_reject": 10},
            {"sequence": 10, "task_name": " Compute "},
        ]
        response = client.post(ADD, posted("New", tasks, rows))
        assert response.status_code == 302, response.context["errors"]
        definition = draft(Process.objects.get())
        assert [(row.sequence, row.task, row.on_reject) for row in definition.rows] == [
            (10, "Compute", None),
            (20, "Sign", 10),
        ]
        assert definition.task("Sign").manual
        page = client.get(response.url).content.decode()
        assert "The saved draft has no findings. It can be started." in page
        assert "<svg" in page

    def test_a_row_of_an_unknown_task_is_an_error_at_that_row_and_nothing_is_saved(self, client: Client) -> None:
        rows = [{"sequence": 10, "task_name": "Compute"}, {"sequence": 20, "task_name": "Compote"}]
        response = client.post(ADD, posted("New", [{"name": "Compute", "code": "1"}], rows))
        assert response.status_code == 200
        page = response.content.decode()
        assert "This process has no task “Compote”. Its tasks are: Compute." in page
        assert page.count("errorlist") == 1
        assert not Process.objects.exists()

    def test_a_renamed_task_keeps_its_rows(self, client: Client) -> None:
        made, tasks, rows = existing()
        response = client.post(address(made), posted("P", [{**tasks[0], "name": "B"}], rows, initial=(1, 1)))
        assert response.status_code == 302
        assert TaskTransitions.objects.get().task.name == "B"

    def test_a_task_that_rows_name_can_only_be_deleted_with_them(self, client: Client) -> None:
        made, tasks, rows = existing()
        tasks[0]["DELETE"] = "on"
        response = client.post(address(made), posted("P", tasks, rows, initial=(1, 1)))
        assert "This process has no task “A”. Its tasks are: none." in response.content.decode()
        rows[0]["DELETE"] = "on"
        assert client.post(address(made), posted("P", tasks, rows, initial=(1, 1))).status_code == 302
        assert not Task.objects.exists()

    def test_two_tasks_of_one_name_are_refused(self, client: Client) -> None:
        response = client.post(ADD, posted("New", [{"name": "A", "code": "1"}, {"name": "A", "code": "2"}], []))
        assert response.status_code == 200
        assert not Process.objects.exists()

    def test_a_draft_with_mistakes_is_saved_and_shows_them_where_they_are(self, client: Client) -> None:
        rows = [{"sequence": 10, "task_name": "Bad", "then": 70}]
        response = client.post(ADD, posted("New", [{"name": "Bad", "code": "1 +"}], rows))
        response = client.get(response.url)
        page = response.content.decode()
        assert "The saved draft can't be started before its errors are mended" in page
        inlines = {type(inline.opts).__name__: list(inline) for inline in response.context["inline_admin_formsets"]}
        (task, *_), (row, *_) = inlines["TaskInline"], inlines["TransitionInline"]
        assert "(code, line 1, column 4)" in task.model_admin.found(task.original)
        assert "no step 70" in row.model_admin.found(row.original)

    def test_another_process_of_that_name_is_refused(self, client: Client) -> None:
        process("New", {"A": code("1")}, (1, "A"))
        response = client.post(ADD, posted("New", [], []))
        assert "already exists" in response.content.decode()

    def test_hostile_names_are_text(self, client: Client) -> None:
        evil = "<script>alert(1)</script>"
        response = client.post(
            ADD, posted(evil, [{"name": evil, "code": f"'{evil}' +"}], [{"sequence": 1, "task_name": evil}])
        )
        assert evil not in client.get(response.url).content.decode()

    def test_deleting_a_process_leaves_its_instances(self, client: Client) -> None:
        made, *_ = existing()
        operations.start(made)
        page = client.get(f"/admin/workflow/process/{made.pk}/delete/").content.decode()
        assert "would require deleting" not in page
        assert client.post(f"/admin/workflow/process/{made.pk}/delete/", {"post": "yes"}).status_code == 302
        assert RunningProcesses.objects.get().process is None


class TestWithoutEditCode:
    @pytest.fixture(autouse=True)
    def _owner(self, login: Any) -> None:
        login(*EDIT)

    def test_code_and_conditions_stay_as_they_are_against_a_forged_post(self, client: Client) -> None:
        made, tasks, rows = existing()
        tasks[0]["code"], rows[0]["condition"], rows[0]["then"] = "evil()", "evil()", 10
        assert client.post(address(made), posted("P", tasks, rows, initial=(1, 1))).status_code == 302
        definition = draft(made)
        assert definition.task("A").code == "1"
        assert (definition.rows[0].condition, definition.rows[0].then) == ("", 10)

    def test_a_new_task_gets_no_code_and_a_new_row_no_condition(self, client: Client) -> None:
        rows = [{"sequence": 1, "task_name": "A", "condition": "evil()"}]
        assert client.post(ADD, posted("New", [{"name": "A", "code": "evil()"}], rows)).status_code == 302
        definition = draft(Process.objects.get())
        assert (definition.task("A").code, definition.rows[0].condition) == ("", "")

    def test_an_approver_can_be_named_but_not_computed(self, client: Client) -> None:
        task = {"name": "A", "manual": "on", "approver": "=evil()"}
        response = client.post(ADD, posted("New", [task], []))
        assert "takes the permission" in response.content.decode()
        assert client.post(ADD, posted("New", [{**task, "approver": "anna"}], [])).status_code == 302

    def test_an_approvers_expression_stays_as_it_is(self, client: Client) -> None:
        made = process("P", {"A": manual("=data['x']")}, (1, "A"))
        tasks = [{"id": Task.objects.get().pk, "parent": made.pk, "name": "A", "manual": "on", "approver": "=evil()"}]
        row = {"id": TaskTransitions.objects.get().pk, "process": made.pk, "sequence": 1, "task_name": "A"}
        assert client.post(address(made), posted("P", tasks, [row], initial=(1, 1))).status_code == 302
        assert Task.objects.get().approver == "=data['x']"


class TestStarting:
    def test_it_takes_its_permission(self, client: Client, login: Any) -> None:
        made, *_ = existing()
        login(*EDIT)
        assert "start/?id=" not in client.get(address(made)).content.decode()
        response = client.post(f"/admin/workflow/process/start/?id={made.pk}", {"json": ""})
        assert response.url == "/admin/"
        assert not RunningProcesses.objects.exists()

    def test_an_instance_starts_with_its_data_in_the_name_of_who_started_it(self, client: Client, login: Any) -> None:
        made, *_ = existing()
        user = login(*EDIT, "add_runningprocesses")
        start = f"/admin/workflow/process/start/?id={made.pk}"
        assert start in client.get(address(made)).content.decode()
        assert client.get(start).status_code == 200
        assert not RunningProcesses.objects.exists(), "a GET starts nothing"
        response = client.post(start, {"json": '{"amount": {"$decimal": "1.50"}}'})
        instance = RunningProcesses.objects.get()
        assert (str(instance.data["amount"]), instance.started_by) == ("1.50", user)
        assert str(next(iter(get_messages(response.wsgi_request)))) == f"P was started as instance {instance.pk}."

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ("{", "This is not JSON: Expecting property name"),
            ("[1]", "This must be a JSON object"),
            ('{"x": NaN}', "NaN can&#x27;t be kept"),
        ],
    )
    def test_data_that_is_none_is_an_error(self, client: Client, login: Any, data: str, message: str) -> None:
        made, *_ = existing()
        login("add_runningprocesses")
        response = client.post(f"/admin/workflow/process/start/?id={made.pk}", {"json": data})
        assert message in response.content.decode()
        assert not RunningProcesses.objects.exists()

    def test_a_draft_with_mistakes_says_why_it_does_not_start(self, client: Client, login: Any) -> None:
        made = process("P", {"A": code("1 +")}, (1, "A"))
        login("add_runningprocesses")
        response = client.post(f"/admin/workflow/process/start/?id={made.pk}", {"json": ""})
        assert "can&#x27;t be started before its mistakes are mended" in response.content.decode()
        assert not RunningProcesses.objects.exists()

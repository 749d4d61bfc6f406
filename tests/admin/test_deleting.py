"""Deleting a draft is a matter of the draft alone."""

import pytest
from django.test import Client

from tests.admin.conftest import OWNER, Login
from tests.admin.pages import Draft, text
from tests.build import code, manual, process, run_until_idle
from tests.own import ours
from workflow import operations
from workflow.models import Process, RunningProcesses, Task, TaskTransitions, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made() -> Process:
    made = process("P", {"A": code("1"), "B": manual()}, (10, "A"), (20, "B"))
    operations.start_many(["P"], count=3)
    run_until_idle()
    return made


def test_a_process_with_instances_is_deleted_with_permissions_on_drafts_alone(
    client: Client, login: Login, made: Process
) -> None:
    login(*OWNER)
    url = f"/admin/workflow/process/{made.pk}/delete/"
    page = text(client.get(url))
    assert "Are you sure" in page
    assert "Running" not in page.partition("Are you sure")[2]
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert (ours(Process).count(), ours(Task).count(), ours(TaskTransitions).count()) == (0, 0, 0)
    assert set(ours(RunningProcesses).values_list("process", "process_name", "state")) == {(None, "P", "WAITING")}
    assert ours(WaitingForApproval).filter(process=None, task=None, process_name="P", task_name="B").count() == 3


def test_what_runs_goes_on_without_its_draft(client: Client, login: Login, made: Process) -> None:
    login(*OWNER, is_superuser=True)
    client.post("/admin/workflow/process/", {"action": "delete_selected", "_selected_action": made.pk, "post": "yes"})
    operations.decide_all("P", "B", approved=True)
    run_until_idle()
    assert set(ours(RunningProcesses).values_list("state", flat=True)) == {"FINISHED"}
    page = text(client.get(f"/admin/workflow/runningprocesses/{ours(RunningProcesses).first().pk}/change/"))
    assert "P (its draft was deleted)" in page


def test_a_task_that_waits_is_deleted_from_the_draft(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    page = Draft(client, made).set(tasks__1__DELETE="on", transitions__1__DELETE="on")
    assert page.press().status_code == 302
    assert list(made.tasks.values_list("name", flat=True)) == ["A"]
    assert ours(WaitingForApproval).filter(task=None, task_name="B").count() == 3


class TestOneThatOthersStart:
    @pytest.fixture
    def used(self) -> Process:
        used = process("Used", {"A": code("1")}, (1, "A"))
        process("First", {"Go": {"subprocess": used}, "<b>": {"subprocess": used}}, (1, "Go"), (2, "<b>"))
        return used

    @pytest.mark.parametrize("several", [False, True])
    def test_it_is_kept_and_the_tasks_that_start_it_are_named(
        self, client: Client, login: Login, used: Process, several: bool
    ) -> None:
        login(*OWNER)
        first = Process.objects.get(name="First")
        selected = {"action": "delete_selected", "_selected_action": used.pk}
        url = "/admin/workflow/process/" if several else f"/admin/workflow/process/{used.pk}/delete/"
        response = client.post(url, selected) if several else client.get(url)
        page = text(response)
        assert "It can't be deleted: other processes start it as a sub-process." in page
        assert "First : the task “Go” starts “Used”." in page
        assert "First : the task “<b>” starts “Used”." in page
        assert f'<a href="/admin/workflow/process/{first.pk}/change/">First</a>' in response.content.decode()
        client.post(url, {**selected, "post": "yes"})
        assert ours(Process).filter(pk=used.pk).exists()

    def test_together_with_those_that_start_it_it_goes(self, client: Client, login: Login, used: Process) -> None:
        login(*OWNER)
        every = list(ours(Process).values_list("pk", flat=True))
        selected = {"action": "delete_selected", "_selected_action": every}
        assert "Are you sure" in text(client.post("/admin/workflow/process/", selected))
        client.post("/admin/workflow/process/", {**selected, "post": "yes"})
        assert not ours(Process).exists()

    def test_one_that_starts_itself_goes(self, client: Client, login: Login, used: Process) -> None:
        login(*OWNER)
        ours(Task).exclude(parent=used).delete()
        used.tasks.update(code="", subprocess=used)
        client.post(f"/admin/workflow/process/{used.pk}/delete/", {"post": "yes"})
        assert not ours(Process).filter(pk=used.pk).exists()

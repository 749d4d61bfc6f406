"""Who may change code, and who may not: read-only is read-only against a forged POST too."""

from datetime import timedelta

import pytest
from django.test import Client

from tests.admin.conftest import OWNER, Login
from tests.admin.pages import Draft, found, process_url, text
from tests.build import code, manual, process
from tests.own import ours
from workflow.models import Process, Task

pytestmark = pytest.mark.django_db

REFUSED = "Only those with the permission “Can edit the code of tasks, and expressions” can change this."


@pytest.fixture
def made() -> Process:
    return process(
        "P",
        {"A": code("1"), "B": manual('=data["boss"]'), "C": manual("anna")},
        (10, "A", {"condition": "True"}),
        (20, "B"),
    )


def test_code_and_conditions_stay_as_they_are(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    page = Draft(client, made).set(
        tasks__0__code="evil()", transitions__0__condition="evil()", transitions__0__then="20"
    )
    page.press()
    row = made.transitions.get(sequence=10)
    assert (row.task.code, row.condition, row.then) == ("1", "True", 20)


def test_code_and_conditions_can_not_be_cleared_either(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    Draft(client, made).set(tasks__0__code="", transitions__0__condition="", transitions__0__then="20").press()
    row = made.transitions.get(sequence=10)
    assert (row.task.code, row.condition, row.then) == ("1", "True", 20)


def test_a_new_task_gets_no_code_and_a_new_row_no_condition(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    Draft(client, made).task("New", code="evil()").row(30, "New", condition="evil()").press()
    assert made.tasks.get(name="New").code == ""
    assert made.transitions.get(sequence=30).condition == ""
    Draft(client).set(name="Q").task("New", code="evil()").row(30, "New", condition="evil()").press()
    task = ours(Task).get(parent__name="Q")
    assert (task.code, task.transitions.get().condition) == ("", "")


def test_an_approver_can_be_named_but_not_worked_out(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    response = Draft(client, made).set(tasks__2__approver=" = evil()").press()
    assert found(response, "id_tasks-2-approver_error") == REFUSED
    response = Draft(client, made).task("New", manual="on", approver="=evil()").press()
    assert found(response, "id_tasks-3-approver_error") == REFUSED
    assert Draft(client, made).set(tasks__2__approver="olga").press().status_code == 302
    assert made.tasks.get(name="C").approver == "olga"


@pytest.mark.parametrize("field", ["approver", "escalate_to"])
def test_a_name_that_is_only_commas_is_refused(client: Client, login: Login, made: Process, field: str) -> None:
    login(*OWNER)
    response = Draft(client, made).set(**{"tasks__2__due": "1d", f"tasks__2__{field}": " , ,"}).press()
    assert found(response, f"id_tasks-2-{field}_error") == "This names nobody. Name users or groups, or clear it."


def test_an_approver_that_is_worked_out_stays_as_it_is(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    Draft(client, made).set(tasks__1__approver="=evil()", tasks__1__name="B2").press()
    Draft(client, made).set(tasks__1__approver="olga").press()
    assert made.tasks.get(name="B2").approver == '=data["boss"]'


def test_whom_it_is_escalated_to_is_written_as_approvers_are(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    made.tasks.filter(name="B").update(due="1d", escalate_to='=data["boss"]')
    response = Draft(client, made).set(tasks__2__due="1d", tasks__2__escalate_to="=evil()").press()
    assert found(response, "id_tasks-2-escalate_to_error") == REFUSED
    page = Draft(client, made).set(tasks__1__escalate_to="=evil()", tasks__2__due="1d", tasks__2__escalate_to="olga")
    assert page.press().status_code == 302
    assert list(made.tasks.order_by("pk").values_list("escalate_to", flat=True)) == ["", '=data["boss"]', "olga"]


def test_a_check_does_not_run_around_it(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    response = Draft(client, made).set(tasks__0__code="evil()").press("_check")
    assert response.context["examined"].definition.task("A").code == "1"


def test_the_fields_are_shown_as_read_only_and_say_why(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    response = client.get(process_url(made))
    tasks, transitions, _ = (wrapped.formset for wrapped in response.context["inline_admin_formsets"])
    assert [form.fields["approver"].disabled for form in tasks.initial_forms] == [False, True, False]
    assert all(form.fields["code"].disabled for form in (*tasks.forms, tasks.empty_form))
    assert all(form.fields["condition"].disabled for form in (*transitions.forms, transitions.empty_form))
    assert REFUSED in text(response)


def test_with_the_permission_all_of_it_can_be_changed(client: Client, login: Login, made: Process) -> None:
    login(*OWNER, "edit_code")
    page = Draft(client, made).set(
        tasks__0__code="2", tasks__1__approver="=data['x']", transitions__0__condition="False"
    )
    page.press()
    assert (made.tasks.get(name="A").code, made.tasks.get(name="B").approver) == ("2", "=data['x']")
    assert made.transitions.get(sequence=10).condition == "False"


def test_who_may_only_look_sees_all_and_changes_nothing(client: Client, login: Login, made: Process) -> None:
    forged = Draft(_owner(client, login), made).set(name="Q", tasks__0__name="Q").data
    login("view_process", "view_task", "view_tasktransitions")
    page = text(client.get(process_url(made)))
    assert "What code can use" in page
    assert '=data["boss"]' in page
    assert client.post(process_url(made), forged).status_code == 403
    made.refresh_from_db()
    assert made.name == "P"


def test_the_right_to_code_alone_opens_nothing(client: Client, login: Login, made: Process) -> None:
    forged = Draft(_owner(client, login), made).set(tasks__0__code="2").data
    login("edit_code", "view_process", "view_task", "view_tasktransitions")
    assert client.post(process_url(made), forged).status_code == 403
    assert made.tasks.get(name="A").code == "1"


def test_rows_can_be_laid_by_who_may_not_touch_tasks(client: Client, login: Login, made: Process) -> None:
    forged = Draft(_owner(client, login), made).set(tasks__0__name="Q").data
    rights = ["change_process", "view_process", "add_tasktransitions", "change_tasktransitions", "view_tasktransitions"]
    for seen in (["view_task"], []):
        login(*rights, *seen)
        page = Draft(client, made)
        page.data = {**forged, **page.data}
        sequence = 30 + len(seen)
        assert page.row(sequence, "C").press().status_code == 302, seen
        assert made.transitions.get(sequence=sequence).task.name == "C"
        response = Draft(client, made).row(40, "Q").press()
        assert "This process has no task 'Q'." in text(response)
    assert made.tasks.filter(name="A").exists()


class TestSubProcesses:
    @pytest.fixture
    def parent(self, made: Process) -> Process:
        fields = {"subprocess": made, "input": "{'a': 1}", "output": "{'b': 2}"}
        return process("Parent", {"Go": fields}, (1, "Go"))

    @pytest.mark.parametrize("forged", ["evil()", ""])
    def test_what_goes_in_and_out_stays_as_it_is(
        self, client: Client, login: Login, parent: Process, forged: str
    ) -> None:
        login(*OWNER)
        page = Draft(client, parent).set(tasks__0__input=forged, tasks__0__output=forged, tasks__0__timeout="1d")
        assert page.press().status_code == 302
        task = parent.tasks.get()
        assert (task.input, task.output, task.timeout) == ("{'a': 1}", "{'b': 2}", timedelta(days=1))

    def test_a_new_one_gets_neither(self, client: Client, login: Login, made: Process) -> None:
        login(*OWNER)
        fields = {"subprocess": str(made.pk), "input": "evil()", "output": "evil()"}
        Draft(client).set(name="Q").task("New", **fields).row(30, "New").press()
        task = ours(Task).get(parent__name="Q")
        assert (task.subprocess, task.input, task.output) == (made, "", "")

    def test_both_are_shown_as_read_only(self, client: Client, login: Login, parent: Process) -> None:
        login(*OWNER)
        tasks, *_ = (wrapped.formset for wrapped in client.get(process_url(parent)).context["inline_admin_formsets"])
        for form in (*tasks.forms, tasks.empty_form):
            assert form.fields["input"].disabled
            assert form.fields["output"].disabled
            assert not form.fields["subprocess"].disabled

    def test_with_the_permission_both_can_be_changed(self, client: Client, login: Login, parent: Process) -> None:
        login(*OWNER, "edit_code")
        Draft(client, parent).set(tasks__0__input="{}", tasks__0__output="data").press()
        task = parent.tasks.get()
        assert (task.input, task.output) == ("{}", "data")


def _owner(client: Client, login: Login) -> Client:
    login(*OWNER, "edit_code", name="owner")
    return client

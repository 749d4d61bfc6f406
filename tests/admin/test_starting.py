"""Starting processes in the admin."""

import pytest
from django.test import Client

from tests.admin.conftest import OWNER, Login
from tests.admin.pages import messages, process_url, text
from tests.build import code, process
from tests.own import ours
from workflow.models import Process, RunningProcesses

pytestmark = pytest.mark.django_db


def start_url(*processes: Process) -> str:
    return "/admin/workflow/process/start/?" + "&".join(f"id={process.pk}" for process in processes)


@pytest.fixture
def made() -> Process:
    return process("P", {"A": code("1")}, (10, "A"))


def test_it_takes_its_permission(client: Client, login: Login, made: Process) -> None:
    login(*OWNER)
    assert "start/?id=" not in client.get(process_url(made)).content.decode()
    assert "start_selected" not in client.get("/admin/workflow/process/").content.decode()
    assert client.get(start_url(made)).status_code == 403
    assert client.post(start_url(made), {"json": ""}).status_code == 403
    client.post("/admin/workflow/process/", {"action": "start_selected", "_selected_action": made.pk})
    assert not ours(RunningProcesses).exists()


def test_an_instance_starts_with_its_data_in_the_name_of_who_started_it(
    client: Client, login: Login, made: Process
) -> None:
    user = login(*OWNER, "add_runningprocesses", "view_runningprocesses")
    assert start_url(made) in client.get(process_url(made)).content.decode()
    assert client.get(start_url(made)).status_code == 200
    assert not ours(RunningProcesses).exists(), "a GET starts nothing"
    response = client.post(start_url(made), {"json": '{"amount": {"$decimal": "1.50"}}'}, follow=True)
    instance = ours(RunningProcesses).get()
    assert (str(instance.data["amount"]), instance.started_by) == ("1.50", user)
    page = f"/admin/workflow/runningprocesses/{instance.pk}/change/"
    assert response.redirect_chain == [(page, 302)]
    assert messages(response) == [f'P was started as instance <a href="{page}">{instance.pk}</a>.']


def test_who_may_not_look_at_instances_is_told_the_number_alone(client: Client, login: Login, made: Process) -> None:
    login(*OWNER, "add_runningprocesses")
    response = client.post(start_url(made), {"json": ""}, follow=True)
    assert response.status_code == 200
    assert messages(response) == [f"P was started as instance {ours(RunningProcesses).get().pk}."]


def test_several_are_started_all_or_none(client: Client, boss: Client, made: Process) -> None:
    sound, broken = process("Q", {"A": code("1")}, (10, "A")), process("Broken", {"A": code("oops")}, (10, "A"))
    keys = [made.pk, broken.pk]
    response = client.post("/admin/workflow/process/", {"action": "start_selected", "_selected_action": keys})
    response = client.post(response.url, {"json": ""})
    assert "The process 'Broken' can't be started before its mistakes are mended" in text(response)
    assert "There is no 'oops'" in text(response)
    assert not ours(RunningProcesses).exists()
    response = client.post(start_url(made, sound), {"json": '{"x": 1}'}, follow=True)
    assert len(messages(response)) == 2
    assert sorted(ours(RunningProcesses).values_list("process_name", "data__x")) == [("P", 1), ("Q", 1)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "This is not JSON: Expecting property name"),
        ("[1]", 'The data must be an object, such as {"amount": 12}, not list.'),
        ("[]", 'The data must be an object, such as {"amount": 12}, not list.'),
        ('{"x": NaN}', "NaN can't be kept"),
        ('{"x": {"$date": "tomorrow"}}', "is not right: write"),
    ],
)
def test_data_that_is_none_is_told_and_kept_in_the_field(boss: Client, made: Process, data: str, message: str) -> None:
    response = boss.post(start_url(made), {"json": data})
    assert message in text(response)
    assert response.context["form"]["json"].value() == data
    assert not ours(RunningProcesses).exists()


@pytest.mark.parametrize("query", ["", "id=", "id=x", "id=99", "id=99999999999999999999999"])
def test_nonsense_starts_nothing(boss: Client, query: str) -> None:
    assert "No process was chosen." in text(boss.get(f"/admin/workflow/process/start/?{query}"))
    assert "No process was chosen." in text(boss.post(f"/admin/workflow/process/start/?{query}", {"json": ""}))
    assert not ours(RunningProcesses).exists()

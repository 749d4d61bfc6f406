"""Starting by a page: what one may start, its form and its files; and that one form starts one instance."""

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from tests.build import code, form, manual, process
from tests.own import ours
from tests.users import User
from tests.views.who import client_of, somebody
from workflow.models import Process, RunningProcesses, Task, Upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna() -> User:
    return somebody("anna")


def claim(starters: str = "anna") -> Process:
    """A process with a form, that anna may start."""
    made = process("Claim", {"A": code("1")}, (1, "A"))
    form(made, None, amount={"kind": "money", "required": True}, receipt="file", note="text")
    ours(Process).filter(pk=made.pk).update(starters=starters, description="Money back")
    return made


def address(made: Process) -> str:
    return f"/start/{made.pk}/"


def token_of(client: Client, made: Process) -> str:
    """The token of a form that is opened."""
    found = re.search(r'name="token" value="([^"]+)"', client.get(address(made)).content.decode())
    assert found is not None
    return found[1]


def listed(client: Client, query: str = "") -> list[str]:
    return [one.name for one in client.get(f"/start/{query}").context["processes"]]


class TestList:
    @pytest.mark.alone("It looks at whole lists.")
    def test_it_has_what_one_may_start_and_what_is_ready(self, anna: User) -> None:
        claim()
        for name in ("Other", "Broken"):
            process(name, {"A": code("1" if name == "Other" else "1 +")}, (1, "A"))
        ours(Process).filter(name="Broken").update(starters="anna")
        assert listed(client_of(anna)) == ["Claim"]
        assert listed(client_of(somebody("pat", "add_runningprocesses"))) == ["Other"]
        page = client_of(somebody("bert")).get("/start/").content.decode()
        assert "There is nothing for you to start" in page

    def test_it_is_searched_by_name_and_description(self, anna: User) -> None:
        claim()
        for number in range(12):
            process(f"P{number}", {"A": code("1")}, (1, "A"))
        ours(Process).update(starters="anna")
        client = client_of(anna)
        assert len(listed(client)) == 13
        assert listed(client, "?text=money") == ["Claim"]
        assert listed(client, "?text=p1") == ["P1", "P10", "P11"]
        assert "has “zz” in its name" in client.get("/start/?text=zz%00").content.decode()

    @pytest.mark.alone("It looks at whole lists.")
    @pytest.mark.parametrize("count", [1, 70])
    def test_it_takes_few_queries(self, count: int, django_assert_max_num_queries: Any) -> None:
        somebody("mark")
        for number in range(count):
            process(f"P{number:02}", {"A": code("1"), "B": manual("mark")}, (1, "A"), (2, "B"))
        client = client_of(somebody("pat", "add_runningprocesses"))
        listed(client)  # the checker remembers
        with django_assert_max_num_queries(15):
            assert len(listed(client)) == min(count, 60)


class TestForm:
    def test_it_starts_with_the_answers_and_leads_to_the_instance(self, anna: User) -> None:
        made, client = claim(), client_of(anna)
        sent = {
            "token": token_of(client, made),
            "amount": "12.50",
            "receipt": SimpleUploadedFile("receipt.txt", b"paid"),
        }
        response = client.post(address(made), sent, follow=True)
        instance = ours(RunningProcesses).get()
        assert response.redirect_chain == [(f"/instances/{instance.pk}/", 302)]
        assert f"Claim {instance.pk} was started." in response.content.decode()
        assert instance.started_by == anna
        assert str(instance.data["amount"]) == "12.50"
        assert ours(Upload).get().instance == instance

    def test_one_form_starts_once_however_often_it_is_sent(self, anna: User) -> None:
        made, client = claim(), client_of(anna)
        sent = {"token": token_of(client, made), "amount": "1"}
        first = client.post(address(made), sent)
        again = client.post(address(made), {**sent, "receipt": SimpleUploadedFile("a.txt", b"a")}, follow=True)
        instance = ours(RunningProcesses).get()
        assert first["Location"] == again.redirect_chain[-1][0] == f"/instances/{instance.pk}/"
        assert f"This form has started Claim {instance.pk} already." in again.content.decode()
        assert not ours(Upload).exists()
        client.post(address(made), {**sent, "token": token_of(client, made)})
        assert ours(RunningProcesses).count() == 2

    def test_somebody_else_does_not_get_there_by_its_token(self, anna: User) -> None:
        made, client = claim("anna, bert"), client_of(anna)
        sent = {"token": token_of(client, made), "amount": "1"}
        client.post(address(made), sent)
        client_of(somebody("bert")).post(address(made), sent)
        assert sorted(one.started_by.get_username() for one in ours(RunningProcesses).all()) == ["anna", "bert"]

    @pytest.mark.parametrize("token", ["", "7", "x" * 300])
    def test_without_a_token_nothing_starts(self, anna: User, token: str) -> None:
        response = client_of(anna).post(address(claim()), {"token": token, "amount": "1"})
        assert response.status_code == 400
        assert not ours(RunningProcesses).exists()

    def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(self, anna: User) -> None:
        made, client = claim(), client_of(anna)
        token = token_of(client, made)
        response = client.post(address(made), {"token": token, "amount": "much", "note": "for Anna"})
        page = response.content.decode()
        assert response.status_code == 422
        assert re.search(r'name="amount"[^>]*value="much"[^>]*aria-invalid="true"', page)
        assert 'value="for Anna"' in page
        assert f'value="{token}"' in page
        assert not ours(RunningProcesses).exists()

    def test_what_the_process_refuses_is_told(self, anna: User) -> None:
        made, client = claim(), client_of(anna)
        sent = {"token": token_of(client, made), "amount": "1", "note": "x" * 500}
        with override_settings(WORKFLOW={"MAX_DATA_BYTES": 100}):
            response = client.post(address(made), sent)
        assert response.status_code == 422
        assert "the limit (MAX_DATA_BYTES) is 100" in response.content.decode()

    def test_a_forged_form_starts_nothing(self, anna: User) -> None:
        made = claim()
        response = client_of(anna, csrf=True).post(address(made), {"token": token_of(client_of(anna), made)})
        assert response.status_code == 403
        assert not ours(RunningProcesses).exists()

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_for_whom_it_is_not_there_is_none(self, method: str) -> None:
        made = claim()
        assert getattr(client_of(somebody("bert")), method)(address(made)).status_code == 404
        assert getattr(client_of(somebody("carl")), method)("/start/999/").status_code == 404
        assert getattr(Client(), method)(address(made))["Location"] == f"/login/?next={address(made)}"
        assert not ours(RunningProcesses).exists()

    def test_with_mistakes_it_says_so_and_to_who_defines_it_what(self, anna: User) -> None:
        made = claim("")
        ours(Task).update(code="1 +")
        reader = somebody("pat", "add_runningprocesses")
        page = client_of(reader).get(address(made)).content.decode()
        assert "It can't be started now" in page
        assert "has to mend them first" in page
        assert 'name="token"' not in page
        owner = somebody("olga", "add_runningprocesses", "change_process")
        assert "Task &#x27;A&#x27;, code" in client_of(owner).get(address(made)).content.decode()

    def test_it_takes_few_queries(self, anna: User, django_assert_max_num_queries: Any) -> None:
        made, client = claim(), client_of(anna)
        client.get(address(made))
        with django_assert_max_num_queries(15):
            client.get(address(made))

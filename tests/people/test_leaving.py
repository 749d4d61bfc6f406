"""Users who are deleted: refused while open work depends on them, and else without any loss of history."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.messages import get_messages
from django.db.models import ProtectedError
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User
from workflow import operations
from workflow.models import Barred, Decision, Intervention, Notice, RunningProcesses, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)

DEACTIVATE = (
    "Deactivate the user instead: then nobody logs in as them, and the history and the open work stay as they are."
)


def sign(approver: str = "anna, managers", **fields: Any) -> None:
    process("Sign", {"Sign": manual(approver, **fields), "End": code("1")}, (1, "Sign"), (2, "End"))


def kept(user: Any) -> str:
    """Why the user is not deleted. Nothing may have changed."""
    before = ours(User).count(), list(ours(WaitingForApproval).values()), ours(RunningProcesses).count()
    with pytest.raises(ProtectedError) as raised:
        user.delete()
    assert before == (
        ours(User).count(),
        list(ours(WaitingForApproval).values()),
        ours(RunningProcesses).count(),
    )
    told, objects = raised.value.args
    assert objects
    return str(told)


class TestRefused:
    def test_who_is_asked_by_name(self, people: People) -> None:
        sign()
        waits("Sign")
        assert kept(people.anna) == f"A task that waits asks anna by name. {DEACTIVATE}"
        waits("Sign")
        assert kept(people.anna) == f"2 tasks that wait ask anna by name. {DEACTIVATE}"
        people.carl.delete()  # Dora is left of the managers

    def test_who_has_voted_on_another_task_only(self, people: People) -> None:
        sign(quorum=2)
        operations.approve(waits("Sign"), by=people.anna)
        waits("Sign")
        assert kept(people.anna) == f"A task that waits asks anna by name. {DEACTIVATE}"

    def test_who_has_claimed_a_task(self, people: People) -> None:
        sign()
        operations.claim(waits("Sign"), people.carl)
        assert kept(people.carl) == f"carl has claimed a task. {DEACTIVATE}"

    @pytest.mark.parametrize(("approver", "quorum", "left"), [("managers", 1, 1), ("managers", 2, 2), ("", 1, 1)])
    def test_who_is_the_last_that_can_decide(self, people: People, approver: str, quorum: int, left: int) -> None:
        sign(approver, quorum=quorum)
        waits("Sign")
        ours(User).filter(is_superuser=True).update(is_staff=False)
        asked = [people.carl, people.dora] if approver else [people.staff]
        while len(asked) > left:
            asked.pop().delete()
        for user in asked:
            name = user.get_username()
            assert kept(user) == f"Without {name}, too few people are left who can decide a task. {DEACTIVATE}"
        Group.objects.get(name="managers").user_set.add(people.emil)
        ours(User).filter(pk=people.emil.pk).update(is_staff=True)
        asked[0].delete()

    def test_who_started_what_they_may_not_decide(self, people: People) -> None:
        sign(not_starter=True)
        waiting = waits("Sign", user=people.emil)
        told = "emil has started an instance that its starter may not decide."
        assert kept(people.emil) == f"{told} {DEACTIVATE}"
        ours(User).filter(pk=people.emil.pk).update(is_active=False)
        people.emil.refresh_from_db()
        assert kept(people.emil) == f"{told} Keep the user deactivated until that is over."
        operations.approve(waiting, by=people.carl)
        run_until_idle()
        people.emil.delete()

    def test_all_at_once_or_none(self, people: People) -> None:
        sign()
        waits("Sign")
        with pytest.raises(ProtectedError):
            ours(User).filter(pk__in=[people.emil.pk, people.anna.pk]).delete()
        assert ours(User).filter(pk=people.emil.pk).exists()


class TestDeleted:
    def test_who_has_voted_already(self, people: People) -> None:
        sign(quorum=2)
        waiting = waits("Sign")
        operations.approve(waiting, by=people.anna)
        anna = people.anna.pk
        people.anna.delete()
        waiting.refresh_from_db()
        assert waiting.votes == 1
        assert list(ours(Barred).values_list("user_id", "why")) == [(anna, "voted")], "the bar outlives its user"
        run = operations.approve(waiting, by=people.dora)
        assert [one["user"] for one in run.result["votes"]] == ["anna", "dora"]

    def test_whoever_has_left_and_what_they_have_done_stays(self, people: People) -> None:
        sign()
        waiting = waits("Sign", user=people.carl)
        operations.claim(waiting, people.carl)
        operations.approve(waiting, by=people.carl)
        run_until_idle()
        other = waits("Sign")
        people.carl.delete()
        instance = ours(RunningProcesses).get(pk=waiting.rpid_id)
        made = [instance.started, ours(Decision).get().made, ours(Intervention).get().made]
        assert [one.user.username for one in made if one.user] == ["carl"] * 3
        assert ours(WaitingForApproval).get() == other

    def test_who_is_not_active_may_be_named_still(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        ours(User).filter(pk=people.anna.pk).update(is_active=False)
        people.anna.refresh_from_db()
        people.anna.delete()
        assert operations.approve(waiting, by=people.carl).state == "FINISHED"


@pytest.mark.demo
class TestAdmin:
    @pytest.fixture
    def boss(self, people: People) -> Client:
        client = Client()
        client.force_login(people.root)
        sign()
        waits("Sign")
        return client

    def test_it_says_why_and_has_no_button(self, people: People, boss: Client) -> None:
        address = reverse("admin:auth_user_delete", args=[people.anna.pk])
        for response in boss.get(address), boss.post(address, {"post": "yes"}):
            page = response.content.decode()
            assert f"A task that waits asks anna by name. {DEACTIVATE}" in page
            assert "Sign: Sign" in page
            assert 'type="submit" value="Yes' not in page
        assert ours(User).filter(pk=people.anna.pk).exists()

    def test_of_several_none_is_deleted(self, people: People, boss: Client) -> None:
        chosen = [people.anna.pk, people.emil.pk]
        data = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
        assert DEACTIVATE in boss.post(reverse("admin:auth_user_changelist"), data).content.decode()
        assert ours(User).filter(pk__in=chosen).count() == 2

    def test_on_whom_nothing_depends_is_deleted(self, people: People, boss: Client) -> None:
        operations.delegate(ours(WaitingForApproval).get(), people.emil)
        operations.approve(ours(WaitingForApproval).get(), by=people.emil)
        assert ours(Notice).filter(user=people.emil).exists(), "which nobody may delete in the admin"
        response = boss.post(reverse("admin:auth_user_delete", args=[people.emil.pk]), {"post": "yes"})
        assert response.status_code == 302
        assert not ours(User).filter(pk=people.emil.pk).exists()

    @pytest.mark.parametrize("several", [False, True])
    def test_one_on_whom_something_depends_since_the_page_was_shown(
        self, people: People, boss: Client, *, several: bool
    ) -> None:
        class Late(type(admin.site.get_model_admin(User))):  # type: ignore[misc]
            def get_deleted_objects(self, objs: Any, request: Any) -> Any:
                found = super().get_deleted_objects([], request)
                assert not found[3]
                return found

        shown = Late(User, admin.site)
        request = boss.post("/").wsgi_request
        request._dont_enforce_csrf_checks = True
        chosen = [str(people.emil.pk), str(people.anna.pk)]
        request.POST = QueryDict(mutable=True)
        request.POST["post"] = "yes"
        if several:
            request.POST["action"] = "delete_selected"
            request.POST.setlist("_selected_action", chosen)
            response = shown.changelist_view(request)
        else:
            response = shown.delete_view(request, chosen[1])
        assert response.status_code == 302
        assert list(map(str, get_messages(request))) == [f"A task that waits asks anna by name. {DEACTIVATE}"]
        assert ours(User).filter(pk__in=chosen).count() == 2
        assert not LogEntry.objects.exists(), "nothing says that they were deleted"

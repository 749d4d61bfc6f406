"""Whom a name means that a user and a group have, and how to say which of the two."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from hypothesis import given
from hypothesis import strategies as st

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, rename
from workflow import approvers, circle, operations, starting
from workflow.errors import NotAllowed, NotStartable
from workflow.models import Process, RunningProcesses, Task, WaitingForApproval
from workflow.models.people import find, names_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def annas(people: People) -> Group:
    """A group that has the name of a user, who is not in it."""
    group = Group.objects.create(name="anna")
    group.user_set.add(people.bert)
    return group


def asked(waiting: WaitingForApproval, people: People) -> set[str]:
    return {user.get_username() for user in people if list(operations.inbox(user).filter(pk=waiting.pk))}


def test_find_tells_users_from_groups(people: People, annas: Group) -> None:
    found = find(["anna", "user:anna", "group:anna", "user:managers", "group:bert", "user:gone"])
    assert found.users == {"anna": people.anna.pk, "user:anna": people.anna.pk}
    assert found.groups == {"anna": annas.pk, "group:anna": annas.pk}
    assert found.unknown == ["user:managers", "group:bert", "user:gone"]
    assert found.ambiguous == ["anna"]


@pytest.mark.usefixtures("annas")
class TestAmbiguous:
    @pytest.mark.parametrize("field", ["approver", "escalate_to"])
    def test_it_is_an_error_that_says_what_would_be_right(self, field: str) -> None:
        made = process("P", {"Sign": manual(**{"approver": "bert", "due": "1d", field: "bert, anna"})}, (1, "Sign"))
        (finding,) = starting.findings(made)
        assert (finding.level, finding.field) == ("error", field)
        assert finding.message == "A user and a group are both named 'anna'. Write user:anna or group:anna."
        with pytest.raises(NotStartable, match="both named 'anna'"):
            operations.start("P")
        assert operations.ready([made]) == {}
        ours(Task).update(**{field: "bert, user:anna"})
        assert starting.findings(made) == []
        assert list(operations.ready([made])) == ["P"]

    def test_what_was_frozen_before_keeps_its_meaning(self, people: People) -> None:
        ours(Group).filter(name="anna").delete()
        process("P", {"Before": code("wait_for('go')"), "Sign": manual("anna")}, (1, "Before"), (2, "Sign"))
        operations.start("P")
        run_until_idle()
        Group.objects.create(name="anna").user_set.add(people.bert)
        operations.signal("go")
        operations.signal("go")
        operations.start("P")
        run_until_idle()
        for waiting in ours(WaitingForApproval).all():
            assert asked(waiting, people) == {"anna", "bert"}
        assert ours(RunningProcesses).filter(state="WAITING").count() == 2

    @pytest.mark.parametrize(("written", "expected"), [("user:anna", {"anna"}), ("group:anna", {"bert"})])
    @pytest.mark.parametrize("how", ["approver", "expression", "code", "list"])
    def test_the_kind_says_who_is_asked(self, people: People, written: str, expected: set[str], how: str) -> None:
        task = {
            "approver": manual(written),
            "expression": manual("=data['who']"),
            "list": manual("=[data['who']]"),
            "code": code(f"approval({written!r}, 'Well?')"),
        }[how]
        process("P", {"Sign": task}, (1, "Sign"))
        waiting = waits("P", {"who": written})
        assert asked(waiting, people) == expected
        assert "it waits for anna." in operations.why_not(people.emil, waiting)
        operations.resolve_again(waiting)
        assert asked(waiting, people) == expected

    def test_who_is_asked_once_it_is_late(self, people: People) -> None:
        task = manual("emil", due="1h", escalate_to="group:anna")
        process("P", {"Sign": task}, (1, "Sign"))
        waiting = waits("P")
        circle.widen(waiting, ["group:anna"])
        assert asked(waiting, people) == {"emil", "bert"}

    @pytest.mark.parametrize(("written", "may"), [("user:anna", "anna"), ("group:anna", "bert")])
    def test_who_may_start_it(self, people: People, written: str, may: str) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        ours(Process).update(starters=written)
        assert {user.get_username() for user in people if operations.startable(user)} == {may, "root"}
        with pytest.raises(NotAllowed, match=f"it is started by {written}"):
            operations.start("P", user=people.emil)


def test_a_name_that_really_begins_so(people: People) -> None:
    """It counts where nobody has the rest of it as a name, so that nobody takes somebody's place by their own name."""
    odd = Group.objects.create(name="group:sales")
    odd.user_set.add(people.emil)
    assert find(["group:sales", "group:group:sales"]).groups == {"group:sales": odd.pk, "group:group:sales": odd.pk}
    assert "group:sales" in names_of(people.emil)
    sales = Group.objects.create(name="sales")
    assert find(["group:sales", "group:group:sales"]).groups == {"group:sales": sales.pk, "group:group:sales": odd.pk}
    assert "group:sales" not in names_of(people.emil)
    thief = User.objects.create_user("user:anna")
    assert find(["user:anna"]).users == {"user:anna": people.anna.pk}
    assert "user:anna" not in names_of(thief)
    assert "user:user:anna" in names_of(thief)


def test_whom_it_concerned_is_told_who_was_quicker(people: People, client: Any) -> None:
    process("P", {"Sign": manual("user:anna, group:managers")}, (1, "Sign"))
    waiting = waits("P")
    operations.approve(waiting, by=people.carl)
    client.force_login(people.dora)
    assert "carl approved it" in client.get(f"/waiting/{waiting.task_run_id}/").content.decode()


@given(st.text(alphabet="usergop: añ\u2028😀", max_size=12))
def test_a_name_is_of_one_kind_or_of_any(name: str) -> None:
    kinds = (approvers.as_user(name), approvers.as_group(name))
    if approvers.tells_kind(name):
        assert sorted(map(bool, kinds)) == [False, True]
    else:
        assert kinds == (name, name)
    assert approvers.bare(name) == (kinds[0] or kinds[1])


def test_whom_it_asks_is_told_by_the_name_of_today(people: People) -> None:
    process("P", {"Sign": manual("anna, managers, bert")}, (1, "Sign"))
    waiting, bystander = waits("P"), waits("P")
    assert waiting.asked == "anna, managers, bert"
    rename("anna", "anne")
    somebody_else = User.objects.create_user("anna")
    for one in (waiting, bystander, *WaitingForApproval.objects.filter(pk=waiting.pk).with_asked()):
        assert one.asked == "anne, bert, managers"
    assert operations.why_not(somebody_else, waiting).endswith(": it waits for anne, bert, managers.")
    operations.delegate(waiting, people.emil, User.objects.get(pk=people.anna.pk))
    assert waiting.asked == "anne, bert, managers, emil"

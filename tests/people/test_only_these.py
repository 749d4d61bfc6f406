"""A decision concerns one task, a right one user, and what one may look at oneself: whatever else there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User
from workflow import operations
from workflow.deciding import Bar
from workflow.errors import NotAllowed
from workflow.models import Absence, Barred, Decision, Intervention, RunningProcesses, WaitingForApproval
from workflow.people.rights import why_not_operate

pytestmark = pytest.mark.django_db(transaction=True)

EVERYBODY = "anna, bert, managers"


def sign(approver: str = EVERYBODY, name: str = "Sign", **fields: Any) -> None:
    process(name, {"Sign": manual(approver, **fields), "End": code("1")}, (1, "Sign"), (2, "End"))


def away(user: Any, stand_in: Any) -> None:
    today, day = timezone.localdate(), timedelta(days=1)
    Absence.objects.create(user=user, stand_in=stand_in, first_day=today - day, last_day=today + day)


def state_of(waiting: WaitingForApproval) -> dict[str, Any]:
    return dict(WaitingForApproval.objects.filter(pk=waiting.pk).values()[0])


class TestDeciding:
    def test_a_vote_counts_for_the_task_that_it_is_about_alone(self, people: People) -> None:
        sign(quorum=3)
        sign(name="Alone")
        one, *others = waits("Sign"), waits("Sign"), waits("Alone")
        operations.claim(others[1], people.bert)
        before = [state_of(other) for other in others]
        operations.approve(one, by=people.anna)
        assert state_of(one)["votes"] == 1
        assert [state_of(other) for other in others] == before
        assert set(Barred.objects.values_list("waiting", "user", "why").filter(waiting__in=[one, *others])) == {
            (one.pk, people.anna.pk, Bar.VOTED)
        }

    def test_who_held_it_holds_it_no_more_once_they_have_voted(self, people: People) -> None:
        sign(quorum=2)
        waiting = waits("Sign")
        # As one could before several had to decide it.
        WaitingForApproval.objects.filter(pk=waiting.pk).update(claimed_by=people.anna, claimed_at=timezone.now())
        operations.approve(waiting, by=people.anna)
        found = state_of(waiting)
        assert (found["claimed_by_id"], found["claimed_at"], found["votes"]) == (None, None, 1)

    def test_votes_on_another_instance_are_not_told_as_its_own(self, people: People) -> None:
        sign(quorum=2)
        one, other = waits("Sign"), waits("Sign")
        operations.approve(other, by=people.carl)
        for by in (people.anna, people.bert):
            run = operations.approve(one, by=by)
        assert run.result is not None
        assert [vote["user"] for vote in run.result["votes"]] == ["anna", "bert"]

    def test_what_a_decision_leaves_without_effect_is_of_that_instance(self, people: People) -> None:
        tasks = {"A": manual(EVERYBODY), "B": manual(EVERYBODY)}
        process("Both", tasks, (1, "A", {"ends_step": True}), (1, "B"))
        one, other = waits("Both", task="A"), waits("Both", task="A")
        operations.approve(one, by=people.anna)
        left = ours(WaitingForApproval).values_list("rpid", "task_name")
        assert set(left) == {(other.rpid_id, "A"), (other.rpid_id, "B")}


class TestKeepingApart:
    def two(self) -> tuple[WaitingForApproval, WaitingForApproval, WaitingForApproval]:
        """Two tasks beside each other, which different people decide, with a third that everybody may decide."""
        tasks = {"A": manual(EVERYBODY), "B": manual(EVERYBODY, not_same_as="A"), "C": manual(EVERYBODY)}
        if not ours(RunningProcesses).exists():
            process("Apart", tasks, (1, "A"), (1, "B"), (1, "C"))
        of = waits("Apart", task="A").rpid
        found = {one.task_name: one for one in of.waiting.all()}
        return found["A"], found["B"], found["C"]

    def test_who_decided_one_is_kept_from_the_other_and_from_nothing_else(self, people: People) -> None:
        first, second, third = self.two()
        elsewhere = self.two()
        operations.approve(first, by=people.anna)
        assert not operations.may_decide(people.anna, second)
        assert "may not decide 'B'" in operations.why_not(people.anna, second)
        for waiting in (third, *elsewhere):
            assert operations.may_decide(people.anna, waiting)
        assert operations.may_decide(people.bert, second)
        kept = [one.pk for one in (first, second, third, *elsewhere)]
        assert list(Barred.objects.filter(waiting__in=kept).values_list("waiting", "user", "why")) == [
            (second.pk, people.anna.pk, Bar.DID)
        ]

    def test_what_they_hold_is_released_and_nothing_else_that_they_hold(self, people: People) -> None:
        first, second, third = self.two()
        other = self.two()[1]
        for waiting in (second, third, other):
            operations.claim(waiting, people.anna)
        operations.approve(first, by=people.anna)
        assert state_of(second)["claimed_by_id"] is None
        assert state_of(second)["claimed_at"] is None
        assert [state_of(one)["claimed_by_id"] for one in (third, other)] == [people.anna.pk] * 2
        told = ours(Intervention).filter(action="release").get()
        assert (told.instance_id, told.by, told.details) == (second.rpid_id, people.anna, "'B'")
        assert told.reason == "They may not decide it any more: anna has decided 'A'."

    def test_what_somebody_else_holds_stays_theirs(self, people: People) -> None:
        first, second, _ = self.two()
        operations.claim(second, people.bert)
        operations.approve(first, by=people.anna)
        assert state_of(second)["claimed_by_id"] == people.bert.pk
        assert not ours(Intervention).filter(action="release").exists()

    def test_an_operator_at_the_command_line_bars_nobody(self, people: People) -> None:
        first, second, _ = self.two()
        operations.approve(first)
        assert not second.barred.exists()

    def test_who_alone_may_decide_what_waits_beside_is_of_that_instance(self, people: People) -> None:
        tasks = {"A": manual(EVERYBODY), "B": manual("", same_as="A"), "C": manual("emil")}
        process("Same", tasks, (1, "A"), (1, "B"), (1, "C"))
        one, other = waits("Same", task="A"), waits("Same", task="A")
        operations.approve(one, by=people.anna)

        def asked(of: WaitingForApproval) -> dict[str, set[str]]:
            return {
                each.task_name: {who.user.get_username() for who in each.assignees.exclude(user=None)}
                for each in of.rpid.waiting.all()
            }

        assert asked(one) == {"B": {"anna"}, "C": {"emil"}}
        assert asked(other)["B"] == set()
        assert operations.inbox(people.anna).filter(rpid=one.rpid_id).get().task_name == "B"


class TestInboxes:
    def test_who_is_barred_is_not_asked_for_another_either(self, people: People) -> None:
        """A stand-in may not decide a task from which they are barred themselves."""
        sign("anna", not_starter=True)
        away(people.anna, people.bert)
        own, others = waits("Sign", user=people.bert), waits("Sign", user=people.carl)
        assert set(operations.inbox(people.bert)) == {others}
        with pytest.raises(NotAllowed):
            operations.approve(own, by=people.bert)

    def test_one_that_somebody_else_is_barred_from_is_there(self, people: People) -> None:
        sign("anna, bert", quorum=2)
        waiting = waits("Sign")
        operations.approve(waiting, by=people.bert)
        assert set(operations.inbox(people.anna)) == {waiting}
        assert not operations.inbox(people.bert).exists()

    @pytest.mark.parametrize("to_them", [False, True])
    def test_each_refusal_has_a_sentence(self, people: People, *, to_them: bool) -> None:
        """Also those that are said to users and to others alike."""
        sign("anna")
        waiting = waits("Sign")
        assert operations.why_not(people.gone, waiting, to_them=to_them) == (
            f"gone may not decide 'Sign' of instance {waiting.rpid_id}: the user is not active."
        )
        assert operations.why_not(people.anna, waiting, to_them=to_them) == ""
        assert operations.why_not(people.emil, waiting, to_them=to_them) == (
            "You may not decide this: it waits for anna."
            if to_them
            else f"emil may not decide 'Sign' of instance {waiting.rpid_id}: it waits for anna."
        )

    def test_who_holds_it_is_named(self, people: People) -> None:
        sign("anna, bert")
        waiting = waits("Sign")
        operations.claim(waiting, people.bert)
        waiting.refresh_from_db()
        assert operations.why_not(people.anna, waiting, to_them=True) == (
            "You may not decide this: bert has claimed it, and can release it."
        )


class TestOperating:
    def test_not_on_what_one_started_or_on_what_that_started_but_on_all_else(self, people: People) -> None:
        process("Child", {"Sign": manual("anna")}, (1, "Sign"))
        process("Parent", {"A": code("run_process('Child')")}, (1, "A"))
        for user in (people.operator, people.anna):
            operations.start("Parent", user=user)
        run_until_idle()
        for instance in ours(RunningProcesses):
            top = instance if instance.parent is None else instance.parent.run.instance
            refused = why_not_operate(people.operator, instance)
            assert bool(refused) == (top.started_by == people.operator), refused
            assert not why_not_operate(people.root, instance)
            assert "it takes the permission" in why_not_operate(people.anna, instance)


class TestLooking:
    @pytest.mark.parametrize(
        ("fields", "sees"),
        [
            ({"is_superuser": True}, True),
            ({"is_superuser": True, "is_staff": True}, True),
            ({"is_superuser": True, "is_active": False}, False),
            ({"is_staff": True}, False),
            ({}, False),
        ],
    )
    def test_superusers_see_everything_whether_they_are_staff_or_not(
        self, people: People, fields: dict[str, bool], *, sees: bool
    ) -> None:
        sign("anna")
        instance = waits("Sign").rpid
        user = User.objects.create_user("new", **fields)
        assert operations.sees_all(user) is sees
        assert operations.sees_inside(user) is sees
        assert operations.may_see(user, instance) is sees
        assert (instance in operations.visible_to(user)) is sees

    @pytest.mark.parametrize("name", ["view_runningprocesses", "operate_instances"])
    @pytest.mark.parametrize("fields", [{"is_staff": True}, {}, {"is_staff": True, "is_active": False}])
    def test_by_a_permission_as_active_staff_alone(self, people: People, name: str, fields: dict[str, bool]) -> None:
        user = User.objects.create_user("new", **fields)
        user.user_permissions.add(Permission.objects.get(codename=name))
        is_active_staff = fields == {"is_staff": True}
        assert operations.sees_all(user) is (is_active_staff and name == "view_runningprocesses")
        assert operations.sees_inside(user) is (is_active_staff and name == "operate_instances")

    def test_one_sees_what_one_has_to_do_with_oneself(self, people: People) -> None:
        """In each of the ways, of two instances, the one."""
        sign("anna", quorum=1)
        one, _ = waits("Sign", user=people.emil), waits("Sign", user=people.carl)
        assert set(operations.visible_to(people.emil)) == {one.rpid}
        process("Other", {"Sign": manual("dora")}, (1, "Sign"))
        waits("Other")
        operations.claim(one, people.anna)
        operations.release(WaitingForApproval.objects.get(pk=one.pk), people.anna)
        operations.approve(one, by=people.anna)
        run_until_idle()
        seen = set(operations.visible_to(people.anna))
        assert one.rpid in seen
        assert {instance.process_name for instance in seen} == {"Sign"}
        assert ours(Decision).get().user == people.anna

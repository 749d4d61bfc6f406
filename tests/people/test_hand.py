"""Claimed, released, handed on, and asked again: who may, what it changes, and that it is told in the history."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import named, rename
from workflow import clock, operations
from workflow.errors import AlreadyDecided, BadData, NoSuchUser, NotAllowed, NotPermitted
from workflow.models import Absence, Decision, Intervention, Process, RunningProcesses, WaitingForApproval
from workflow.standing import standing

pytestmark = pytest.mark.django_db(transaction=True)


def sign(approver: str = "anna, managers", **fields: Any) -> Process:
    return process("Sign", {"Sign": manual(approver, **fields), "End": code("1")}, (1, "Sign"), (2, "End"))


def told() -> list[tuple[str, str, str, str]]:
    """The history: what was done, to what, by whom, and why."""
    rows = ours(Intervention).order_by("pk")
    return [(one.action, one.details, str(one.by), one.reason) for one in rows]


class TestClaim:
    def test_text_that_can_not_be_kept(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        with pytest.raises(NoSuchUser):
            operations.user_named("an\0na")
        for comment in ("a\0b", "a\ud800b"):
            with pytest.raises(BadData, match="The comment holds"):
                operations.delegate(waiting, people.bert, people.anna, comment)
            with pytest.raises(BadData, match="The comment holds"):
                operations.approve(waiting, by=people.anna, comment=comment)
        assert not ours(Decision).exists()

    def test_it_is_held_until_it_is_released(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        operations.claim(waiting, people.carl)
        operations.claim(waiting, people.carl)
        waiting.refresh_from_db()
        assert waiting.claimed_by == people.carl
        assert waiting.claimed_at is not None
        with pytest.raises(NotAllowed, match="carl has claimed it"):
            operations.claim(waiting, people.dora)
        operations.release(waiting, people.carl)
        operations.claim(waiting, people.dora)
        assert told() == [
            ("claim", "'Sign'", "carl", ""),
            ("release", "'Sign'", "carl", ""),
            ("claim", "'Sign'", "dora", ""),
        ]

    def test_only_by_who_may_decide(self, people: People) -> None:
        sign()
        with pytest.raises(NotAllowed, match="it waits for anna, managers"):
            operations.claim(waits("Sign"), people.emil)

    def test_not_what_takes_several(self, people: People) -> None:
        sign(quorum=2)
        with pytest.raises(NotPermitted, match="takes 2 people, so nobody can have it alone"):
            operations.claim(waits("Sign"), people.carl)

    def test_not_what_is_decided(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        operations.approve(waiting, by=people.carl)
        for late in (operations.claim, operations.release, operations.resolve_again):
            with pytest.raises(AlreadyDecided):
                late(waiting, people.operator if late is operations.resolve_again else people.dora)

    def test_who_else_releases_it(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        with pytest.raises(NotPermitted, match="Nobody has claimed 'Sign'"):
            operations.release(waiting, people.carl)
        operations.claim(waiting, people.carl)
        with pytest.raises(NotAllowed, match="^dora can't release 'Sign' of instance .*: carl has claimed it.$"):
            operations.release(waiting, people.dora)
        operations.release(waiting, people.operator)
        assert list(operations.inbox(people.dora)) == [waiting]


class TestDelegate:
    def test_who_gets_it_holds_it_and_may_decide(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        operations.delegate(waiting, people.emil, people.carl, comment="you know it better")
        assert list(operations.inbox(people.emil)) == [waiting]
        assert list(operations.inbox(people.carl)) == []
        assert told() == [("delegate", "'Sign' to emil", "carl", "you know it better")]
        assert operations.approve(waiting, by=people.emil).decided_by == people.emil

    def test_nobody_hands_it_on_to_themselves(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        with pytest.raises(NotPermitted, match=r"^It is yours already\.$"):
            operations.delegate(waiting, people.carl, people.carl)
        assert told() == []

    def test_who_gives_it_back_gives_it_to_all(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        operations.delegate(waiting, people.emil, people.carl)
        operations.release(waiting, people.emil)
        assert all(list(operations.inbox(user)) == [waiting] for user in (people.carl, people.dora, people.emil))

    def test_of_several_one_vote_is_handed_on_and_can_come_back(self, people: People) -> None:
        sign(quorum=3)
        waiting = waits("Sign")
        operations.delegate(waiting, people.emil, people.carl)
        assert "it was handed on" in operations.why_not(people.carl, waiting)
        assert operations.why_not(people.bert, waiting).endswith(": it waits for anna, managers, emil.")
        assert standing(waiting.rpid, now=clock.now()) == "It waits for anna, managers, emil to decide “Sign”."
        assert list(operations.inbox(people.dora)) == [waiting]
        operations.delegate(waiting, people.carl, people.emil)
        assert operations.may_decide(people.carl, waiting)
        assert not operations.may_decide(people.emil, waiting)
        with pytest.raises(NotPermitted, match="dora is asked to decide 'Sign' of instance .* already"):
            operations.delegate(waiting, people.dora, people.carl)

    @pytest.mark.parametrize(("to", "why"), [("gone", "not active"), ("anna", "started themselves")])
    def test_not_to_who_can_not_decide_it(self, people: People, to: str, why: str) -> None:
        sign(not_starter=True)
        waiting = waits("Sign", user=people.anna)
        with pytest.raises(NotPermitted, match=why):
            operations.delegate(waiting, getattr(people, to), people.carl)

    def test_only_by_who_may_decide_it_or_operates(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        with pytest.raises(NotAllowed):
            operations.delegate(waiting, people.bert, people.emil)
        operations.delegate(waiting, people.emil)
        assert list(operations.inbox(people.emil)) == [waiting]

    def test_a_comment_has_its_limit(self, people: People) -> None:
        sign()
        with pytest.raises(BadData):
            operations.delegate(waits("Sign"), people.emil, people.carl, comment="x" * 2001)


class TestOperators:
    """They hand on what would wait for ever, and nothing to themselves: that would be to decide it."""

    def test_not_what_others_can_decide(self, people: People) -> None:
        sign()
        waiting, other = waits("Sign"), waits("Sign")
        operations.claim(waiting, people.carl)
        with pytest.raises(
            NotAllowed, match="operators delegate only what nobody can decide, and it waits for anna, managers"
        ):
            operations.delegate(waiting, people.bert, people.operator)
        assert [one[0] for one in told()] == ["claim"]
        waiting.refresh_from_db()
        assert waiting.claimed_by == people.carl
        assert not other.assignees.filter(user=people.bert).exists()

    def test_what_nobody_can_decide_but_not_to_themselves(self, people: People) -> None:
        sign("anna")
        waiting, bystander = waits("Sign"), waits("Sign", user=people.bert)
        named("anna").update(is_active=False)
        with pytest.raises(NotPermitted, match="^operator may not delegate 'Sign' of instance .* to themselves.$"):
            operations.delegate(waiting, people.operator, people.operator)
        with pytest.raises(NotPermitted, match="root may not delegate 'Sign' of instance .* to themselves"):
            operations.delegate(waiting, people.root, people.root)
        operations.delegate(waiting, people.emil, people.operator)
        assert list(operations.inbox(people.emil)) == [waiting]
        assert told() == [("delegate", "'Sign' to emil", "operator", "")]
        assert not bystander.assignees.filter(user=people.emil).exists()

    def test_not_to_whom_they_stand_in_for(self, people: People) -> None:
        sign("anna")
        waiting = waits("Sign")
        named("anna").update(is_active=False)
        today = timezone.localdate(clock.now())
        Absence.objects.create(user=people.emil, stand_in=people.bert, first_day=today, last_day=today)
        Absence.objects.create(user=people.bert, stand_in=people.operator, first_day=today, last_day=today)
        with pytest.raises(NotPermitted, match="to emil, for whom they stand in"):
            operations.delegate(waiting, people.emil, people.operator)
        operations.delegate(waiting, people.dora, people.operator)

    @pytest.mark.parametrize("how", ["delegate", "release", "resolve_again"])
    def test_not_in_what_they_started(self, people: People, how: str) -> None:
        sign("anna")
        waiting = waits("Sign", user=people.operator)
        operations.claim(waiting, people.anna)
        named("anna").update(is_active=False)
        given = (people.emil, people.operator) if how == "delegate" else (people.operator,)
        with pytest.raises(NotAllowed, match="operator started instance .* Only a superuser may operate"):
            getattr(operations, how)(waiting, *given)
        assert [one[0] for one in told()] == ["claim"]

    def test_who_is_asked_may_hand_on_what_they_started(self, people: People) -> None:
        sign("operator, anna")
        waiting = waits("Sign", user=people.operator)
        operations.claim(waiting, people.operator)
        operations.release(waiting, people.operator)
        operations.delegate(waiting, people.emil, people.operator)
        assert [one[0] for one in told()] == ["claim", "release", "delegate"]


class TestResolvedAgain:
    def test_by_what_the_approver_names_now(self, people: People) -> None:
        sign("=data['who']")
        waiting = waits("Sign", {"who": "anna"})
        operations.claim(waiting, people.anna)
        ours(RunningProcesses).update(data={"who": ["bert", "managers"]})
        operations.resolve_again(ours(WaitingForApproval).get(), people.operator)
        assert not operations.may_decide(people.anna, waiting)
        assert list(operations.inbox(people.bert)) == [waiting]
        assert list(operations.inbox(people.dora)) == [waiting]
        assert told()[-1] == ("resolve again", "'Sign': bert, managers", "operator", "")
        assert ours(WaitingForApproval).get().approver == "bert, managers"

    def test_who_was_handed_it_is_asked_no_more_and_votes_stay(self, people: People) -> None:
        sign(quorum=3)
        waiting = waits("Sign")
        operations.approve(waiting, by=people.anna)
        operations.delegate(waiting, people.emil, people.carl)
        operations.resolve_again(waiting)
        assert operations.may_decide(people.carl, waiting)
        assert not operations.may_decide(people.emil, waiting)
        assert not operations.may_decide(people.anna, waiting)

    def test_a_question_of_code_asks_a_group_that_was_made_anew(self, people: People) -> None:
        process("Ask", {"Ask": code("approval('managers', 'Well?')")}, (1, "Ask"))
        waiting = waits("Ask")
        ours(Group).all().delete()
        Group.objects.create(name="managers").user_set.add(people.emil)
        assert list(ours(WaitingForApproval).undecidable()) == [waiting]
        operations.resolve_again(waiting)
        assert list(operations.inbox(people.emil)) == [waiting]

    def test_only_by_operators(self, people: People) -> None:
        sign()
        with pytest.raises(NotAllowed, match=r"it takes the permission workflow\.operate_instances"):
            operations.resolve_again(waits("Sign"), people.carl)

    def test_one_that_can_not_be_resolved_stays_as_it_is(self, people: People) -> None:
        sign("anna")
        waiting = waits("Sign")
        rename("anna", "hanna")
        with pytest.raises(BadData, match="The approver is 'anna', but no active user or group has that name"):
            operations.resolve_again(waiting)
        assert operations.may_decide(people.anna, waiting)


def test_a_loop_asks_anew_without_what_was_handed_on(people: People) -> None:
    tasks = {"Sign": manual("anna, bert"), "Again": code("1"), "End": code("1")}
    process("Loop", tasks, (1, "Sign", {"on_reject": 2, "then": 3}), (2, "Again", {"then": 1}), (3, "End"))
    first = waits("Loop")
    operations.delegate(first, people.emil, people.anna)
    operations.reject(first, by=people.emil)
    run_until_idle()
    second = ours(WaitingForApproval).get()
    assert second.claimed_by is None
    assert list(operations.inbox(people.emil)) == []
    assert list(operations.inbox(people.anna)) == [second]

"""Decisions: each refusal with what it says, quorums, forms, and what is kept."""

import hashlib
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import signing

from tests.build import code, form, manual, outline, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, unsaved
from workflow import operations, operators
from workflow.errors import AlreadyDecided, BadData, NoSuchInstance, NotAllowed, Stale, WorkflowError
from workflow.models import Decision, Process, RunningProcesses, TaskRun, WaitingForApproval
from workflow.people.seen import MD5_OF_DATA, SALT, fingerprint, seen_in_a_list

pytestmark = pytest.mark.django_db(transaction=True)


def sign(approver: str = "anna, managers", **fields: Any) -> Process:
    return process(
        "Sign", {"Sign": manual(approver, **fields), "End": code("data['seen'] = dict(data)")}, (1, "Sign"), (2, "End")
    )


def refused(error: type[WorkflowError], waiting: WaitingForApproval, by: Any, **options: Any) -> str:
    """What somebody is told who approves. Nothing may have changed."""
    before = list(ours(WaitingForApproval).values()), list(ours(TaskRun).values("state")), ours(Decision).count()
    with pytest.raises(error) as raised:
        operations.approve(waiting, by=by, **options)
    now = list(ours(WaitingForApproval).values()), list(ours(TaskRun).values("state")), ours(Decision).count()
    assert now == before
    return str(raised.value)


def in_the_database(waiting: WaitingForApproval) -> str:
    """What a list shows of the data: nothing but whether it has changed."""
    return fingerprint(ours(RunningProcesses).filter(pk=waiting.rpid_id).values_list(MD5_OF_DATA, flat=True).get())


class TestRefusals:
    def test_who_is_not_asked(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        told = refused(NotAllowed, waiting, people.emil)
        assert told == f"emil may not decide 'Sign' of instance {waiting.rpid_id}: it waits for anna, managers."
        assert operations.why_not(people.emil, waiting) == told

    def test_who_is_not_active(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        ours(User).filter(pk=people.anna.pk).update(is_active=False)
        people.anna.refresh_from_db()
        assert refused(NotAllowed, waiting, people.anna).endswith("the user is not active.")

    @pytest.mark.parametrize("who", ["carl", "root"])
    def test_who_started_it(self, people: People, who: str) -> None:
        sign(not_starter=True)
        starter = getattr(people, who)
        waiting = waits("Sign", user=starter)
        told = refused(NotAllowed, waiting, starter)
        assert told.endswith("nobody decides what they have started themselves.")
        assert operations.approve(waiting, by=people.dora).decided_by == people.dora

    def test_without_being_forbidden_one_decides_what_one_started(self, people: People) -> None:
        sign()
        assert operations.approve(waits("Sign", user=people.carl), by=people.carl).state == "FINISHED"

    def test_a_claim_of_somebody_else(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        operations.claim(waiting, people.carl)
        told = refused(NotAllowed, waiting, people.anna)
        assert told.endswith("carl has claimed it, and can release it.")
        assert operations.approve(waiting, by=people.carl).state == "FINISHED"

    def test_somebody_was_quicker(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        operations.approve(waiting, by=people.carl)
        assert refused(AlreadyDecided, waiting, people.anna).startswith("carl approved 'Sign' of instance")

    def test_a_second_vote(self, people: People) -> None:
        sign(quorum=2)
        waiting = waits("Sign")
        operations.approve(waiting, by=people.carl)
        told = refused(AlreadyDecided, waiting, people.carl)
        assert told == f"carl has decided 'Sign' of instance {waiting.rpid_id} already; the others are still asked."

    def test_an_instance_that_was_purged(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        ours(RunningProcesses).all().delete()
        refused(NoSuchInstance, waiting, people.carl)

    def test_a_question_that_code_has_left_behind(self, people: People) -> None:
        process("Ask", {"Ask": code('approval("anna", "One?")\napproval("anna", "Two?")')}, (1, "Ask"))
        first = waits("Ask")
        operations.reject(first, by=people.anna)
        run_until_idle()
        assert refused(AlreadyDecided, first, people.anna) == (
            f"'Ask' of instance {first.rpid_id} waits no more: the instance has moved on. Nothing was changed."
        )


class TestSeparation:
    def two(self, **second: Any) -> None:
        tasks = {"First": manual("anna, managers"), "Second": manual(**second), "End": code("1")}
        process("Two", tasks, (1, "First"), (2, "Second", {"on_reject": 1}), (3, "End"))

    def at_second(self, first: Any) -> WaitingForApproval:
        operations.approve(waits("Two"), by=first)
        run_until_idle()
        return ours(WaitingForApproval).get()

    def test_not_who_did_the_other_task(self, people: People) -> None:
        self.two(approver="anna, managers", not_same_as="First")
        waiting = self.at_second(people.carl)
        assert refused(NotAllowed, waiting, people.carl).endswith(
            "they, or a stand-in of theirs, decided another task, and different people must decide the two."
        )
        assert operations.approve(waiting, by=people.dora).state == "FINISHED"

    def test_not_even_a_superuser_who_did_it(self, people: People) -> None:
        self.two(not_same_as="First")
        refused(NotAllowed, self.at_second(people.root), people.root)

    def test_only_who_did_the_other_task(self, people: People) -> None:
        self.two(same_as="First")
        waiting = self.at_second(people.carl)
        assert refused(NotAllowed, waiting, people.dora).endswith("it waits for whoever decided 'First'.")
        assert list(operations.inbox(people.carl)) == [waiting]
        assert operations.approve(waiting, by=people.carl).state == "FINISHED"

    def test_in_a_loop_who_did_it_last_counts(self, people: People) -> None:
        self.two(approver="anna, managers", not_same_as="First")
        operations.reject(self.at_second(people.carl), by=people.dora)
        run_until_idle()
        operations.approve(ours(WaitingForApproval).get(), by=people.anna)
        run_until_idle()
        waiting = ours(WaitingForApproval).get()
        refused(NotAllowed, waiting, people.anna)
        assert operations.approve(waiting, by=people.carl).state == "FINISHED"

    def test_side_by_side_it_is_known_once_the_other_is_decided(self, people: People) -> None:
        tasks = {"A": manual("managers"), "B": manual("managers", not_same_as="A"), "C": manual(same_as="A")}
        process("Beside", tasks, (1, "A"), (1, "B"), (1, "C"))
        waits("Beside", task="A")
        by_task = {one.task_name: one for one in ours(WaitingForApproval).all()}
        assert not operations.may_decide(people.carl, by_task["C"])
        operations.approve(by_task["A"], by=people.carl)
        refused(NotAllowed, by_task["B"], people.carl)
        refused(NotAllowed, by_task["C"], people.dora)
        operations.approve(by_task["B"], by=people.dora)
        operations.approve(by_task["C"], by=people.carl)
        run_until_idle()
        assert ours(RunningProcesses).get().state == "FINISHED"


class TestQuorum:
    def test_it_waits_until_so_many_have_approved(self, people: People) -> None:
        sign(quorum=2)
        waiting = waits("Sign")
        assert operations.approve(waiting, by=people.carl, comment="one").state == "WAITING"
        waiting.refresh_from_db()
        assert (waiting.votes, waiting.quorum) == (1, 2)
        assert list(operations.inbox(people.carl)) == []
        assert list(operations.inbox(people.dora)) == [waiting]
        run = operations.approve(waiting, by=people.anna, comment="two")
        assert (run.state, run.decided_by) == ("FINISHED", people.anna)
        assert run.result == {
            "approved": True,
            "user": "anna",
            "comment": "two",
            "votes": [
                {"approved": True, "user": "carl", "comment": "one"},
                {"approved": True, "user": "anna", "comment": "two"},
            ],
        }

    def test_one_rejection_is_enough(self, people: People) -> None:
        sign(quorum=3)
        waiting = waits("Sign")
        operations.approve(waiting, by=people.carl)
        assert operations.reject(waiting, by=people.dora).state == "REJECTED"

    def test_the_command_line_decides_alone(self, people: People) -> None:
        sign(quorum=3)
        assert operations.approve(waits("Sign")).state == "FINISHED"

    def test_opened_again_all_vote_anew(self, people: People) -> None:
        sign(quorum=2, timeout=timedelta(hours=1))
        waiting = waits("Sign")
        operations.approve(waiting, by=people.carl)
        instance = ours(RunningProcesses).get()
        ours(TaskRun).update(deadline=instance.started_at)
        ours(RunningProcesses).update(due_at=instance.started_at)
        run_until_idle()
        assert outline(instance) == [(1, 1, "Sign", "FAILED")]
        operators.perform(instance.pk, operators.Action.RETRY)
        run_until_idle()
        waiting = ours(WaitingForApproval).get()
        assert waiting.votes == 0
        operations.approve(waiting, by=people.carl)
        assert [vote.attempt for vote in ours(Decision).all()] == [1, 2]


class TestForms:
    def test_answers_land_in_the_data(self, people: People) -> None:
        form(sign(), "Sign", price="money", when="date", note="text")
        waiting = waits("Sign", {"note": "old", "kept": 1})
        answers = {"price": "12.50", "when": "2026-03-01", "note": " new "}
        run = operations.approve(waiting, by=people.anna, answers=answers)
        assert run.result == {"approved": True, "user": "anna", "comment": ""}
        run_until_idle()
        data = ours(RunningProcesses).get().data
        assert data["seen"] == {"note": "new", "kept": 1, "price": Decimal("12.50"), "when": date(2026, 3, 1)}

    def test_bad_answers_change_nothing_and_say_what_is_wrong_with_each(self, people: People) -> None:
        form(sign(), "Sign", price={"kind": "money", "required": True}, when="date")
        waiting = waits("Sign")
        told = refused(BadData, waiting, people.anna, answers={"when": "soon"})
        assert told == "Price: This is needed. When: Give a date, such as 2026-03-01."
        told = refused(BadData, waiting, people.anna, answers={"price": 1, "pricee": 2})
        assert told == "There is no field 'pricee'. Did you mean 'price'?"

    def test_without_a_form_there_is_nothing_to_answer(self, people: People) -> None:
        sign()
        assert refused(BadData, waits("Sign"), people.anna, answers={"x": 1}) == (
            "There is no field 'x'. The form has no fields."
        )

    def test_who_rejects_need_not_fill_it_in_but_may(self, people: People) -> None:
        made = sign()
        form(made, "Sign", price={"kind": "money", "required": True}, why="text")
        made.transitions.filter(sequence=1).update(on_reject=2)
        operations.reject(waits("Sign"), by=people.anna, answers={"why": "too much"})
        run_until_idle()
        assert ours(RunningProcesses).get().data["seen"] == {"why": "too much"}

    def test_of_several_the_later_answer_counts(self, people: People) -> None:
        form(sign(quorum=2), "Sign", price="number", note="text")
        waiting = waits("Sign")
        operations.approve(waiting, by=people.anna, answers={"price": 1, "note": "mine"})
        operations.approve(waiting, by=people.carl, answers={"price": 2})
        run_until_idle()
        assert ours(RunningProcesses).get().data["seen"] == {"price": 2, "note": "mine"}

    def test_of_several_who_leaves_a_field_blank_takes_nothing_away(self, people: People) -> None:
        form(sign(quorum=2), "Sign", price="number", note="text")
        waiting = waits("Sign")
        operations.approve(waiting, by=people.anna, answers={"price": 1, "note": "mine"})
        operations.approve(waiting, by=people.carl, answers={"price": "", "note": ""})
        run_until_idle()
        assert ours(RunningProcesses).get().data["seen"] == {"price": 1, "note": "mine"}

    def test_code_asks_with_a_form_and_gets_the_answers(self, people: People) -> None:
        fields = [{"name": "price", "kind": "money", "required": True}, {"name": "ok", "kind": "yes_no"}]
        text = f"answer = approval('anna', 'How much?', fields={fields!r})\ndata['answer'] = answer"
        process("Ask", {"Ask": code(text)}, (1, "Ask"))
        waiting = waits("Ask")
        assert [field.title for field in waiting.fields] == ["Price", "Ok"]
        assert refused(BadData, waiting, people.anna) == "Price: This is needed."
        operations.approve(waiting, by=people.anna, answers={"price": "3", "ok": "yes"})
        run_until_idle()
        assert ours(RunningProcesses).get().data["answer"] == {
            "approved": True,
            "user": "anna",
            "comment": "",
            "data": {"price": Decimal(3), "ok": True},
        }

    def test_a_form_of_code_that_makes_no_sense_is_an_error_of_the_code(self, people: People) -> None:
        process("Ask", {"Ask": code("approval('anna', 'How much?', fields=[{'kind': 'money'}])")}, (1, "Ask"))
        operations.start("Ask")
        run_until_idle()
        error = ours(RunningProcesses).get().error
        assert error["message"] == 'approval(): each field needs a name, such as {"name": "amount"}'


def test_what_was_seen_is_kept(people: People) -> None:
    form(sign(instructions="Look at {{ data.amount }}."), None, amount="money")
    waiting = waits("Sign", {"amount": Decimal("7.5"), "hidden": 1})
    operations.approve(waiting, by=people.carl, comment="fine")
    vote = ours(Decision).get()
    assert (vote.user, vote.approved, vote.comment, vote.on_behalf_of) == (people.carl, True, "fine", None)
    assert vote.saw == {"version": 1, "data": {"amount": Decimal("7.5")}, "asked": "Look at 7.5."}


class TestStale:
    def test_what_was_seen_as_it_is_can_be_decided(self, people: People) -> None:
        sign()
        waiting = waits("Sign", {"amount": 1})
        assert operations.approve(waiting, by=people.carl, seen=operations.seen_token(waiting)).state == "FINISHED"

    def test_changed_data(self, people: People) -> None:
        form(sign(), None, amount="number", same="number", gone="number", new="number")
        waiting = waits("Sign", {"amount": 1, "same": 2, "gone": 3})
        seen = operations.seen_token(waiting)
        ours(RunningProcesses).update(data={"amount": 2, "same": 2, "new": 4})
        assert refused(Stale, waiting, people.carl, seen=seen) == (
            f"The data of instance {waiting.rpid_id} has changed: amount, gone, new. Look at it again. Nothing was changed."
        )

    def test_changed_data_that_people_do_not_see(self, people: People) -> None:
        """Its name is not told, and the token, which who has the page can read, tells neither names nor values."""
        sign()
        waiting = waits("Sign", {"salary": 1})
        seen = operations.seen_token(waiting)
        assert "salary" not in json.dumps(signing.loads(seen, salt=SALT))
        assert hashlib.sha256(b"1").hexdigest()[:10] not in json.dumps(signing.loads(seen, salt=SALT))
        ours(RunningProcesses).update(data={"salary": 2})
        assert refused(Stale, waiting, people.carl, seen=seen) == (
            f"The data of instance {waiting.rpid_id} has changed. Look at it again. Nothing was changed."
        )

    def test_another_question(self, people: People) -> None:
        process("Ask", {"Ask": code('approval("anna", "One?")\napproval("anna", "Two?")')}, (1, "Ask"))
        first = waits("Ask")
        seen = operations.seen_token(first)
        operations.reject(first)
        run_until_idle()
        second = ours(WaitingForApproval).get()
        assert refused(Stale, second, people.anna, seen=seen) == (
            f"'Ask' of instance {first.rpid_id} asks something else now. Look at it again. Nothing was changed."
        )

    def test_another_version_with_another_form(self, people: People) -> None:
        made = sign()
        waiting = waits("Sign")
        seen = operations.seen_token(waiting)
        form(made, "Sign", centre="text")
        newer = operations.start("Sign")
        ours(RunningProcesses).filter(pk=waiting.rpid_id).update(version=newer.version)
        assert refused(Stale, waiting, people.carl, seen=seen) == (
            f"Instance {waiting.rpid_id} goes by another version of its process now. The form of 'Sign' has changed. "
            "Look at it again. Nothing was changed."
        )

    def test_in_a_list(self, people: People) -> None:
        sign()
        waiting = waits("Sign", {"amount": 1})
        seen = seen_in_a_list(waiting, version=waiting.rpid.version_id, data=in_the_database(waiting))
        ours(RunningProcesses).update(data={"amount": 2})
        assert refused(Stale, waiting, people.carl, seen=seen) == (
            f"'Sign' of instance {waiting.rpid_id} has changed since the list was shown. Look at it again. "
            "Nothing was changed."
        )
        seen = seen_in_a_list(waiting, version=waiting.rpid.version_id, data=in_the_database(waiting))
        assert operations.approve(waiting, by=people.carl, seen=seen).state == "FINISHED"

    @pytest.mark.parametrize("seen", ["", "x", "a:b:c"])
    def test_no_token_of_ours(self, people: People, seen: str) -> None:
        sign()
        assert refused(Stale, waits("Sign"), people.carl, seen=seen).startswith("It can't be told what was looked at")


def test_what_a_decision_costs(people: People, django_assert_max_num_queries: Any) -> None:
    """It does not grow with how many are asked, or with what else waits."""
    sign("managers")
    instances = operations.start_many(["Sign"], count=20)
    run_until_idle()
    User.objects.bulk_create(unsaved(f"m{number}") for number in range(50))
    waiting = ours(WaitingForApproval).get(rpid=instances[0])
    with django_assert_max_num_queries(24):
        operations.approve(waiting, by=people.carl)

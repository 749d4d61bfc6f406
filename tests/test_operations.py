"""What people and programs ask for: who may, what it writes, and what it says when it can't."""

from collections import UserDict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from tests.beside import *  # noqa: F403
from tests.build import code, manual, outline, process, run_until_idle
from tests.own import ours
from workflow import operations
from workflow.errors import AlreadyDecided, BadData, NoSuchProcess, NoSuchUser, NotAllowed, NothingWaits, NotStartable
from workflow.models import InstanceState, Process, ProcessVersion, RunningProcesses, Task, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(django_user_model: Any) -> dict[str, Any]:
    users = {name: django_user_model.objects.create_user(name) for name in ("anna", "bert", "carl")}
    users["staff"] = django_user_model.objects.create_user("staff", is_staff=True)
    users["root"] = django_user_model.objects.create_superuser("root")
    users["gone"] = django_user_model.objects.create_user("gone", is_active=False)
    users["bert"].groups.add(Group.objects.create(name="managers"))
    return users


def waiting_for(approver: str = "") -> WaitingForApproval:
    process("Sign", {"Sign": manual(approver), "End": code("1")}, (1, "Sign"), (2, "End"))
    operations.start("Sign")
    run_until_idle()
    return ours(WaitingForApproval).get()


class TestStart:
    def test_an_instance_is_ready_and_keeps_what_it_was_given(self, people: dict[str, Any]) -> None:
        process("P", {"A": code("1")}, (7, "A"))
        data = {
            "when": date(2026, 3, 1),
            "at": datetime(2026, 3, 1, tzinfo=UTC),
            "sum": Decimal("1.10"),
            "n": [1, None],
        }
        instance = operations.start("P", data, user=people["anna"])
        instance.refresh_from_db()
        assert (instance.state, instance.step, instance.process_name) == (InstanceState.READY, 7, "P")
        assert instance.data == data
        assert isinstance(instance.data["sum"], Decimal)
        assert instance.started_by == people["anna"]

    @pytest.mark.parametrize("priority", [10, 0, "HIGH"])
    def test_a_priority_that_engines_do_not_look_for_is_refused(self, priority: Any) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        with pytest.raises(BadData) as refusal:
            operations.start("P", priority=priority)
        assert str(refusal.value) == f"The priority is one of LOW (1), NORMAL (2), HIGH (3), not {priority!r}."
        instance = operations.start("P")
        for rows in (ours(Process).all(), ours(RunningProcesses).filter(pk=instance.pk)):
            with pytest.raises(IntegrityError, match="priority_known"), transaction.atomic():
                rows.update(priority=10)

    def test_what_is_named_starts_once(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        first = operations.start("P", {"n": 1}, once="invoice 7")
        assert operations.start("P", {"n": 2}, once="invoice 7") == first
        assert operations.start("P", once="invoice 8") != first
        assert operations.start("P") != operations.start("P")
        assert operations.started_as("invoice 7") == first
        assert operations.started_as("invoice 9") is None
        for name in ("", " ", "x" * 201, "a\0b"):
            with pytest.raises(BadData, match="The name of a start is text of 1 to 200 characters"):
                operations.start("P", once=name)

    def test_what_somebody_else_starts_meanwhile_under_that_name_is_what_one_gets(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        begun: list[RunningProcesses] = []

        class Slow(UserDict[str, Any]):
            """Data that is read only once the other start has committed."""

            def keys(self) -> Any:
                if not begun:
                    begun.append(operations.start("P", once="invoice 7"))
                return super().keys()

        assert operations.start("P", Slow(n=1), once="invoice 7") == begun[0]
        assert ours(RunningProcesses).count() == 1

    @pytest.mark.alone("It lists what is there.")
    def test_all_names_or_none(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        with pytest.raises(NoSuchProcess, match=r"There is no process 'Q'\. There are: 'P'\."):
            operations.start_many(["P", "Q"])
        assert not ours(RunningProcesses).exists()

    def test_near_names_are_suggested(self) -> None:
        process("Expense claim", {"A": code("1")}, (1, "A"))
        with pytest.raises(NoSuchProcess, match=r"Did you mean 'Expense claim'\?"):
            operations.start("Expens claim")

    def test_count_times_each(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        process("Q", {"A": code("1")}, (1, "A"))
        assert [one.process_name for one in operations.start_many(["P", "Q"], count=2)] == ["P", "P", "Q", "Q"]

    def test_each_with_data_of_its_own(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        process("Q", {"A": code("1")}, (1, "A"))
        started = operations.start_many("P", [{"n": 1}, {"n": 2}])
        assert [(one.process_name, one.data) for one in started] == [("P", {"n": 1}), ("P", {"n": 2})]
        started = operations.start_many(["P", "Q"], [{"n": 1}, None], count=2)
        assert [(one.process_name, one.data.get("n")) for one in started] == [
            *[("P", 1), ("P", 1), ("P", None), ("P", None)],
            *[("Q", 1), ("Q", 1), ("Q", None), ("Q", None)],
        ]
        assert operations.start_many("P", []) == []
        before = ours(RunningProcesses).count()
        with pytest.raises(BadData, match=r"The data must be an object, such as .*, not int\."):
            operations.start_many("P", [{"n": 1}, 7])  # type: ignore[list-item]
        assert ours(RunningProcesses).count() == before

    def test_a_draft_with_mistakes_is_not_started_and_says_why(self) -> None:
        process("P", {"A": code("1 +")}, (1, "A", {"then": 70}))
        with pytest.raises(NotStartable) as raised:
            operations.start("P")
        assert "The process 'P' can't be started before its mistakes are mended:" in str(raised.value)
        assert len(raised.value.mistakes) == 2
        assert not ours(ProcessVersion).exists()

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ({"x": {1, 2}}, r"data\['x'\] is of type set, which can't be kept"),
            ({"x": "a" * 1_000_001}, r"The data takes 1,000,\d+ bytes; the limit"),
            ([1], r"The data must be an object"),
        ],
    )
    def test_data_that_can_not_be_kept_is_refused(self, data: Any, message: str) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        with pytest.raises(BadData, match=message):
            operations.start("P", data)

    def test_inside_a_transaction_it_starts_only_if_that_commits(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))

        def order_and_change_my_mind() -> None:
            with transaction.atomic():
                operations.start("P")
                raise LookupError

        pytest.raises(LookupError, order_and_change_my_mind)
        assert not ours(RunningProcesses).exists()


class TestVersions:
    def test_a_draft_that_did_not_change_is_frozen_once(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        assert operations.start("P").version == operations.start("P").version

    def test_a_changed_draft_is_a_new_version_and_the_old_one_stays_as_it_was(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        old = operations.start("P").version
        ours(Task).update(code="2")
        new = operations.start("P").version
        assert (old.number, new.number) == (1, 2)
        assert ours(ProcessVersion).get(pk=old.pk).frozen.task("A").code == "1"

    def test_a_process_made_anew_under_its_old_name_goes_on_counting(self) -> None:
        draft = process("P", {"A": code("2")}, (1, "A"))
        operations.start(draft)
        draft.delete()
        assert operations.start(process("P", {"A": code("3")}, (1, "A"))).version.number == 2


class TestDecisions:
    @pytest.mark.parametrize(
        ("approver", "may"),
        [
            ("", {"staff", "root"}),
            ("anna", {"anna", "root"}),
            ("managers", {"bert", "root"}),
            ("anna, managers", {"anna", "bert", "root"}),
        ],
    )
    def test_only_who_is_named_may_decide(self, people: dict[str, Any], approver: str, may: set[str]) -> None:
        waiting = waiting_for(approver)
        assert {name for name, user in people.items() if operations.may_decide(user, waiting)} == may

    def test_who_may_not_is_told_and_nothing_changes(self, people: dict[str, Any]) -> None:
        waiting = waiting_for("anna")
        with pytest.raises(NotAllowed, match=r"carl may not decide 'Sign' of instance \d+: it waits for anna\."):
            operations.approve(waiting, by=people["carl"])
        assert ours(WaitingForApproval).get() == waiting

    def test_a_decision_is_kept_with_who_and_why(self, people: dict[str, Any]) -> None:
        run = operations.approve(waiting_for("anna"), by=people["anna"], comment="fine")
        assert (run.state, run.decided_by, run.comment) == ("FINISHED", people["anna"], "fine")
        assert run.result == {"approved": True, "user": "anna", "comment": "fine"}
        assert run.ended_at is not None

    def test_a_comment_has_its_limit_by_whatever_way_it_comes(self) -> None:
        with pytest.raises(BadData, match=r"The comment has 2,001 characters; the most is 2,000\."):
            operations.approve(waiting_for(), comment="x" * 2001)
        assert ours(WaitingForApproval).exists()

    def test_a_rejection_without_on_reject_ends_the_instance(self) -> None:
        waiting = waiting_for()
        operations.reject(waiting, comment="no")
        run_until_idle()
        instance = ours(RunningProcesses).get()
        assert instance.state == InstanceState.REJECTED
        assert outline(instance) == [(1, 1, "Sign", "REJECTED")]
        assert instance.results == {"Sign": {"approved": False, "user": None, "comment": "no"}}

    def test_the_second_decision_is_told_who_was_quicker(self, people: dict[str, Any]) -> None:
        waiting = waiting_for("anna, bert")
        operations.reject(waiting, by=people["anna"])
        with pytest.raises(
            AlreadyDecided, match=r"^anna rejected 'Sign' of instance \d+ at 20\d\d-.*Nothing was changed"
        ):
            operations.approve(waiting, by=people["bert"])

    def test_what_was_cancelled_meanwhile_waits_no_more(self) -> None:
        process("P", {"A": manual(), "B": manual()}, (1, "A"), (1, "B"))
        operations.start("P")
        run_until_idle()
        late = ours(WaitingForApproval).select_related("task_run").get(task_name="B")
        operations.reject(ours(WaitingForApproval).get(task_name="A"))
        with pytest.raises(AlreadyDecided, match="waits no more: the instance has moved on"):
            operations.approve(late)

    def test_a_decision_that_an_engine_has_not_seen_is_not_lost(self) -> None:
        process("P", {"A": manual(), "B": manual()}, (1, "A"), (1, "B"))
        operations.start("P")
        run_until_idle()
        for waiting in ours(WaitingForApproval).all():
            operations.approve(waiting)
        run_until_idle()
        assert ours(RunningProcesses).get().state == InstanceState.FINISHED


class TestDecideAll:
    def three(self, approver: str = "") -> list[RunningProcesses]:
        process("Sign", {"Sign": manual(approver)}, (1, "Sign"))
        instances = operations.start_many(["Sign"], count=3)
        run_until_idle()
        return instances

    def test_all_that_waits_for_the_pair(self) -> None:
        instances = self.three()
        decided = operations.decide_all("Sign", "Sign", approved=True)
        assert [waiting.rpid for waiting in decided] == instances
        assert set(ours(RunningProcesses).values_list("state", flat=True)) == {"READY"}

    def test_one_instance_alone(self) -> None:
        first, *_ = self.three()
        operations.decide_all("Sign", "Sign", approved=False, instance=first.pk)
        assert ours(WaitingForApproval).count() == 2

    def test_all_or_none(self, people: dict[str, Any]) -> None:
        self.three("anna")
        ours(WaitingForApproval).last().assignees.update(user=people["bert"])
        with pytest.raises(NotAllowed):
            operations.decide_all("Sign", "Sign", approved=True, by=people["anna"])
        assert ours(WaitingForApproval).count() == 3

    @pytest.mark.alone("It lists what is there.")
    def test_nothing_waits(self) -> None:
        with pytest.raises(NothingWaits, match="nothing waits at all"):
            operations.decide_all("Sign", "Sign", approved=True)
        self.three()
        with pytest.raises(NothingWaits, match=r"Nothing waits for 'Sign' 'Sing'\. Did you mean 'Sign / Sign'\?"):
            operations.decide_all("Sign", "Sing", approved=True)
        with pytest.raises(NothingWaits, match="There is no instance 4711"):
            operations.decide_all("Sign", "Sign", approved=True, instance=4711)


def test_a_user_that_is_not_there_is_named_with_near_ones(people: dict[str, Any]) -> None:
    assert operations.user_named("anna") == people["anna"]
    with pytest.raises(NoSuchUser, match=r"There is no active user 'ana'\. Did you mean 'anna'\?"):
        operations.user_named("ana")
    with pytest.raises(NoSuchUser):
        operations.user_named("gone")

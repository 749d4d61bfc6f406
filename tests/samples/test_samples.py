"""The sample processes: sound by the real checker, and run to their ends by a real engine and decisions alone."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from config.samples.load import GROUPS, MARK, load
from config.samples.processes import EXPENSE_CLAIM, SAMPLES
from tests.build import engine, run_until_idle
from workflow import operations
from workflow.code.check import check_code
from workflow.definition import TaskDefinition
from workflow.engine import Mode
from workflow.errors import NotAllowed
from workflow.lint import lint
from workflow.models import InstanceState, Process, ProcessVersion, RunningProcesses, Task, TaskTransitions
from workflow.models.drafts import draft
from workflow.models.people import unknown_names

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ["Expense claim", "Onboarding", "Nightly data check", "Shipping", "Order"]
EXPRESSIONS = ("input", "output")


@pytest.fixture(autouse=True)
def loaded() -> list[str]:
    return load()


def started(name: str, data: dict[str, Any] | None = None, *, user: Any = None) -> RunningProcesses:
    instance = operations.start(name, data, user=user)
    run_until_idle()
    instance.refresh_from_db()
    return instance


def decided(instance: RunningProcesses, task: str, *, approved: bool = True, **given: Any) -> None:
    """An operator decides, whose word is final, and the engine goes on."""
    operations.decide_all(instance.process_name, task, approved=approved, instance=instance.pk, **given)
    run_until_idle()
    instance.refresh_from_db()


def approve(instance: RunningProcesses, user: Any, **given: Any) -> None:
    """Somebody approves the task that waits, and the engine goes on."""
    operations.approve(instance.waiting.get(), by=user, **given)
    run_until_idle()
    instance.refresh_from_db()


def waiting(instance: RunningProcesses) -> set[tuple[str, str]]:
    return set(instance.waiting.values_list("task_name", "approver"))


def slipped_task(task: TaskDefinition) -> TaskDefinition:
    expressions = {field: f"unheard_of({text})" for field in EXPRESSIONS if (text := getattr(task, field))}
    return replace(task, code=task.code and f"{task.code}\nunheard_of()", **expressions)


def walk(instance: RunningProcesses) -> list[tuple[str, str]]:
    """The tasks that ran or waited, in order, and what became of them."""
    runs = instance.task_runs.order_by("visit", "row").exclude(state="SKIPPED")
    return [(run.task_name, str(run.state)) for run in runs]


class TestLoad:
    def test_it_creates_the_processes_and_the_groups_but_no_users(
        self, loaded: list[str], django_user_model: Any
    ) -> None:
        assert loaded == NAMES
        assert set(Process.objects.values_list("name", flat=True)) == set(NAMES)
        assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)
        assert not django_user_model.objects.exists()

    @pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
    def test_the_drafts_are_the_samples(self, sample: Any) -> None:
        assert draft(Process.objects.get(name=sample.definition.name)) == sample.definition

    def test_loading_again_changes_nothing(self) -> None:
        tasks = set(Task.objects.values_list("pk", flat=True))
        operations.start("Order")
        assert load() == NAMES
        assert set(Task.objects.values_list("pk", flat=True)) == tasks
        operations.start("Order")
        assert ProcessVersion.objects.count() == 1

    def test_loading_again_brings_back_what_was_edited(self) -> None:
        process = Process.objects.get(name="Expense claim")
        process.tasks.filter(name="Pay out").update(code="1", max_attempts=7)
        process.tasks.get(name="Tell claimant").delete()
        extra = Task.objects.create(parent=process, name="Extra", code="1")
        TaskTransitions.objects.create(process=process, task=extra, sequence=45)
        load()
        assert draft(process) == EXPENSE_CLAIM.definition

    def test_a_process_of_that_name_that_is_somebodys_own_is_left_alone(self) -> None:
        Process.objects.filter(name="Order").update(description="Ours.")
        Task.objects.filter(parent__name="Order").delete()
        other = Process.objects.create(name="Other", description=f"{MARK}but not one of these")
        Task.objects.create(parent=other, name="Mine", manual=True)
        assert load() == ["Expense claim", "Onboarding", "Nightly data check", "Shipping"]
        assert not Process.objects.get(name="Order").tasks.exists()
        assert other.tasks.count() == 1


class TestFindings:
    @pytest.mark.parametrize("name", NAMES)
    def test_there_are_none(self, name: str) -> None:
        assert operations.findings(Process.objects.get(name=name)) == []

    @pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
    def test_a_slip_in_any_code_or_condition_would_be_found(self, sample: Any) -> None:
        """Else the test above would prove nothing."""
        definition = sample.definition
        slipped = replace(
            definition,
            tasks=tuple(slipped_task(task) for task in definition.tasks),
            rows=tuple(
                replace(row, condition=row.condition and f"unheard_of({row.condition})") for row in definition.rows
            ),
        )
        found = lint(slipped, check_code=check_code, unknown_approvers=unknown_names)
        assert {finding.task for finding in found if finding.field == "code"} == {
            task.name for task in definition.tasks if task.code
        }
        assert {(finding.task, finding.field) for finding in found if finding.field in EXPRESSIONS} == {
            (task.name, field) for task in definition.tasks for field in EXPRESSIONS if getattr(task, field)
        }
        assert {finding.row for finding in found if finding.field == "condition"} == {
            index for index, row in enumerate(definition.rows) if row.condition
        }


class TestExpenseClaim:
    def test_under_the_limit_it_is_paid_at_once(self) -> None:
        instance = started("Expense claim", {"amount": 80})
        assert instance.state == InstanceState.FINISHED
        assert walk(instance) == [("Check claim", "FINISHED"), ("Pay out", "FINISHED"), ("Tell claimant", "FINISHED")]
        assert instance.results["Check claim"] == "managers claims 80 for Train to Lisbon"
        assert instance.data == {
            "amount": 80,
            "purpose": "Train to Lisbon",
            "claimant": "managers",
            "needs_approval": False,
            "transfer": instance.results["Pay out"],
        }

    def test_at_the_limit_it_is_paid_at_once(self) -> None:
        assert started("Expense claim", {"amount": 100}).state == InstanceState.FINISHED

    def test_over_the_limit_a_manager_and_then_finance_approve_it(self) -> None:
        instance = started("Expense claim")
        assert waiting(instance) == {("Manager approval", "managers")}
        decided(instance, "Manager approval")
        assert waiting(instance) == {("Finance approval", "finance")}
        assert "transfer" not in instance.data
        decided(instance, "Finance approval")
        assert instance.state == InstanceState.FINISHED
        assert instance.data["amount"] == 180
        assert instance.data["transfer"].startswith("T-")

    @pytest.mark.parametrize("by", ["Manager approval", "Finance approval"])
    def test_rejected_it_goes_back_to_who_started_it_and_round_again(self, by: str, django_user_model: Any) -> None:
        anna = django_user_model.objects.create_user("anna")
        instance = started("Expense claim", user=anna)
        if by == "Finance approval":
            decided(instance, "Manager approval")
        decided(instance, by, approved=False)
        assert waiting(instance) == {("Correct claim", "anna")}
        decided(instance, "Correct claim", answers={"amount": 180, "purpose": "Train to Lisbon"})
        decided(instance, "Manager approval")
        decided(instance, "Finance approval")
        assert instance.state == InstanceState.FINISHED
        assert [task for task, _ in walk(instance)].count("Check claim") == 2
        assert instance.data["claimant"] == "anna"

    def test_two_of_finance_approve_it_and_not_who_did_as_a_manager(self, django_user_model: Any) -> None:
        finance = Group.objects.get(name="finance")
        mark, fiona, felix = (django_user_model.objects.create_user(name) for name in ("mark", "fiona", "felix"))
        finance.user_set.add(mark, fiona, felix)
        mark.groups.add(Group.objects.get(name="managers"))
        instance = started("Expense claim")
        approve(instance, mark)
        with pytest.raises(NotAllowed):
            approve(instance, mark)
        approve(instance, fiona)
        assert waiting(instance) == {("Finance approval", "finance")}
        approve(instance, felix)
        assert instance.state == InstanceState.FINISHED

    def test_a_claimant_corrects_it(self, django_user_model: Any) -> None:
        anna = django_user_model.objects.create_user("anna")
        instance = started("Expense claim", {"amount": 1800, "purpose": "Train"}, user=anna)
        decided(instance, "Manager approval", approved=False, comment="A train for 1,800?")
        approve(instance, anna, answers={"amount": 80, "purpose": "Train"})
        assert instance.state == InstanceState.FINISHED
        assert instance.data["amount"] == 80

    def test_started_by_nobody_managers_correct_it(self) -> None:
        instance = started("Expense claim")
        decided(instance, "Manager approval", approved=False)
        assert waiting(instance) == {("Correct claim", "managers")}

    def test_a_claimant_who_gives_up_ends_it(self) -> None:
        instance = started("Expense claim")
        decided(instance, "Manager approval", approved=False)
        decided(instance, "Correct claim", approved=False)
        assert instance.state == InstanceState.REJECTED


class TestOnboarding:
    def test_its_tasks_wait_side_by_side_and_then_comes_the_welcome(self) -> None:
        instance = started("Onboarding")
        assert waiting(instance) == {("Sign contract", "hr"), ("Set up laptop", "it"), ("Choose buddy", "managers")}
        decided(instance, "Set up laptop")
        decided(instance, "Choose buddy", comment="Grace")
        assert instance.state == InstanceState.WAITING
        decided(instance, "Sign contract")
        assert instance.state == InstanceState.FINISHED
        assert instance.data == {
            "name": "Ada Lovelace",
            "role": "Analyst",
            "email": "ada.lovelace@example.com",
            "welcome": "Welcome, Ada Lovelace! Ask Grace anything.",
        }

    def test_without_a_comment_the_manager_is_the_buddy(self) -> None:
        instance = started("Onboarding", {"name": "Bo"})
        for task in ("Sign contract", "Set up laptop", "Choose buddy"):
            decided(instance, task)
        assert instance.data["welcome"] == "Welcome, Bo! Ask your manager anything."

    def test_a_contract_that_is_not_signed_ends_it(self) -> None:
        instance = started("Onboarding")
        decided(instance, "Sign contract", approved=False)
        assert instance.state == InstanceState.REJECTED
        assert waiting(instance) == set()


class TestNightlyDataCheck:
    def test_the_first_attempt_fails_and_what_is_odd_is_reported(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "config.samples"):
            instance = started("Nightly data check")
        assert instance.state == InstanceState.FINISHED
        assert instance.task_runs.get(task_name="Fetch sales").attempt == 2
        assert instance.data["odd"] == ["Oslo", "Rome"]
        assert instance.data["total"] == 2190.5
        assert instance.results["Close"] == "4 shops sold 2190.50"
        assert "To operations: Look at the sales of Oslo, Rome" in caplog.messages

    def test_where_nothing_is_odd_nothing_is_reported(self) -> None:
        instance = started("Nightly data check", {"sales": {"Berlin": 10, "Oslo": 0}})
        assert instance.state == InstanceState.FINISHED
        assert instance.task_runs.get(task_name="Fetch sales").attempt == 1
        assert instance.task_runs.get(task_name="Report").state == "SKIPPED"
        assert instance.data == {"sales": {"Berlin": 10, "Oslo": 0}, "total": 10}


def packed(order: RunningProcesses, *, approved: bool = True) -> RunningProcesses:
    """The warehouse decides about the order's parcel, and the engine goes on with both."""
    shipping = RunningProcesses.objects.get(parent__run__instance=order)
    assert waiting(shipping) == {("Pack", "warehouse")}
    decided(shipping, "Pack", approved=approved)
    order.refresh_from_db()
    return shipping


class TestOrder:
    def test_a_large_one_is_approved_charged_packed_and_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        instance = started("Order")
        assert waiting(instance) == {("Sales approval", "sales")}
        decided(instance, "Sales approval")
        assert instance.state == InstanceState.WAITING
        with caplog.at_level(logging.INFO, "config.samples"):
            shipping = packed(instance)
        assert shipping.data == {
            "customer": "Grace",
            "items": ["desk", "lamp"],
            "parcel": instance.data["parcel"],
        }
        assert instance.state == InstanceState.FINISHED
        assert instance.data["total"] == 515.5
        assert instance.data["status"] == f"on its way: {instance.data['parcel']}"
        assert f"To Grace: Your order is on its way: {instance.data['parcel']}" in caplog.messages
        assert ("Cancel order", "FINISHED") not in walk(instance)

    def test_a_small_one_needs_no_approval_of_sales(self) -> None:
        instance = started("Order", {"items": [{"name": "pen", "price": 2}]})
        packed(instance)
        assert instance.state == InstanceState.FINISHED
        assert instance.data["receipt"].startswith("R-")

    def test_a_customer_with_an_address_is_told_by_mail(self, mailoutbox: list[Any]) -> None:
        instance = started("Order", {"items": [], "email": "grace@example.com"})
        packed(instance)
        (mail,) = mailoutbox
        assert (mail.to, mail.subject) == (["grace@example.com"], "Your order")
        assert mail.body == f"Your order is on its way: {instance.data['parcel']}"

    def test_a_card_that_is_declined_cancels_it(self) -> None:
        instance = started("Order", {"card": "4000 0000 0000 0002"})
        decided(instance, "Sales approval")
        assert instance.state == InstanceState.FINISHED
        assert walk(instance)[2:] == [
            ("Charge card", "FAILED"),
            ("Cancel order", "FINISHED"),
            ("Tell customer", "FINISHED"),
        ]
        assert instance.data["status"] == "cancelled: the bank declined the card"
        assert instance.data["error"] == {
            "task": "Charge card",
            "type": "ValueError",
            "message": "the bank declined the card",
        }
        assert "receipt" not in instance.data

    def test_one_that_sales_reject_is_cancelled(self) -> None:
        instance = started("Order")
        decided(instance, "Sales approval", approved=False)
        assert instance.state == InstanceState.FINISHED
        assert instance.data["status"] == "cancelled: it was rejected"

    def test_one_that_the_warehouse_rejects_is_cancelled(self) -> None:
        instance = started("Order", {"items": []})
        assert packed(instance, approved=False).state == InstanceState.REJECTED
        assert instance.state == InstanceState.FINISHED
        assert walk(instance)[2:] == [
            ("Ship", "REJECTED"),
            ("Cancel order", "FINISHED"),
            ("Tell customer", "FINISHED"),
        ]
        assert instance.data["status"] == "cancelled: it was rejected"


class TestShipping:
    def test_it_runs_by_itself_too(self) -> None:
        instance = started("Shipping")
        decided(instance, "Pack")
        assert (instance.state, instance.data["parcel"]) == (InstanceState.FINISHED, instance.results["Send"])

    def test_a_warehouse_that_takes_too_long_is_reminded_and_goes_on_having_to_pack(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        instance = started("Shipping")
        later = datetime.now(UTC) + timedelta(days=2, minutes=1)
        with caplog.at_level(logging.INFO, "config.samples"):
            engine(clock=lambda: later).run(Mode.UNTIL_IDLE)
        assert "To warehouse: Grace still waits for a parcel" in caplog.messages
        assert walk(instance)[1:] == [("Pack", "FAILED"), ("Remind warehouse", "FINISHED"), ("Pack", "WAITING")]
        decided(instance, "Pack")
        assert instance.state == InstanceState.FINISHED

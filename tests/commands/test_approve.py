"""`approve`, as a shell runs it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.build import code, form, manual, process, run_until_idle, waits
from tests.commands.outcome import printed, refused
from tests.conftest import Manage
from tests.users import named, user_named
from workflow import operations
from workflow.models import RunningProcesses, TaskRun, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _people(django_user_model: Any, transactional_db: None) -> None:
    Group.objects.create(name="managers").user_set.add(django_user_model.objects.create_user("mark"))
    django_user_model.objects.create_user("anna")


@pytest.fixture
def claims() -> list[RunningProcesses]:
    """Three instances that wait for managers, and one, the last, of another process that waits for nobody."""
    process("Expense claim", {"Sign": manual("managers"), "Pay": code("'paid'")}, (1, "Sign"), (2, "Pay"))
    process("Order", {"Ship": code("1")}, (1, "Ship"))
    instances = operations.start_many(["Expense claim"], count=3)
    instances.append(operations.start("Order"))
    run_until_idle()
    return instances


def states() -> list[str]:
    return list(RunningProcesses.objects.order_by("pk").values_list("state", flat=True))


def test_it_decides_all_that_waits_and_says_so(manage: Manage, claims: list[RunningProcesses]) -> None:
    assert printed(manage("approve", "Expense claim", "Sign")) == [
        f"Approved Expense claim task Sign (instance {instance.pk})" for instance in claims[:3]
    ]
    assert states() == ["READY", "READY", "READY", "FINISHED"]
    assert not WaitingForApproval.objects.exists()
    run_until_idle()
    assert set(states()) == {"FINISHED"}


def test_one_instance_is_rejected_in_the_name_of_who_may(manage: Manage, claims: list[RunningProcesses]) -> None:
    one = str(claims[1].pk)
    arguments = [
        "approve",
        "Expense claim",
        "Sign",
        "--id",
        one,
        "--user",
        "mark",
        "--comment",
        "no receipt",
        "--reject",
    ]
    assert printed(manage(*arguments)) == [f"Rejected Expense claim task Sign (instance {one})"]
    assert states() == ["WAITING", "READY", "WAITING", "FINISHED"]
    run = TaskRun.objects.get(instance=one)
    assert (run.state, str(run.decided_by), run.comment) == ("REJECTED", "mark", "no receipt")


def test_the_command_line_itself_is_nobody(manage: Manage, claims: list[RunningProcesses]) -> None:
    printed(manage("approve", "Expense claim", "Sign", "--id", str(claims[0].pk)))
    run = TaskRun.objects.get(instance=claims[0])
    assert (run.decided_by, run.result) == (None, {"approved": True, "user": None, "comment": ""})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Expense claim", "Sing"], "Nothing waits for 'Expense claim' 'Sing'. Did you mean 'Expense claim / Sign'?"),
        (["Expense claim", "Sign", "--user", "anna"], "anna may not decide 'Sign' of instance {first}: it waits for managers."),
        (["Expense claim", "Sign", "--user", "marc"], "There is no active user 'marc'. Did you mean 'mark'?"),
        (["Expense claim", "Sign", "--user", ""], "There is no active user ''."),
        (["Expense claim", "Sign", "--id", "4711"], "There is no instance 4711."),
        (["Expense claim", "Sign", "--id", "{last}"], "Instance {last} is of 'Order', not of 'Expense claim'."),
        (["Expense claim", "Pay", "--id", "{first}"], "'Pay' of instance {first} does not wait; there waits 'Sign'."),
        (["Order", "Ship", "--id", "{last}"], "'Ship' of instance {last} does not wait; the instance is FINISHED."),
        (["Expense claim", "Sign", "--id", "x"], "argument --id: 'x' is not a whole number from 1 to 9,223,372,036,854,775,807"),
        (["Expense claim", "Sign", "--id", "9" * 30], f"argument --id: '{'9' * 30}' is not a whole number from 1 to 9,223,372,036,854,775,807"),
        (["Expense claim"], "the following arguments are required: TASK"),
        (["--reject", "--data", "{{}}"], "--data, --reject is of a decision: name the process and the task as well."),
        (["Expense claim", "Sign", "--data", "[]"], '--data is no object; write one such as {{"amount": 12}}.'),
        (["Expense claim", "Sign", "--data", "{{x"], "argument --data: This is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        (["Expense claim", "Sign", "--data", '{{"x": 1}}'], "There is no field 'x'. The form has no fields."),
        (["Expense claim", "Sign", "--as", "anna"], "anna may not decide 'Sign' of instance {first}: it waits for managers."),
        (["--as", "marc"], "There is no active user 'marc'. Did you mean 'mark'?"),
    ],
)  # fmt: skip
def test_bad_input_decides_nothing_and_says_why(
    arguments: list[str], message: str, manage: Manage, claims: list[RunningProcesses]
) -> None:
    keys = {"first": claims[0].pk, "last": claims[-1].pk}
    done = manage("approve", *[argument.format(**keys) for argument in arguments])
    assert refused(done) == message.format(**keys)
    assert WaitingForApproval.objects.count() == 3


def test_without_names_it_shows_what_waits_for_whom(manage: Manage, claims: list[RunningProcesses]) -> None:
    process("Trip", {"Book": manual("anna, managers", quorum=2)}, (1, "Book"))
    trip = operations.start("Trip")
    run_until_idle()
    mark = user_named("mark")
    keys = list(WaitingForApproval.objects.order_by("pk").values_list("rpid", flat=True))
    operations.claim(WaitingForApproval.objects.get(rpid=keys[0]), mark)
    operations.approve(WaitingForApproval.objects.get(rpid=trip), by=mark)
    WaitingForApproval.objects.update(queued_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    lines = [
        f"Expense claim task Sign (instance {keys[0]}) waits for managers, since 2026-03-01 09:30, claimed by mark",
        f"Expense claim task Sign (instance {keys[1]}) waits for managers, since 2026-03-01 09:30",
        f"Expense claim task Sign (instance {keys[2]}) waits for managers, since 2026-03-01 09:30",
        f"Trip task Book (instance {trip.pk}) waits for anna, managers, since 2026-03-01 09:30, 1 of 2 have approved",
    ]
    assert printed(manage("approve")) == lines
    assert printed(manage("approve", "--as", "mark")) == lines[:3]
    assert printed(manage("approve", "--as", "anna")) == lines[3:]
    named("anna").update(is_active=False)
    assert printed(manage("approve"))[3] == f"{lines[3]}, NOBODY IS LEFT who can decide it"


def test_it_shows_what_is_due_and_what_is_overdue(manage: Manage, claims: list[RunningProcesses]) -> None:
    queued = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    WaitingForApproval.objects.update(queued_at=queued)
    keys = WaitingForApproval.objects.order_by("pk").values_list("pk", flat=True)
    for key, due in zip(list(keys), (queued.replace(hour=17), queued.replace(year=2126)), strict=False):
        WaitingForApproval.objects.filter(pk=key).update(due_at=due)
    assert [line.split("since 2026-03-01 09:30")[1] for line in printed(manage("approve"))] == [
        ", OVERDUE since 2026-03-01 17:30",
        ", due 2126-03-01 09:30",
        "",
    ]


def test_with_nothing_to_show_it_says_so(manage: Manage) -> None:
    assert printed(manage("approve")) == ["Nothing waits."]
    assert printed(manage("approve", "--as", "anna")) == ["Nothing waits for anna."]


def test_answers_to_the_form_are_given_as_data(manage: Manage, claims: list[RunningProcesses]) -> None:
    made = process("Trip", {"Book": manual("managers"), "End": code("1")}, (1, "Book"), (2, "End"))
    form(made, "Book", price={"kind": "money", "required": True})
    waits("Trip")
    assert refused(manage("approve", "Trip", "Book")) == "Price: This is needed."
    printed(manage("approve", "Trip", "Book", "--as", "mark", "--data", '{"price": 12.5}'))
    run_until_idle()
    assert RunningProcesses.objects.get(process_name="Trip").data == {"price": Decimal("12.5")}


def test_when_nothing_waits_at_all_it_says_so(manage: Manage) -> None:
    assert refused(manage("approve", "P", "A")) == "Nothing waits for 'P' 'A'; nothing waits at all."


def test_what_was_decided_can_not_be_decided_again(manage: Manage, claims: list[RunningProcesses]) -> None:
    arguments = ["approve", "Expense claim", "Sign", "--id", str(claims[0].pk)]
    printed(manage(*arguments))
    assert refused(manage(*arguments)) == f"'Sign' of instance {claims[0].pk} does not wait; the instance is READY."

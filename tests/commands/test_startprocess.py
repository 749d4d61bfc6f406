"""`startprocess`, as a shell runs it."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.build import code, process
from tests.commands.outcome import printed, refused
from tests.conftest import Manage
from workflow.models import InstanceState, ProcessVersion, RunningProcesses

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _processes(transactional_db: None) -> None:
    process("Expense claim", {"A": code("1")}, (1, "A"))
    process("Order", {"A": code("1")}, (7, "A"))


def test_it_prints_the_ids_one_a_line_in_the_order_of_the_names(manage: Manage) -> None:
    ids = printed(manage("startprocess", "Order", "Expense claim", "--count", "2"))
    started = RunningProcesses.objects.in_bulk(map(int, ids))
    assert [started[int(one)].process_name for one in ids] == ["Order", "Order", "Expense claim", "Expense claim"]
    assert {instance.state for instance in started.values()} == {InstanceState.READY}
    assert RunningProcesses.objects.count() == 4


def test_data_and_user_are_kept(manage: Manage, django_user_model: Any) -> None:
    anna = django_user_model.objects.create_user("anna")
    data = '{"amount": {"$decimal": "1.50"}, "due": {"$date": "2026-03-01"}, "ünï": [1, null]}'
    (key,) = printed(manage("startprocess", "Order", "--data", data, "--user", "anna"))
    instance = RunningProcesses.objects.get(pk=key)
    assert instance.data == {"amount": Decimal("1.50"), "due": date(2026, 3, 1), "ünï": [1, None]}
    assert (instance.started_by, instance.step) == (anna, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Oder"], "There is no process 'Oder'. Did you mean 'Order'?"),
        (["Order", "Zzz"], "There is no process 'Zzz'. There are: 'Expense claim', 'Order'."),
        ([""], "There is no process ''. There are: 'Expense claim', 'Order'."),
        (["Order", "--data", '{"a": 1,\n "b": }'], "--data: This is not JSON: Expecting value at line 2, column 7."),
        (["Order", "--data", ""], "--data: This is not JSON: Expecting value at line 1, column 1."),
        (["Order", "--data", "[1]"], 'The data must be an object, such as {"amount": 12}, not list.'),
        (["Order", "--data", '{"a": NaN}'], "--data: NaN can't be kept: only finite numbers can, and as large as a float holds."),
        (["Order", "--data", r'{"a": "\u0000"}'], "data['a'] holds a NUL character, which can't be kept."),
        (["Order", "--count", "0"], "argument --count: '0' is not a whole number from 1 to 1,000,000"),
        (["Order", "--count", "1000001"], "argument --count: '1000001' is not a whole number from 1 to 1,000,000"),
        (["Order", "--count", "two"], "argument --count: 'two' is not a whole number from 1 to 1,000,000"),
        (["Order", "--priority", "hihg"], "argument --priority: 'hihg' is no priority. Did you mean 'high'?"),
        (["Order", "--priority", "9"], "argument --priority: '9' is no priority. There are: 'high', 'low', 'normal'."),
        (["Order", "--user", "ana"], "There is no active user 'ana'. Did you mean 'anna'?"),
        (["Order", "--user", ""], "There is no active user ''."),
        (["Order", "--users"], "unrecognized arguments: --users"),
        ([], "the following arguments are required: NAME"),
    ],
)  # fmt: skip
def test_bad_input_starts_nothing_and_says_why(
    arguments: list[str], message: str, manage: Manage, django_user_model: Any
) -> None:
    django_user_model.objects.create_user("anna")
    assert refused(manage("startprocess", *arguments)) == message
    assert not RunningProcesses.objects.exists()


def test_a_draft_with_mistakes_is_not_started_nor_what_is_named_beside_it(manage: Manage) -> None:
    process("Bad", {"A": code("1 +")}, (1, "A", {"then": 5}))
    assert refused(manage("startprocess", "Order", "Bad")).splitlines() == [
        "The process 'Bad' can't be started before its mistakes are mended:",
        "  - Task 'A', code line 1, column 4: Expected an expression.",
        "  - Step 1, 'A': Goes to step 5 when finished, but there is no step 5. There is 1.",
    ]
    assert not RunningProcesses.objects.exists()
    assert not ProcessVersion.objects.exists()

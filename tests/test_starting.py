"""Which processes could start, told of many at once."""

from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.beside import *  # noqa: F403
from tests.build import code, form, manual, process
from tests.own import ours
from tests.users import User
from workflow import operations, starting
from workflow.models import Process, Task
from workflow.models.drafts import draft, drafts

pytestmark = pytest.mark.django_db(transaction=True)


def ready() -> set[str]:
    return set(operations.ready(list(ours(Process).all())))


def test_those_without_mistakes() -> None:
    Group.objects.create(name="managers")
    process("Good", {"A": code("1")}, (1, "A"))
    process("Asks", {"A": manual("managers")}, (1, "A"))
    process("Asks nobody", {"A": manual("manegers")}, (1, "A"))
    process("Broken", {"A": code("1 +")}, (1, "A"))
    Process.objects.create(name="Empty")
    assert ready() == {"Good", "Asks"}
    operations.start("Good")
    assert ready() == {"Good", "Asks"}
    ours(Task).filter(parent__name="Good").update(code="1 +")
    assert ready() == {"Asks"}


def test_a_frozen_draft_was_found_good_and_is_not_checked_again() -> None:
    process("Asks", {"A": manual("anna")}, (1, "A"))
    User.objects.create_user("anna")
    operations.start("Asks")
    ours(User).all().delete()
    assert ready() == {"Asks"}


def test_many_drafts_are_read_as_one_is(django_assert_num_queries: Any) -> None:
    User.objects.create_user("anna")
    for number in range(5):
        name = f"P{number}"
        tasks = {"A": code(str(number)), "B": manual("anna"), "C": {"subprocess": process(f"Inner {name}", {})}}
        made = process(name, tasks, (2, "A"), (1, "B", {"condition": "True"}), (3, "C"))
        form(made, None, amount="money", note="text")
        form(made, "B", why={"kind": "text", "required": True})
    processes = list(ours(Process).all())
    with django_assert_num_queries(3):
        found = drafts(processes)
    assert found == {one.name: draft(one) for one in processes}
    with django_assert_num_queries(6):
        assert set(operations.ready(processes)) == {f"P{number}" for number in range(5)}


def test_sub_processes_beside_each_other_that_change_the_same_key_are_told() -> None:
    """Without an output, what a sub-process changes is merged into the data of its parent."""
    one = process("One", {"A": code("data['x'] = 1")}, (1, "A"))
    other = process("Other", {"A": code("data['x'] = 2")}, (1, "A"))
    parent = process("P", {"First": {"subprocess": one}, "Second": {"subprocess": other}}, (1, "First"), (1, "Second"))
    (found,) = starting.findings(parent)
    assert (found.level, found.task) == ("warning", "Second")
    assert found.message.startswith("Changes data['x'], as 'First' does at this step.")
    other.tasks.update(code="data['y'] = 2")
    assert starting.findings(parent) == []

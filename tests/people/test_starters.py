"""Who may start what."""

import pytest
from django.contrib.auth.models import Permission

from tests.build import code, form, process
from tests.own import ours
from tests.people.conftest import People
from workflow import operations
from workflow.definition import Field, Kind
from workflow.errors import NotAllowed
from workflow.models import Process, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _processes(people: People) -> None:
    for name, starters in [("Open", ""), ("Managed", "managers, anna"), ("Emil's", "emil")]:
        process(name, {"A": code("1")}, (1, "A"))
        ours(Process).filter(name=name).update(starters=starters)


def startable(people: People) -> dict[str, set[str]]:
    found = {
        user.get_username(): {one.name for one in operations.startable(user) if one in ours(Process).all()}
        for user in people
    }
    return {user: names for user, names in found.items() if names}


def test_those_who_are_named_and_where_nobody_is_those_with_the_permission(people: People) -> None:
    people.staff.user_permissions.add(Permission.objects.get(codename="add_runningprocesses"))
    assert startable(people) == {
        "anna": {"Managed"},
        "carl": {"Managed"},
        "dora": {"Managed"},
        "emil": {"Emil's"},
        "staff": {"Open"},
        "root": {"Open", "Managed", "Emil's"},
    }


def test_nobody_else_starts_it_by_any_way(people: People) -> None:
    with pytest.raises(NotAllowed, match="bert may not start 'Managed': it is started by managers, anna"):
        operations.start_many(["Open", "Managed"], user=people.bert)
    assert not ours(RunningProcesses).exists()
    assert operations.start("Managed", user=people.carl).started_by == people.carl


def test_a_program_starts_anything_for_nobody_and_what_names_nobody_for_anybody(people: People) -> None:
    operations.start("Managed")
    assert operations.start("Open", user=people.emil).started_by == people.emil


def test_the_form_that_it_is_started_with() -> None:
    made = Process.objects.get(name="Open")
    form(made, None, amount={"kind": "money", "required": True}, note="text")
    form(made, "A", other="text")
    assert operations.start_form(made) == (
        Field(name="amount", kind=Kind.MONEY, required=True),
        Field(name="note"),
    )
    assert operations.start("Open").version.frozen.fields == operations.start_form(made)

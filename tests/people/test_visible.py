"""Who may look at an instance: who started it, who had a task in it, and staff with the permission; and at what cost."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.db import connection
from django.utils import timezone

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, unsaved, user_named
from workflow import operations
from workflow.models import (
    Absence,
    Decision,
    InstanceState,
    RunningProcesses,
    RunState,
    TaskRun,
    WaitingForApproval,
)

pytestmark = pytest.mark.django_db(transaction=True)


def seers(people: People, instance: RunningProcesses | None = None) -> set[str]:
    """Who sees the instance, or, if none is given, the only one; but for root, who sees everything."""
    found = instance or ours(RunningProcesses).get()
    assert operations.may_see(people.root, found)
    by_key = {user.get_username() for user in people if operations.may_see(user, found)}
    assert by_key == {user.get_username() for user in people if found in operations.visible_to(user)}
    return by_key - {"root"}


def sign(approver: str, **fields: Any) -> None:
    process("Sign", {"Sign": manual(approver, **fields), "End": code("1")}, (1, "Sign"), (2, "End"))


def test_who_started_it_and_whom_it_asks_now(people: People) -> None:
    sign("anna, managers", not_starter=True)
    waits("Sign", user=people.bert)
    assert seers(people) == {"bert", "anna", "carl", "dora"}


def test_rights_that_were_looked_up_are_not_looked_up_again(people: People, django_assert_num_queries: Any) -> None:
    sign("anna")
    waiting = waits("Sign")
    rights = operations.Rights.kept(people.anna)
    assert operations.Rights.kept(people.anna) is rights
    assert operations.may_see(people.anna, waiting.rpid, rights)
    with django_assert_num_queries(1):
        assert operations.may_see(people.anna, waiting.rpid, rights)


def test_any_member_of_staff_where_any_is_asked(people: People) -> None:
    sign("")
    waits("Sign")
    assert seers(people) == {"staff"}


def test_who_decided_it_still_but_not_who_was_only_asked(people: People) -> None:
    sign("anna, managers")
    operations.approve(waits("Sign"), by=people.carl)
    run_until_idle()
    assert seers(people) == {"carl"}


def test_who_claimed_it_and_gave_it_back_and_who_handed_it_on(people: People) -> None:
    sign("anna, managers")
    waiting = waits("Sign")
    operations.claim(waiting, people.carl)
    operations.release(waiting, people.carl)
    operations.delegate(waiting, people.emil, by=people.anna)
    assert seers(people) == {"anna", "carl", "dora", "emil"}
    operations.approve(waiting, by=people.emil)
    run_until_idle()
    assert seers(people) == {"anna", "carl", "emil"}


def test_who_stands_in_and_later_both(people: People) -> None:
    today = timezone.localdate()
    Absence.objects.create(user=people.anna, stand_in=people.emil, first_day=today, last_day=today)
    sign("anna")
    waiting = waits("Sign")
    assert seers(people) == {"anna", "emil"}
    operations.approve(waiting, by=people.emil)
    ours(Absence).all().delete()
    assert seers(people) == {"anna", "emil"}


def test_nobody_by_standing_in_for_somebody_who_may_not_decide(people: People) -> None:
    today = timezone.localdate()
    Absence.objects.create(user=people.carl, stand_in=people.emil, first_day=today, last_day=today)
    sign("managers", not_starter=True)
    waits("Sign", user=people.carl)
    assert seers(people) == {"carl", "dora"}


def test_staff_with_the_permission_and_nobody_else_by_it(people: People) -> None:
    sign("anna")
    waits("Sign")
    for user in (people.staff, people.bert, people.gone):
        user.user_permissions.add(Permission.objects.get(codename="view_runningprocesses"))
    found = {name for name in ("staff", "bert", "gone") if operations.sees_all(user_named(name))}
    assert found == {"staff"}
    assert seers(People(*map(user_named, People._fields))) == {"anna", "staff"}
    assert not operations.may_see(AnonymousUser(), ours(RunningProcesses).get())


def test_who_started_an_instance_sees_what_it_has_started(people: People) -> None:
    process("Inner", {"Look": manual("managers")}, (1, "Look"))
    process(
        "Outer",
        {"Inner": {"subprocess": process("Middle", {"A": code("run_process('Inner')")}, (1, "A"))}},
        (1, "Inner"),
    )
    operations.start("Outer", user=people.bert)
    run_until_idle()
    outer, middle, inner = ours(RunningProcesses).order_by("pk")
    assert [seers(people, one) for one in (outer, middle, inner)] == [{"bert"}, {"bert"}, {"bert", "carl", "dora"}]


def test_it_is_found_by_indexes(people: People, django_assert_max_num_queries: Any) -> None:
    sign("anna, managers")
    waiting = waits("Sign")
    _many(waiting)
    carl = User.objects.get(pk=people.carl.pk)
    with django_assert_max_num_queries(5):  # two for the permission, the absent, the groups, and it
        assert operations.may_see(carl, waiting.rpid)
    for user in (people.carl, people.emil, people.staff):
        plan = operations.visible_to(user).filter(pk=waiting.rpid_id).explain()
        assert "Seq Scan on workflow_runningprocesses" not in plan
        assert "Seq Scan on workflow_taskrun" not in plan
        assert "Seq Scan on workflow_decision" not in plan


def _many(waiting: WaitingForApproval) -> None:
    """Thousands of instances that others have decided; and what the database's housekeeping gathers about them."""
    others = User.objects.bulk_create(unsaved(f"user{number}") for number in range(50))
    one, now = waiting.rpid, timezone.now()
    common: dict[str, Any] = {"version": one.version, "process_name": "Sign", "step": 1}
    instances = RunningProcesses.objects.bulk_create(
        RunningProcesses(
            **common, state=InstanceState.FINISHED, started_by=others[number % 50], started_at=now, ended_at=now
        )
        for number in range(5000)
    )
    runs = TaskRun.objects.bulk_create(
        TaskRun(
            instance=instance, visit=1, row=0, task_name="Sign", sequence=1, state=RunState.FINISHED, started_at=now
        )
        for instance in instances
    )
    Decision.objects.bulk_create(
        Decision(task_run=run, user=others[number % 50], approved=True, at=now) for number, run in enumerate(runs)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

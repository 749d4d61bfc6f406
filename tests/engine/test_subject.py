"""What an instance is about: any object of the project."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction

from tests.build import code, process, run_until_idle
from workflow import errors, operations
from workflow.models import InstanceState, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def about() -> None:
    process("P", {"A": code("data['label'] = run.subject\ndata['name'] = subject_name()")}, (1, "A"))


def finished(instance: RunningProcesses) -> RunningProcesses:
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == InstanceState.FINISHED, instance.error
    return instance


def test_code_sees_its_label_and_actions_the_object() -> None:
    group = Group.objects.create(name="managers")
    instance = finished(operations.start("P", subject=group))
    assert instance.data == {"label": f"auth.group:{group.pk}", "name": "managers"}
    assert instance.subject == group
    assert list(RunningProcesses.objects.filter(subject_id=str(group.pk))) == [instance]


def test_without_one_there_is_none() -> None:
    assert finished(operations.start("P")).data == {"label": None, "name": None}


def test_it_may_be_gone_when_it_is_asked_for() -> None:
    group = Group.objects.create(name="managers")
    label = f"auth.group:{group.pk}"
    instance = operations.start("P", subject=group)
    group.delete()
    assert finished(instance).data == {"label": label, "name": None}


def test_sub_processes_are_about_the_same() -> None:
    process("Q", {"A": code("data['child'] = run_process('P')")}, (1, "A"))
    user = User.objects.create_user("anna")
    assert finished(operations.start("Q", subject=user)).data["child"]["name"] == "anna"


def test_it_must_have_been_saved() -> None:
    with pytest.raises(errors.BadData, match="has not been saved: save it first"):
        operations.start("P", subject=Group(name="new"))
    assert not RunningProcesses.objects.exists()


def test_started_in_a_transaction_it_starts_only_if_that_commits() -> None:
    with transaction.atomic():
        operations.start("P", subject=Group.objects.create(name="managers"))
        transaction.set_rollback(True)
    assert not RunningProcesses.objects.exists()

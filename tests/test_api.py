"""What programs import."""

from typing import Any

import pytest

import workflow
from tests.build import code, process, run_until_idle
from workflow import operations, operators
from workflow.code.actions import action
from workflow.code.current import current_run
from workflow.models import InstanceState


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("Operation", operators.Action),
        ("action", action),
        ("approve", operations.approve),
        ("current_run", current_run),
        ("operate", operators.perform),
        ("operate_all", operators.perform_all),
        ("plan", operators.plan),
        ("reject", operations.reject),
        ("signal", operations.signal),
        ("start", operations.start),
        ("start_many", operations.start_many),
    ],
)
def test_what_is_promised_is_there(name: str, home: Any) -> None:
    assert getattr(workflow, name) is home
    assert name in workflow.__all__


def test_nothing_else_is_promised() -> None:
    assert len(workflow.__all__) == 12


def test_dir_lists_it_also_before_it_was_used() -> None:
    assert set(workflow.__all__) <= set(dir(workflow))
    assert "__doc__" in dir(workflow)


def test_what_is_not_promised_is_not() -> None:
    with pytest.raises(AttributeError, match="module 'workflow' has no attribute 'explode'"):
        workflow.explode  # noqa: B018


@pytest.mark.django_db(transaction=True)
def test_an_operator_looks_before_stepping_in() -> None:
    process("P", {"A": code("sleep(days=1)")}, (1, "A"))
    instance = workflow.start("P")
    run_until_idle()
    assert workflow.plan(instance.pk, workflow.Operation.CANCEL).again == []
    assert workflow.operate(instance.pk, workflow.Operation.CANCEL, reason="a test").state == InstanceState.CANCELLED

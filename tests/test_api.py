"""What programs import."""

import pytest

import workflow
from workflow import operations
from workflow.code.actions import action


def test_what_is_promised_is_there() -> None:
    assert workflow.start is operations.start
    assert workflow.action is action
    assert all(callable(getattr(workflow, name)) for name in workflow.__all__)


def test_what_is_not_promised_is_not() -> None:
    with pytest.raises(AttributeError, match="module 'workflow' has no attribute 'explode'"):
        workflow.explode  # noqa: B018

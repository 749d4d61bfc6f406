"""What an engine does between two moments of a test, without its threads: so that a test can run in a transaction."""

from threading import Event
from typing import Any

from tests.build import code, manual, process
from tests.own import ours
from workflow import clock
from workflow.engine.post import Post
from workflow.models import Process, WaitingForApproval
from workflow.testing import Workflow


def sign(approver: str = "anna, managers", **fields: Any) -> Process:
    """A process that somebody signs."""
    return process("Sign", {"Sign": manual(approver, **fields), "End": code("1")}, (1, "Sign"), (2, "End"))


def run() -> None:
    """Have an engine do all that is due, and send what is due."""
    with Workflow() as workflow:
        workflow.run()
    Post(clock=clock.now, stopping=Event()).send_due()


def asks(name: str, data: dict[str, Any] | None = None, user: Any = None, *, task: str = "") -> WaitingForApproval:
    """Start an instance, and bring it to where it waits; nobody is told yet. Of several tasks, that one."""
    with Workflow() as workflow:
        instance = workflow.start(name, data, user=user)
    waiting = ours(WaitingForApproval).filter(rpid=instance)
    return waiting.get(task_name=task) if task else waiting.get()


def waits(name: str, data: dict[str, Any] | None = None, user: Any = None, *, task: str = "") -> WaitingForApproval:
    """As `asks`, and have those told whom it asks."""
    waiting = asks(name, data, user, task=task)
    run()
    return waiting

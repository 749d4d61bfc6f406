"""What there is to see on pages: claims at every stage, as a team has them on a Wednesday afternoon."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile

from workflow import operations
from workflow.mail import links
from workflow.models import RunningProcesses, WaitingForApproval
from workflow.testing import Workflow

BEGIN = datetime(2026, 3, 2, 8, 10, tzinfo=UTC)  # a Monday


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Instances by how far they have come, and a link as mails have it."""

    with_manager: RunningProcesses
    with_finance: RunningProcesses
    sent_back: RunningProcesses
    paid: RunningProcesses
    order: RunningProcesses
    link: str

    def task(self, instance: RunningProcesses) -> str:
        """The address at which the instance's newest task is decided, or was."""
        manual = instance.task_runs.exclude(decisions=None, waiting=None)
        return f"/waiting/{manual.order_by('visit', 'row').last().pk}/"

    def page(self, instance: RunningProcesses) -> str:
        """The address of an instance's page."""
        return f"/instances/{instance.pk}/"


def user(login: str) -> Any:
    return get_user_model().objects.get(username=login)


def play(workflow: Workflow) -> Scene:
    """From Monday to Wednesday: what is paid, what is late, what was sent back, and what is on its way."""
    paid = _claim(workflow, 240, "Hotel in Porto")
    _claim(workflow, 1900, "Conference in Oslo", by="wanda")  # which nobody decides in time
    workflow.advance(hours=2, minutes=5)
    _approve(workflow, paid, "mark", "Manager approval")
    workflow.advance(hours=4)
    _approve(workflow, paid, "felix", "Finance approval", answers={"cost_centre": "4711"})
    _approve(workflow, paid, "frida", "Finance approval")
    sent_back = _claim(workflow, 1250, "New chair")
    workflow.advance(hours=20)
    workflow.start("Onboarding", {"name": "Grace Hopper", "role": "Analyst"}, user=user("hanna"))
    order = workflow.start("Order", {"customer": "Linus"}, user=user("shop"))
    workflow.approve("Order", "Sales approval", by=user("shop"))
    _reject(workflow, sent_back, "mark", "A chair is ordered, not claimed. Did you ask Ivo?")
    with_finance = _claim(workflow, 320, "Workshop in Vienna")
    workflow.advance(hours=3, minutes=20)
    _approve(workflow, with_finance, "mark", "Manager approval", "A good one; others should go, too.")
    workflow.advance(hours=22)
    _approve(
        workflow, with_finance, "felix", "Finance approval", "Booked as training.", answers={"cost_centre": "4720"}
    )
    with_manager = _claim(workflow, 180, "Train to Lisbon")
    _approve(workflow, _claim(workflow, 150, "Books on contract law", by="hanna"), "mark", "Manager approval")
    workflow.advance(hours=2, minutes=10)
    asked = WaitingForApproval.objects.get(rpid=with_manager)
    link = f"/decide/{links.token(user('mark'), asked)}/"
    return Scene(
        with_manager=with_manager, with_finance=with_finance, sent_back=sent_back, paid=paid, order=order, link=link
    )


def _claim(workflow: Workflow, amount: int, purpose: str, *, by: str = "anna") -> RunningProcesses:
    receipt = operations.keep_upload(ContentFile(b"%PDF-1.7" * 9_000, "receipt.pdf"), by=user(by))
    data = {"amount": amount, "purpose": purpose, "receipt": receipt.reference}
    return workflow.start("Expense claim", data, user=user(by))


def _approve(
    workflow: Workflow, instance: RunningProcesses, by: str, task: str, comment: str = "", **given: Any
) -> None:
    workflow.approve(instance.process_name, task, instance=instance, by=user(by), comment=comment, **given)


def _reject(workflow: Workflow, instance: RunningProcesses, by: str, comment: str) -> None:
    workflow.reject(instance.process_name, "Manager approval", instance=instance, by=user(by), comment=comment)

"""What there is to see on pages: claims at every stage, as a team has them on an ordinary afternoon."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile

from tests.build import run_until_idle
from workflow import operations
from workflow.mail import links
from workflow.models import RunningProcesses, WaitingForApproval


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Instances by how far they have come, and a link as mails have it."""

    with_manager: RunningProcesses
    with_finance: RunningProcesses
    sent_back: RunningProcesses
    paid: RunningProcesses
    link: str

    def task(self, instance: RunningProcesses) -> str:
        """The address at which the instance's newest task is decided, or was."""
        manual = instance.task_runs.exclude(decisions=None, waiting=None)
        return f"/waiting/{manual.order_by('visit', 'row').last().pk}/"


def user(login: str) -> Any:
    return get_user_model().objects.get(username=login)


def claim(amount: int, purpose: str, *, by: str = "anna") -> RunningProcesses:
    receipt = operations.keep_upload(ContentFile(b"%PDF-1.7", "receipt.pdf"), by=user(by))
    data = {"amount": amount, "purpose": purpose, "receipt": receipt.reference}
    instance = operations.start("Expense claim", data, user=user(by))
    run_until_idle()
    return instance


def waiting(instance: RunningProcesses) -> WaitingForApproval:
    found: WaitingForApproval = instance.waiting.select_related("rpid__version", "task_run").get()
    return found


def approve(instance: RunningProcesses, by: str, comment: str = "", **answers: Any) -> None:
    operations.approve(waiting(instance), by=user(by), comment=comment, answers=answers)
    run_until_idle()


def reject(instance: RunningProcesses, by: str, comment: str = "") -> None:
    operations.reject(waiting(instance), by=user(by), comment=comment)
    run_until_idle()


def play() -> Scene:
    """Anna's claims: one is with her manager, one with finance, where one of two has approved, one was sent back, one is paid."""
    paid = claim(240, "Hotel in Porto")
    approve(paid, "mark")
    approve(paid, "felix", cost_centre="4711")
    approve(paid, "frida")
    sent_back = claim(1250, "New chair")
    reject(sent_back, "mark", "A chair is to be ordered, not claimed. What does Ivo say?")
    with_finance = claim(320, "Workshop in Vienna")
    approve(with_finance, "mark", "A good one; others should go, too.")
    approve(with_finance, "felix", "Booked as training.", cost_centre="4720")
    with_manager = claim(180, "Train to Lisbon")
    link = f"/decide/{links.token(user('mark'), waiting(with_manager))}/"
    for instance in (paid, sent_back, with_finance, with_manager):
        instance.refresh_from_db()
    return Scene(with_manager=with_manager, with_finance=with_finance, sent_back=sent_back, paid=paid, link=link)

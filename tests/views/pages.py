"""What a person does on a page for people, in terms of a test client."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client

from tests.admin.pages import messages, text
from workflow.models import WaitingForApproval

__all__ = ["Fields", "address", "fields", "messages", "press", "select", "text"]


class Fields(HTMLParser):
    """The names and values of a page's inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("name"):
            self.found.append((str(given["name"]), given.get("value") or ""))


def fields(response: Any, name: str) -> list[str]:
    """The values of the inputs of that name, in their order."""
    parser = Fields()
    parser.feed(response.content.decode())
    return [value for found, value in parser.found if found == name]


def address(waiting: WaitingForApproval, verb: str = "") -> str:
    """Where a task is decided, or claimed, released or handed on."""
    return f"/waiting/{waiting.task_run_id}/{verb}{'/' if verb else ''}"


def press(client: Client, waiting: WaitingForApproval, decision: str = "approve", **given: Any) -> Any:
    """Open a task's page, fill in the form, and press the button."""
    (seen,) = fields(client.get(address(waiting)), "seen")
    return client.post(address(waiting), {"seen": seen, "decision": decision, **given})


def select(client: Client, decision: str, *, comment: str = "", path: str = "/") -> Any:
    """Open the inbox, select all of the page, and press the button."""
    tasks = fields(client.get(path), "task")
    return client.post("/inbox/decide/", {"task": tasks, "decision": decision, "comment": comment}, follow=True)

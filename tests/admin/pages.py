"""What a person does on an admin page, in terms of a test client: read it, change some fields, press a button."""

from html import unescape
from html.parser import HTMLParser
from typing import Any

from django.test import Client

from workflow.models import Process

DEFAULTS = {"quorum": "1", "max_attempts": "1", "retry_delay": "10.0"}


def process_url(process: Process | None = None) -> str:
    """The page of a process, or of a new one."""
    return f"/admin/workflow/process/{'add/' if process is None else f'{process.pk}/change/'}"


def filled_in(response: Any) -> dict[str, str]:
    """What the forms of a change page would send as they stand."""
    formsets = [wrapped.formset for wrapped in response.context["inline_admin_formsets"]]
    forms = [response.context["adminform"].form]
    for formset in formsets:
        forms += [formset.management_form, *formset.forms]
    data: dict[str, str] = {}
    for form in forms:
        for field in form:
            value = field.value()
            if value is not None and value is not False and not field.field.disabled:
                data[field.html_name] = "on" if value is True else str(value)
    return data


class Draft:
    """The page of a process, as it is being filled in."""

    def __init__(self, client: Client, process: Process | None = None) -> None:
        self._client, self._url = client, process_url(process)
        response = client.get(self._url)
        assert response.status_code == 200
        self.data = filled_in(response)

    def set(self, **fields: str | None) -> "Draft":
        """Fill in fields, given with `__` for `-`; None clears one."""
        for field, value in fields.items():
            name = field.replace("__", "-")
            if value is None:
                self.data.pop(name, None)
            else:
                self.data[name] = value
        return self

    def task(self, name: str, **fields: str) -> "Draft":
        """Fill in one more task."""
        return self._add("tasks", {**DEFAULTS, "name": name, **fields}, blank="name")

    def row(self, sequence: int, task_name: str, **fields: str) -> "Draft":
        """Fill in one more transition."""
        return self._add("transitions", {"sequence": str(sequence), "task_name": task_name, **fields}, blank="sequence")

    def field(self, name: str, **fields: str) -> "Draft":
        """Fill in one more field of a form."""
        return self._add("form_fields", {"kind": "text", "position": "0", "name": name, **fields}, blank="name")

    def press(self, button: str = "_save", *, follow: bool = False) -> Any:
        """Send it."""
        return self._client.post(self._url, {**self.data, button: "on"}, follow=follow)

    def _add(self, prefix: str, fields: dict[str, str], *, blank: str) -> "Draft":
        total = int(self.data[f"{prefix}-TOTAL_FORMS"])
        taken = [index for index in range(total) if f"{prefix}-{index}-{blank}" in self.data]
        index = len(taken)
        self.data[f"{prefix}-TOTAL_FORMS"] = str(max(total, index + 1))
        self.data |= {f"{prefix}-{index}-{name}": value for name, value in fields.items()}
        return self


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text(response: Any) -> str:
    """The words of a page, as they are read."""
    parser = _Text()
    parser.feed(response.content.decode())
    return " ".join(unescape(" ".join(parser.parts)).split())


def messages(response: Any) -> list[str]:
    """What the page says at its top."""
    return [str(message) for message in response.context["messages"]]


def found(response: Any, place: str) -> str:
    """The findings or errors with this id; blank where there are none."""
    page = response.content.decode()
    mark = f'id="{place}"'
    if mark not in page:
        return ""
    parser = _Text()
    parser.feed("<ul " + page[page.index(mark) :].partition("</ul>")[0])
    return " ".join(unescape(" ".join(parser.parts)).split())

"""The first hour with the engine, as its users spend it: a browser, three commands, and nothing of ours in between."""

from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest
from django.contrib.auth.models import User

from workflow.models import RunningProcesses

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def add(page: Any, group: str) -> int:
    """Add an empty form to a group of the process page; returns its number."""
    number = int(page.input_value(f"#id_{group}-TOTAL_FORMS"))
    page.click(f"#{group}-group .add-row a")
    return number


def add_code_task(page: Any, name: str, code: str) -> None:
    number = add(page, "tasks")
    page.fill(f"#id_tasks-{number}-name", name)
    page.click(f"#tasks-{number} .ace_content")
    page.keyboard.insert_text(code)


def add_manual_task(page: Any, name: str, approver: str) -> None:
    number = add(page, "tasks")
    page.fill(f"#id_tasks-{number}-name", name)
    page.check(f"#id_tasks-{number}-manual")
    page.fill(f"#id_tasks-{number}-approver", approver)


def add_step(page: Any, sequence: int, task: str) -> None:
    number = add(page, "transitions")
    page.fill(f"#id_transitions-{number}-sequence", str(sequence))
    page.fill(f"#id_transitions-{number}-task_name", task)


def log_in(page: Any, site: str) -> None:
    User.objects.create_superuser("boss", password="secret")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site}/admin/")
    page.fill("#id_username", "boss")
    page.fill("#id_password", "secret")
    page.press("#id_password", "Enter")
    page.wait_for_selector("#user-tools")


def define(page: Any, site: str) -> None:
    page.goto(f"{site}/admin/workflow/process/add/")
    page.fill("#id_name", "Tutorial")
    add_code_task(page, "Prepare", "data['n'] = 20\ndata['n'] + 1")
    add_manual_task(page, "Sign", "boss")
    add_code_task(page, "Send", "results['Prepare'] * 2")
    for sequence, task in ((10, "Prepare"), (20, "Sign"), (30, "Send")):
        add_step(page, sequence, task)
    page.click("input[name=_continue]")
    page.wait_for_selector(".messagelist .success")
    assert page.locator("svg").first.is_visible()
    assert page.locator(".errorlist").count() == 0


def test_a_process_is_defined_in_the_admin_and_runs_from_start_to_end(
    page: Any, live_server: Any, manage: Callable[..., CompletedProcess[str]]
) -> None:
    log_in(page, live_server.url)
    define(page, live_server.url)

    started = manage("startprocess", "Tutorial", "--user", "boss")
    assert started.returncode == 0, started.stderr
    instance = started.stdout.strip()
    first = manage("runengine", "--until-idle")
    assert first.returncode == 0, first.stderr
    assert f"Result of Tutorial task Prepare is 21 (instance {instance})" in first.stderr

    approved = manage("approve", "Tutorial", "Sign", "--user", "boss", "--comment", "well done")
    assert approved.stdout == f"Approved Tutorial task Sign (instance {instance})\n"
    second = manage("runengine", "--until-idle")
    assert f"Result of Tutorial task Send is 42 (instance {instance})" in second.stderr

    ended = RunningProcesses.objects.get(pk=instance)
    signed = {"approved": True, "user": "boss", "comment": "well done"}
    assert (ended.state, ended.results) == ("FINISHED", {"Prepare": 21, "Sign": signed, "Send": 42})
    page.goto(f"{live_server.url}/admin/workflow/runningprocesses/{instance}/change/")
    assert "well done" in page.content()
    assert "It has come to its end." in page.content()

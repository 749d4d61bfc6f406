"""Arguments, results, errors and the rest that only operators see of instances: nobody else finds it on any page.

Every column of every model that holds text or JSON is either filled with a marker here, or named as one that people may
see. Then every page is read from the URL configuration. So neither a new column nor a new page can be forgotten.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import models
from django.test import Client

from tests.own import ours
from tests.users import User
from tests.world import World, made, pages
from workflow.models import ActionCall, Decision, Intervention, Notice, RunningProcesses, Signal, TaskRun
from workflow.models.instances import Mailbox

pytestmark = pytest.mark.django_db

MARKER = "0nly-f0r-0perat0rs"
ERROR = {"type": MARKER, "message": MARKER, "task": MARKER, "line": 1, "traceback": MARKER}

HIDDEN: Mapping[type[models.Model], Mapping[str, Any]] = {
    RunningProcesses: {"data": {"hidden": MARKER}, "results": {"Check": MARKER}, "error": ERROR},
    TaskRun: {
        "result": {"x": MARKER},
        "changes": {"set": {"hidden": MARKER}, "deleted": []},
        "log": MARKER,
        "snapshot": MARKER.encode(),
        "error": ERROR,
    },
    ActionCall: {"arguments": {"args": [MARKER], "kwargs": {"x": MARKER}}, "result": MARKER, "error": ERROR},
    Decision: {"saw": {"version": 1, "data": {"hidden": MARKER}, "asked": "Sign it?"}},
    Signal: {"payload": {"x": MARKER}},
    Notice: {"error": MARKER},
    Intervention: {"details": MARKER},
}

SHOWN: Mapping[str, str] = {
    "AbsenceChange": "origin before after",
    "BusinessCalendar": "days_off hours",
    "Decision": "origin comment answers",
    "Engine": "processes queued abilities",
    "Intervention": "origin reason",
    "Notice": "text",
    "RunningProcesses": "start_origin",
    "TaskRun": "decision_origin comment",
    "WaitingForApproval": "approver question form due_why schedule",
    # Definitions: their own permissions say who may look at them.
    "FormField": "choices",
    "Process": "description",
    "ProcessVersion": "definition needs",
    "Task": "code input instructions output",
    "TaskTransitions": "condition",
}
"""By model, the columns that people may see."""


@pytest.fixture
def world(db: None) -> World:
    return marked(made())


def marked(world: World) -> World:
    """The world with the marker wherever only operators may look."""
    ours(ActionCall).update(ended_at=world.decided.started_at)
    call = ours(ActionCall).filter(run__instance=world.waiting.rpid_id)[0]
    ours(TaskRun).filter(pk=call.run_id).update(state="FINISHED")
    of_both = (world.waiting.rpid_id, world.broken.pk)
    for instance in of_both:
        Intervention.objects.create(instance_id=instance, action="skip", at=world.decided.started_at)
        mailbox, _ = Mailbox.objects.get_or_create(name="paid")
        Signal.objects.create(mailbox=mailbox, instance_id=instance, sent_at=world.decided.started_at)
    Notice.objects.update(state="GIVEN_UP", task_run=world.decided)
    for model, fields in HIDDEN.items():
        ours(model).update(**fields)
    return world


def viewer() -> Any:
    """Staff who may look at everything that Django's permissions to view are for."""
    user = User.objects.create_user("looks", is_staff=True)
    permissions = Permission.objects.filter(content_type__app_label="workflow", codename__startswith="view_")
    user.user_permissions.set(permissions)
    return user


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def everywhere(world: World) -> Iterator[str]:
    """The address of each page, also of each row of which the world knows only one."""
    for page, route in pages():
        for visit in world.visits(page, route, "viewer"):
            if page not in {"logout", "admin:logout"}:
                yield visit.path
    for model in ("runningprocesses", "taskrun"):
        rows = ours(apps.get_model("workflow", model)).values_list("pk", flat=True)
        yield from (f"/admin/workflow/{model}/{key}/change/" for key in rows)


def body(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()


def test_every_column_is_hidden_or_may_be_seen() -> None:
    kinds = (models.TextField, models.JSONField, models.BinaryField)
    there = {
        f"{model.__name__}.{field.name}"
        for model in apps.get_app_config("workflow").get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, kinds) and field.name not in HIDDEN.get(model, ())
    }
    shown = {f"{model}.{name}" for model, names in SHOWN.items() for name in names.split()}
    assert there == shown, "Say in HIDDEN or SHOWN who may see it."


def test_who_may_look_but_not_operate_finds_it_nowhere(world: World) -> None:
    client = client_of(viewer())
    found, seen = set(), 0
    for path in everywhere(world):
        response = client.get(path, follow=True)
        seen += response.status_code == 200
        if MARKER in body(response):
            found.add(path)
    assert found == set()
    assert seen > 50


def test_an_operator_finds_it(world: World) -> None:
    """So that the test above looks where there is something to find."""
    user = viewer()
    user.user_permissions.add(Permission.objects.get(codename="operate_instances"))
    client = client_of(user)
    found = {path.split("/")[3] for path in everywhere(world) if MARKER in body(client.get(path)) if "admin" in path}
    assert found == {"runningprocesses", "taskrun", "waitingforapproval", "notice"}
    page = body(client.get(f"/instances/{world.broken.pk}/"))
    assert page.count(MARKER) > 2


@pytest.mark.parametrize("lookup", ["contains", "icontains", "startswith", "isnull", "regex", ""])
def test_no_filter_of_a_list_tells_what_it_is(world: World, lookup: str) -> None:
    client = client_of(viewer())
    for model in ("RunningProcesses", "TaskRun", "Notice"):
        for name in HIDDEN[apps.get_model("workflow", model)]:
            query = {f"{name}__{lookup}" if lookup else name: "1"}
            response = client.get(f"/admin/workflow/{model.lower()}/", query)
            assert response.status_code == 400, (model, query)


def test_nor_does_a_search(world: World) -> None:
    user = viewer()
    client = client_of(user)
    for model in apps.get_app_config("workflow").get_models():
        response = client.get(f"/admin/workflow/{model.__name__.lower()}/", {"q": MARKER})
        if response.status_code == 200:
            assert response.context["cl"].result_count == 0 or not response.context["cl"].search_fields, model
    user.user_permissions.add(Permission.objects.get(codename="operate_instances"))
    assert client.get("/admin/workflow/notice/", {"q": MARKER}).context["cl"].result_count

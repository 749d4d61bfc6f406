"""One of everything: two instances that hide something everywhere, and somebody of each role before them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from tests.build import code, form, manual, process
from workflow import operations
from workflow.mail import links
from workflow.models import (
    Absence,
    BusinessCalendar,
    Engine,
    MailPreference,
    Notice,
    Process,
    RunningProcesses,
    TaskRun,
    Upload,
    WaitingForApproval,
)
from workflow.testing import Workflow
from workflow.views.rows import in_brief
from workflow.views.shown import sign

DATA, ARGUMENT, ERROR, CONDITION, CODE = (
    f"SECRET-{what}" for what in ("DATA", "ARGUMENT", "ERROR", "CONDITION", "CODE")
)
SECRETS = (DATA, ARGUMENT, ERROR, CONDITION, CODE)

CHECK = f"""
data["hidden"] = "SECRET-" + "DATA"
note("SECRET-" + "ARGUMENT")
try:
    pause(1.0)
except ValueError:
    data["code"] = "{CODE}"[:0]
"""

LOOKED_AT = ("runningprocesses", "taskrun", "waitingforapproval", "processversion", "process")
DEFINED = ("process", "task", "tasktransitions", "formfield")
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "viewer": tuple(f"view_{model}" for model in LOOKED_AT),
    "operator": ("operate_instances", *(f"view_{model}" for model in LOOKED_AT)),
    "owner": tuple(f"{verb}_{model}" for verb in ("add", "change", "delete", "view") for model in DEFINED),
}
ROLES = (
    *("nobody", "stranger", "starter", "approver", "former", "stand_in"),
    *("staff", "viewer", "operator", "owner", "superuser"),
)

TOKEN = UUID(int=7)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """The address of a page, and the form data that a browser would send there."""

    path: str
    sent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class World:
    """What there is to look at."""

    users: Mapping[str, Any]
    waiting: WaitingForApproval
    decided: TaskRun
    broken: RunningProcesses
    process: Process
    upload: Upload
    by_model: Mapping[str, Any]

    def client(self, role: str) -> Client:
        """A browser in which somebody of that role is logged in."""
        client = Client(raise_request_exception=False)
        if role != "nobody":
            client.force_login(self.users[role])
        return client

    def visits(self, page: str, route: str, role: str) -> Iterator[Visit]:
        """Each address of that page, as somebody of that role finds it."""
        if page.startswith("admin:workflow_"):
            yield from self._of_the_admin(page, route)
            return
        user = self.users.get(role, AnonymousUser())
        seen = operations.seen_token(self.waiting)
        keys = {"file": [self.upload.pk], "start_process": [self.process.pk]}
        of_tasks = [self.waiting.task_run_id, self.decided.pk]
        sent: Mapping[str, Mapping[str, Any]] = {
            "decide": {"decision": "approve", "seen": seen},
            "decide_by_link": {"decision": "approve", "seen": seen},
            "decide_several": {"decision": "approve", "task": [self._key(user)]},
            "delegate": {"to": self.users["stranger"].username},
            "mail_preferences": {"wish": "DIGEST", "digest_hour": "9"},
            "start_process": {"token": str(TOKEN), "reason": "again"},
            "set_language": {"language": "de"},
            "login": {"username": "starter", "password": "wrong"},
        }
        name = page.rpartition(":")[2]
        if "<str:token>" in route:
            route = route.replace("<str:token>", links.token(self.users["approver"], self.waiting))
        for key in keys.get(name, of_tasks if route.startswith("waiting/") else [self.waiting.rpid_id, self.broken.pk]):
            path = route.replace("<int:key>", str(key)).replace("<path:content_type_id>/<path:object_id>", "1/1")
            path = re.sub(r"\^\(\?P<app_label>[^)]+\)/\$", "workflow/", path).replace("(?P<url>.*)$", "nothing/")
            query = {"instance_earlier": "?after=9.0", "people": "?q=str"}.get(name, "")
            yield Visit(path=f"/{path}{query}", sent=sent.get(name, {}))
            if "<int:key>" not in route:
                return

    def _key(self, user: Any) -> str:
        """What an inbox would have that shows it to that user."""
        self.waiting.rpid = in_brief([self.waiting.rpid_id])[self.waiting.rpid_id]
        key = sign(self.waiting, user)
        self.waiting.refresh_from_db()
        return key

    def _of_the_admin(self, page: str, route: str) -> Iterator[Visit]:
        model, _, verb = page.removeprefix("admin:workflow_").partition("_")
        chosen = self.by_model[model]
        path = f"/{route}".replace("<path:object_id>", str(chosen.pk)).replace("<int:key>", str(chosen.pk))
        run, waiting = self.waiting.task_run_id, self.waiting.pk
        query = {"approve": f"?run={run}", "reject": f"?run={run}", "start": f"?id={self.process.pk}"}.get(verb, "")
        action = {"waitingforapproval": "claim_selected", "process": "delete_selected"}.get(model, "delete_selected")
        seen = {"waiting": str(waiting), f"seen-{waiting}": operations.seen_token(self.waiting)}
        sent: Mapping[str, Mapping[str, Any]] = {
            "delete": {"post": "yes"},
            "approve": seen,
            "reject": seen,
            "start": {"json": "", "answer-reason": "again"},
            "step_in": {"action": "pause", "reason": "to look at it"},
            "changelist": {"action": action, "_selected_action": [str(chosen.pk)], "post": "yes"},
        }
        yield Visit(path=path + query, sent=sent.get(verb, {}))


def pages() -> Iterator[tuple[str, str]]:
    """The name and the route of each page of the site, but for those of other apps' models in the admin."""
    for name, route in _walk(get_resolver().url_patterns):
        is_of_others = name.startswith("admin:") and route.count("/") > 2 and not route.startswith("admin/workflow/")
        if not is_of_others or name == "admin:view_on_site":
            yield name, route


def _walk(patterns: Any, namespace: str = "", route: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        path = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, inner, path)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name or path}", path


def made() -> World:
    """All of it, in the database."""
    users = {
        role: User.objects.create_user(role, email=f"{role}@example.com", is_staff=role in ROLES[6:])
        for role in ROLES[1:-1]
    }
    users["superuser"] = User.objects.create_superuser("superuser")
    for role, names in PERMISSIONS.items():
        users[role].user_permissions.set(
            Permission.objects.filter(codename__in=names, content_type__app_label="workflow")
        )
    Group.objects.create(name="group")
    today = timezone.localdate()
    absence = Absence(
        user=users["approver"], stand_in=users["stand_in"], first_day=today, last_day=today + timedelta(days=1)
    )
    change = operations.save_absence(absence, users["approver"])
    claim, decided = _claim(users)
    broken = _broken(users)
    waiting = WaitingForApproval.objects.get(rpid=claim)
    upload = operations.keep_upload(ContentFile(b"paid", name="receipt.txt"), by=users["starter"])
    Upload.objects.filter(pk=upload.pk).update(instance=claim)
    now = timezone.now()
    engine = Engine.objects.create(
        name="engine", host="host", pid=1, started_at=now, seen_at=now, lease=60, concurrency=1
    )
    notice = Notice.objects.create(key="key", kind="WAITS", user=users["approver"], created_at=now, text="told")
    of_claim: Any = claim
    return World(
        users=users,
        waiting=waiting,
        decided=decided,
        broken=broken,
        process=Process.objects.get(name="Claim"),
        upload=upload,
        by_model={
            "absence": absence,
            "absencechange": change,
            "businesscalendar": BusinessCalendar.objects.create(name="Office"),
            "engine": engine,
            "mailpreference": MailPreference.objects.create(user=users["approver"]),
            "notice": notice,
            "process": Process.objects.get(name="Claim"),
            "processversion": of_claim.version,
            "runningprocesses": claim,
            "taskrun": decided,
            "waitingforapproval": waiting,
        },
    )


def _claim(users: Mapping[str, Any]) -> tuple[RunningProcesses, TaskRun]:
    """It waits for one person; another has decided before; and code has done something that is nobody's business."""
    made = process(
        "Claim",
        {
            "First": manual("former"),
            "Check": code(CHECK),
            "Sign": manual("approver", instructions="About {{ data.reason }}."),
        },
        *((10, "First"), (20, "Check"), (30, "Sign", {"condition": f'data["reason"] != "{CONDITION}"'})),
    )
    form(made, None, reason="text")
    Process.objects.update(starters="starter, operator")
    with Workflow() as workflow:
        workflow.fake("note", returns=1)
        workflow.fake("pause", raises=ValueError(ERROR))
        claim = workflow.start("Claim", {"reason": "visible"}, user=users["starter"])
        workflow.approve("Claim", "First", by=users["former"])
        workflow.run()
    return claim, TaskRun.objects.get(instance=claim, task_name="First")


def _broken(users: Mapping[str, Any]) -> RunningProcesses:
    """It has failed. All who have to do with the other one have to do with it, too."""
    askers = "former, approver"
    process(
        "Broken",
        {"First": manual(askers, quorum=2), "Fail": code(f'raise ValueError("{ERROR}")')},
        *((10, "First"), (20, "Fail", {"condition": f'data != "{CONDITION}"'})),
    )
    with Workflow() as workflow:
        broken = workflow.start("Broken", {"hidden": DATA}, user=users["starter"])
        workflow.approve("Broken", "First", by=users["former"])
        workflow.approve("Broken", "First", by=users["approver"])
        workflow.run()
    broken.refresh_from_db()
    assert broken.state == "FAILED"
    return broken

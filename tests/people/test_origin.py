"""The history keeps who did something, and how, after the user was renamed or deleted."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, give_address, rename, user_named
from workflow import operations, operators, timeline
from workflow.mail import links
from workflow.models import Absence, Decision, Intervention, RunningProcesses, TaskRun, WaitingForApproval
from workflow.operators import Action
from workflow.origin import ADMIN, CODE, DEFAULT, LINK, PAGE, Channel, Name, Origin, Via, kept, name_of
from workflow.testing import Workflow
from workflow.views import facts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mark(people: People) -> Any:
    """Somebody with a full name, who may do everything."""
    return User.objects.create_superuser("mark", first_name="Mark", last_name="Ing")


def named(user: Any) -> Name:
    return Name(key=str(user.pk), username=user.get_username(), full_name=full_name(user))


def full_name(user: Any) -> str:
    return user.get_full_name() if hasattr(user, "get_full_name") else ""


def sign(**fields: Any) -> WaitingForApproval:
    process("Sign", {"Sign": manual(**{"approver": "mark", **fields}), "End": code("1")}, (1, "Sign"), (2, "End"))
    return waits("Sign")


def told(waiting: WaitingForApproval) -> str:
    """The history on the instance's page and in the admin, for a superuser."""
    client = Client()
    client.force_login(user_named("root"))
    key = waiting.rpid_id
    pages = [
        reverse("workflow:instance", args=[key]),
        f"/admin/workflow/runningprocesses/{key}/change/",
        f"/admin/workflow/taskrun/{waiting.task_run_id}/change/",
        reverse("workflow:decide", args=[waiting.task_run_id]),
        "/admin/workflow/runningprocesses/",
    ]
    return "\n".join(client.get(page).content.decode() for page in pages)


def test_a_decision_is_told_as_it_was_after_the_user_was_renamed_and_deleted(people: People, mark: Any) -> None:
    waiting = sign()
    operations.approve(waiting, by=mark, comment="fine")
    rename("mark", "renamed")
    (vote,) = ours(Decision).all()
    run = ours(TaskRun).get(pk=waiting.task_run_id)
    was = Origin(via=CODE, user=named(mark))
    assert vote.made == run.decision == was
    text = told(waiting)
    assert (full_name(mark) or "mark") in text
    assert "renamed" not in text
    User.objects.get(pk=mark.pk).delete()
    (vote,) = ours(Decision).all()
    run = ours(TaskRun).get(pk=waiting.task_run_id)
    assert (vote.user, run.decided_by) == (None, None)
    assert vote.made == run.decision == was
    assert operations.who_was_quicker(run).startswith("mark approved 'Sign'")
    text = told(waiting)
    assert f"{facts.full_name(mark)} approved it at" in text
    assert "command line" not in text.lower()


def test_for_whom_somebody_stood_in(people: People, mark: Any) -> None:
    today = date.today()  # noqa: DTZ011 - both days around it are included
    day = timedelta(days=1)
    Absence.objects.create(user=mark, stand_in=people.emil, first_day=today - day, last_day=today + day)
    waiting = sign()
    operations.approve(waiting, by=people.emil)
    was = named(people.emil), named(mark)
    mark.delete()
    people.emil.delete()
    made = ours(Decision).get().made
    assert made == Origin(via=CODE, user=was[0], on_behalf_of=was[1])
    assert f"for {full_name(mark) or 'mark'}" in told(waiting)


def test_a_start_and_what_it_has_started(people: People, mark: Any) -> None:
    process("Child", {"Sign": manual("anna", not_starter=True)}, (1, "Sign"))
    process("Parent", {"Call": code('run_process("Child")')}, (1, "Call"))
    parent = operations.start("Parent", user=mark, via=PAGE)
    rename("mark", "renamed")
    run_until_idle()
    child = ours(RunningProcesses).get(process_name="Child")
    ours(RunningProcesses).update(started_by=None)  # as an earlier version did, which refused nobody
    User.objects.get(pk=mark.pk).delete()
    parent.refresh_from_db()
    child.refresh_from_db()
    assert (parent.started_by, child.started_by) == (None, None)
    assert parent.started == Origin(via=PAGE, user=named(mark))
    assert child.started == Origin(via=CODE, user=named(mark))
    assert [str(one.user_id) for one in child.waiting.get().barred.all()] == [named(mark).key], (
        "a bar outlives its user"
    )


def test_what_was_done_besides_deciding(people: People, mark: Any) -> None:
    waiting = sign(quorum=2, approver="mark, anna")
    operations.delegate(waiting, people.emil, people.anna, "on holiday", via=PAGE)
    operators.perform(waiting.rpid_id, Action.PAUSE, by=mark, reason="a question", via=ADMIN)
    was = [Origin(via=PAGE, user=named(people.anna)), Origin(via=ADMIN, user=named(mark))]
    rename("anna", "renamed")
    rename("mark", "other")
    assert [note.made for note in ours(Intervention).order_by("pk")] == was
    notes = [entry for entry in timeline.read(waiting.rpid).entries if isinstance(entry, timeline.NoteEntry)]
    assert [(note.made.who, note.made.how) for note in notes] == [("mark", "in the admin"), ("anna", "on the website")]
    assert "renamed paused" not in told(waiting)


class TestHow:
    """Each way in tells its own."""

    def test_pages_and_the_admin(self, people: People, mark: Any, client: Client) -> None:
        client.force_login(mark)
        made = process("Ask", {"Sign": manual("mark")}, (1, "Sign"))
        client.post(reverse("workflow:start_process", args=[made.pk]), {"token": str(uuid4())})
        client.post(f"/admin/workflow/process/start/?id={made.pk}", {"json": ""})
        how = ours(RunningProcesses).order_by("pk")
        assert [one.started for one in how] == [Origin(via=via, user=named(mark)) for via in (PAGE, ADMIN)]
        run_until_idle()
        first, second = ours(WaitingForApproval).order_by("pk")
        client.post(reverse("workflow:claim", args=[first.task_run_id]))
        page = client.get(reverse("workflow:decide", args=[first.task_run_id]))
        data = {"decision": "approve", "seen": page.context["seen"], "comment": ""}
        client.post(reverse("workflow:decide", args=[first.task_run_id]), data)
        shown = {"waiting": second.pk, f"seen-{second.pk}": operations.seen_token(second), "comment": ""}
        client.post(f"/admin/workflow/waitingforapproval/approve/?run={second.task_run_id}", shown)
        assert [vote.made.via for vote in ours(Decision).order_by("pk")] == [PAGE, ADMIN]
        assert ours(Intervention).get(action="claim").made == Origin(via=PAGE, user=named(mark))

    def test_the_link_of_an_e_mail(self, people: People, client: Client) -> None:
        give_address("anna", "anna@example.com")
        people.anna.refresh_from_db()
        waiting = sign(approver="anna")
        path = reverse("workflow:decide_by_link", args=[links.token(people.anna, waiting)])
        data = {"decision": "approve", "seen": operations.seen_token(waiting)}
        response = client.post(path, data)
        assert response.status_code == 200, response.content
        vote = ours(Decision).get()
        assert vote.made == Origin(via=LINK, user=named(people.anna))
        assert vote.by_link, "as a server of an earlier version tells it"

    def test_what_nobody_decided(self, people: People) -> None:
        process("Late", {"Sign": manual("anna", due="1h", by_default="reject")}, (1, "Sign"))
        with Workflow() as workflow:
            workflow.start("Late")
            workflow.advance(days=3)
        vote = ours(Decision).get()
        assert vote.made == vote.task_run.decision == Origin(via=DEFAULT)
        assert vote.by_default, "as a server of an earlier version tells it"
        assert operations.who_was_quicker(vote.task_run).startswith("Nobody had decided 'Sign'")
        assert {note.made for note in ours(Intervention).all()} == {Origin(via=DEFAULT)}


class TestOldRows:
    """What an earlier version has written tells what is known."""

    def test_a_decision(self, people: People, mark: Any) -> None:
        waiting = sign()
        operations.approve(waiting, by=mark)
        ours(Decision).update(origin=None, by_link=True)
        ours(TaskRun).update(decision_origin=None)
        ours(RunningProcesses).update(start_origin=None, started_by=mark)
        vote, run = ours(Decision).get(), ours(TaskRun).get(pk=waiting.task_run_id)
        assert vote.made == Origin(via=LINK, user=named(mark))
        assert run.decision == Origin(user=named(mark))
        assert ours(RunningProcesses).get().started == Origin(user=named(mark))
        assert operations.who_was_quicker(run).startswith("mark approved")
        assert "by the link of an e-mail" in told(waiting)
        mark.delete()
        assert operations.who_was_quicker(ours(TaskRun).get(pk=waiting.task_run_id)).startswith(
            "The command line, a program or a deleted user approved"
        )
        assert "A deleted user" in told(waiting), "the link was somebody's"

    def test_what_was_done_besides_deciding(self, people: People, mark: Any) -> None:
        waiting = sign()
        operations.claim(waiting, mark)
        ours(Intervention).update(origin=None)
        (note,) = [entry for entry in timeline.read(waiting.rpid).entries if isinstance(entry, timeline.NoteEntry)]
        assert note.made.who == "mark"


@pytest.mark.parametrize(
    "origin",
    [
        Origin(),
        Origin(via=DEFAULT),
        Origin(via=Via(channel=Channel.COMMAND, os_user="\N{LINE SEPARATOR}", host="<b>&amp;")),
        Origin(via=LINK, user=Name(key="9f", username="a@b.c", full_name="\U0001f600" * 100), on_behalf_of=Name(key="1", username="x")),
    ],
)  # fmt: skip
def test_json_gives_back_the_same(origin: Origin) -> None:
    assert Origin.from_json(origin.to_json()) == origin
    assert kept(origin.to_json()) == origin


def test_a_way_of_a_later_version_is_left_out() -> None:
    user = {"key": "1", "username": "anna", "full_name": ""}
    assert Origin.from_json({"via": "telepathy", "user": user}) == Origin(user=Name(key="1", username="anna"))


def test_users_of_a_project_may_have_no_full_names() -> None:
    class Plain:
        pk = "9f"

        def get_username(self) -> str:
            return "a@b.c"

    assert name_of(Plain()) == Name(key="9f", username="a@b.c")
    assert name_of(None) is None

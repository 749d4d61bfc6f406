"""Files that come with forms: kept, referred to in the data, and read only by whom they concern."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client, override_settings

from tests.build import code, form, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import user_named
from workflow import clock, operations
from workflow.errors import BadData
from workflow.mail import links
from workflow.models import RunningProcesses, Upload, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


def sent(by: Any, name: str = "receipt.pdf", content: bytes = b"paid") -> Upload:
    return operations.keep_upload(ContentFile(content, name=name), by=by)


def test_a_file_is_kept_and_the_data_refers_to_it(people: People) -> None:
    made = process("Sign", {"Sign": manual("anna"), "End": code("1")}, (1, "Sign"), (2, "End"))
    form(made, "Sign", receipt={"kind": "file", "required": True})
    upload = sent(people.anna, name="../../etc/a receipt.pdf")
    operations.approve(waits("Sign"), by=people.anna, answers={"receipt": upload})
    run_until_idle()
    instance = ours(RunningProcesses).get()
    assert instance.data["receipt"] == {"upload": upload.pk, "name": "a receipt.pdf", "size": 4}
    upload.refresh_from_db()
    assert (upload.instance, upload.uploaded_by) == (instance, people.anna)
    with upload.file.open() as kept:
        assert kept.read() == b"paid"
    assert upload.file.name.startswith("workflow/")


def test_a_file_of_somebody_else_can_not_be_referred_to(people: People) -> None:
    form(process("Sign", {"Sign": manual("anna")}, (1, "Sign")), "Sign", receipt="file")
    waiting = waits("Sign")
    for answer in (sent(people.bert), {"upload": 999_999}, {"upload": "1"}, "receipt.pdf", {}):
        with pytest.raises(BadData, match="Receipt: Send the file first"):
            operations.approve(waiting, by=people.anna, answers={"receipt": answer})


@pytest.mark.parametrize(
    ("name", "kept"), [("a/b\\c.txt", "c.txt"), ("..", "file"), ("a\0\nb", "ab"), ("x" * 300, "x" * 255)]
)
def test_a_file_has_a_plain_name(people: People, name: str, kept: str) -> None:
    assert sent(people.anna, name=name).name == kept


def test_no_file_takes_the_place_of_one_that_was_lost(people: People) -> None:
    """As after a backup was restored whose files are older than its database."""
    lost, bystander = sent(people.anna, content=b"secret"), sent(people.anna, content=b"kept")
    lost.file.storage.delete(lost.file.name)
    new = sent(people.bert, content=b"other")
    assert len({lost.file.name, bystander.file.name, new.file.name}) == 3
    with pytest.raises(FileNotFoundError):
        lost.file.open()
    with bystander.file.open() as kept:
        assert kept.read() == b"kept"


def test_a_name_with_a_very_long_ending_is_kept_all_the_same(people: People) -> None:
    assert sent(people.anna, name="a." + "b" * 200).name == "a." + "b" * 200


def test_a_file_has_its_limit(people: People) -> None:
    with (
        override_settings(WORKFLOW={"MAX_UPLOAD_BYTES": 3}),
        pytest.raises(BadData, match="^The file has 4 bytes; up to 3 can be sent.$"),
    ):
        sent(people.anna)
    assert not ours(Upload).exists()


def test_who_may_read_it(people: People) -> None:
    process("Sign", {"Sign": manual("anna"), "Next": manual("managers")}, (1, "Sign"), (2, "Next"))
    form(process("Other", {"Other": manual("emil")}, (1, "Other")), "Other", note="text")
    made = RunningProcesses.objects
    operations.approve(waits("Sign", user=people.bert), by=people.anna)
    run_until_idle()
    waits("Other")
    upload = sent(people.anna)

    def readers() -> set[str]:
        return {user.get_username() for user in people if operations.may_read(user, upload)}

    assert readers() == {"anna", "root"}
    upload.instance = made.get(process_name="Sign")
    assert readers() == {"anna", "bert", "carl", "dora", "root"}
    people.staff.user_permissions.add(Permission.objects.get(codename="view_runningprocesses"))
    assert operations.may_read(user_named("staff"), upload)


def test_who_decides_in_a_sub_process_that_was_given_the_file_reads_it_too(people: People) -> None:
    process("Inner", {"Look": manual("managers")}, (1, "Look"))
    text = "run_all([('Inner', {'papers': [data['receipt']]}), ('Inner', {})])"
    made = process("Outer", {"Send": manual("anna"), "Inner": code(text)}, (1, "Send"), (2, "Inner"))
    form(made, "Send", receipt="file")
    upload = sent(people.anna)
    operations.approve(waits("Outer"), by=people.anna, answers={"receipt": upload})
    upload.refresh_from_db()
    assert not operations.may_read(people.carl, upload)
    run_until_idle()
    assert operations.may_read(people.carl, upload)
    with_it, without_it = ours(WaitingForApproval).order_by("rpid__place")
    without_it.assignees.update(group=None, user=people.emil)
    assert not operations.may_read(people.emil, upload)
    with_it.assignees.update(group=None, user=people.emil)
    assert operations.may_read(people.emil, upload)


def test_who_may_look_at_an_instance_that_got_it_from_its_sub_process_reads_it_too(people: People) -> None:
    form(process("Inner", {"Send": manual("emil")}, (1, "Send")), "Send", receipt="file")
    passed_on = "data['paper'] = run_process('Inner')['receipt']"
    tasks = {"Inner": code(passed_on), "Look": manual("anna")}
    process("Outer", tasks, (1, "Inner"), (2, "Look"))
    operations.start("Outer")
    run_until_idle()
    upload = sent(people.emil)
    operations.approve(ours(WaitingForApproval).get(), by=people.emil, answers={"receipt": upload})
    assert not operations.may_read(people.anna, ours(Upload).get())
    run_until_idle()
    assert operations.may_read(people.anna, ours(Upload).get())


def test_a_file_of_the_start_form_goes_with_the_instance_but_not_one_of_somebody_else(people: People) -> None:
    form(process("Claim", {"A": code("1")}, (1, "A")), None, receipt="file", odd="file")
    own, others = sent(people.anna), sent(people.bert)
    data = {"receipt": own.reference, "odd": others.reference}
    instance = operations.start("Claim", data, people.anna)
    assert [ours(Upload).get(pk=one.pk).instance for one in (own, others)] == [instance, None]
    operations.start("Claim", {"receipt": "none", "odd": {"name": "x"}}, people.anna)


class TestDiscarded:
    """A file is kept with what it came with, or not at all."""

    @pytest.fixture(autouse=True)
    def _own_media(self, settings: Any, tmp_path: Path) -> None:
        settings.MEDIA_ROOT = str(tmp_path)

    def kept(self) -> list[str]:
        """The names of the uploads, and of the files."""
        return [*ours(Upload).values_list("name", flat=True), *(one.name.rpartition("-")[2] for one in self.files())]

    def files(self) -> list[Path]:
        return [path for path in Path(default_storage.location).rglob("*") if path.is_file()]

    def claim(self, people: People, **fields: Any) -> WaitingForApproval:
        form(
            process("Claim", {"Sign": manual("anna", **fields), "End": code("1")}, (1, "Sign"), (2, "End")),
            "Sign",
            receipt="file",
        )
        return waits("Claim")

    def send(self, user: Any, path: str, **given: Any) -> Any:
        client = Client()
        client.force_login(user)
        return client.post(path, {"decision": "approve", **given, "answer-receipt": ContentFile(b"x", "r.txt")})

    def test_with_a_decision_that_is_refused(self, people: People) -> None:
        waiting = self.claim(people)
        path = f"/waiting/{waiting.task_run_id}/"
        seen = operations.seen_token(waiting)
        ours(RunningProcesses).update(data={"new": 1})
        assert self.send(people.anna, path, seen=seen).status_code == 409
        assert self.send(people.anna, path, seen=seen, comment="x" * 3_000).status_code == 422
        assert self.kept() == []
        waiting = ours(WaitingForApproval).get()
        assert self.send(people.anna, path, seen=operations.seen_token(waiting)).status_code == 302
        assert len(self.kept()) == 2

    def test_by_a_link_and_in_the_admin(self, people: People) -> None:
        waiting = self.claim(people)
        link = f"/decide/{links.token(people.anna, waiting)}/"
        assert (
            Client().post(link, {"decision": "approve", "answer-receipt": ContentFile(b"x", "r.txt")}).status_code
            == 409
        )
        page = f"/admin/workflow/waitingforapproval/approve/?run={waiting.task_run_id}"
        assert self.send(people.root, page, comment="x" * 3_000).status_code == 200
        assert self.send(people.root, page, waiting=str(waiting.pk), **{f"seen-{waiting.pk}": "x"}).status_code == 302
        assert self.kept() == []

    def test_with_a_start_that_is_refused_or_was_made_already(self, people: People) -> None:
        made = process("Claim", {"Sign": manual("anna")}, (1, "Sign"))
        form(made, None, receipt="file")
        client = Client()
        client.force_login(people.root)

        def start(token: str) -> int:
            given = {"token": token, "receipt": ContentFile(b"x", "r.txt")}
            return client.post(f"/start/{made.pk}/", given).status_code

        token = str(uuid4())
        with override_settings(WORKFLOW={"MAX_DATA_BYTES": 3}):
            assert start(token) == 422
        made.tasks.update(approver="nobody-there")
        assert start(token) == 409
        assert self.kept() == []
        made.tasks.update(approver="anna")
        assert start(token) == 302
        assert start(token) == 302
        assert len(self.kept()) == 2

    def test_what_a_crash_has_left_is_swept_and_nothing_else(
        self, people: People, capsys: pytest.CaptureFixture[str]
    ) -> None:
        old = clock.now() - timedelta(days=2)
        taken, lost, left, fresh = (sent(people.anna, f"{name}.txt") for name in ("taken", "lost", "left", "fresh"))
        self.claim(people)
        ours(Upload).filter(pk__in=[taken.pk, lost.pk]).update(instance=ours(RunningProcesses).get())
        ours(Upload).exclude(pk=fresh.pk).update(uploaded_at=old)
        lost.file.storage.delete(lost.file.name)
        folder = Path(default_storage.location) / "workflow" / "2020" / "01"
        folder.mkdir(parents=True)
        (folder.parents[2] / "not ours").write_text("x")
        for path in (folder / "without a row", folder / "in progress"):
            path.write_text("x")
        for path in self.files():
            if not path.name.endswith(("in progress", "fresh.txt")):
                os.utime(path, (old.timestamp(), old.timestamp()))
        before = sorted(self.kept())
        call_command("purgehistory", "--older-than", "1d", "--dry-run")
        assert sorted(self.kept()) == before
        call_command("purgehistory", "--older-than", "1d")
        told = capsys.readouterr()
        assert "Would delete 2 files that no instance has." in told.out
        assert "Deleted 2 files that no instance has." in told.out
        assert told.err.count("The storage has lost 1 file that came with forms.") == 2
        assert sorted(self.kept()) == [
            *("fresh.txt", "fresh.txt", "in progress", "lost.txt", "not ours", "taken.txt", "taken.txt"),
        ]
        assert not ours(Upload).filter(pk=left.pk).exists()

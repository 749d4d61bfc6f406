"""A backup is restored: what was started since is lost, and its primary keys are given out again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from tests.build import code, manual, process, run_until_idle
from tests.mail.test_links import link_of, seen, text
from tests.restoring import Backup
from workflow import operations
from workflow.models import Decision, InstanceState, RunningProcesses, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WITH_LINKS = {"SITE_URL": "https://workflow.example.com"}


@pytest.fixture
def take_backup(tmp_path: Path) -> Iterator[Callable[[], Backup]]:
    taken: list[Backup] = []

    def take() -> Backup:
        taken.append(Backup(tmp_path))
        return taken[-1]

    yield take
    for backup in taken:
        backup.delete()


@pytest.fixture(autouse=True)
def _links(settings: Any) -> None:
    settings.WORKFLOW = WITH_LINKS


def said(effects: Path) -> list[tuple[str, str]]:
    """What was said to the world, each with the key of the call."""
    return [tuple(line.split()) for line in effects.read_text().splitlines()]  # type: ignore[misc]


def only(process_name: str) -> RunningProcesses:
    return RunningProcesses.objects.get(process_name=process_name)


def test_a_new_instance_gets_no_key_of_a_lost_one(take_backup: Callable[[], Backup], effects: Path) -> None:
    process("Pay", {"Pay": code("say(data['what'])")}, (1, "Pay"))
    process("Bystander", {"A": code("wait_for('never')")}, (1, "A"))
    operations.start("Bystander")
    run_until_idle()
    backup = take_backup()
    lost = operations.start("Pay", {"what": "rent"})
    run_until_idle()
    backup.restore()
    new = operations.start("Pay", {"what": "wages"})
    run_until_idle()
    assert new.pk == lost.pk, "or this test tests nothing"
    (rent, first), (wages, second) = said(effects)
    assert (rent, wages) == ("rent", "wages")
    assert first != second
    assert only("Bystander").state == InstanceState.WAITING


def test_an_instance_that_was_restored_repeats_all_its_calls_under_the_same_keys(
    take_backup: Callable[[], Backup], effects: Path
) -> None:
    child = process("Child", {"A": code("say('child')"), "B": code("say('again')")}, (1, "A"), (2, "B"))
    tasks = {
        "Wait": code("wait_for('go')\nsay('first')"),
        "Code": code("import random\nsay(f'drawn{random.random()}')\nrun_all([('Child', {}), ('Child', {})])"),
        "Process": {"subprocess": child},
        "Fails": code("fail_first(1)\nsay('retried')", max_attempts=2, retry_delay=0),
    }
    process("P", tasks, (1, "Wait"), (2, "Code"), (2, "Process"), (3, "Fails"))
    instance, bystander = operations.start("P"), operations.start("P")
    run_until_idle()
    backup = take_backup()
    operations.signal("go", instance=instance.pk)
    run_until_idle()
    before = sorted(said(effects))
    assert len(before) == len({key for _, key in before}) == 9
    backup.restore()
    effects.write_text("")
    operations.start("Child")  # takes the primary key that a child had
    operations.signal("go", instance=instance.pk)
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == InstanceState.FINISHED, instance.error
    after = sorted(said(effects))
    new = [pair for pair in after if pair not in before]
    assert [what for what, _ in new] == ["again", "child"], "those of the new instance"
    assert before == [pair for pair in after if pair in before]
    bystander.refresh_from_db()
    assert bystander.state == InstanceState.WAITING


class TestQuestions:
    @pytest.fixture
    def anna(self) -> User:
        return User.objects.create_user("anna", email="anna@example.com")

    def asked(self, amount: int = 1) -> WaitingForApproval:
        instance = operations.start("Sign", {"amount": amount})
        run_until_idle()
        return WaitingForApproval.objects.get(rpid=instance)

    @pytest.fixture
    def lost_and_new(self, anna: User, take_backup: Callable[[], Backup]) -> Iterator[Any]:
        process("Sign", {"Sign": manual("anna"), "End": code("1")}, (1, "Sign"), (2, "End"))
        bystander = self.asked()
        backup = take_backup()
        lost = self.asked()
        self.link, (self.message, *_) = link_of(anna), reversed(mail.outbox)
        client = Client()
        client.force_login(anna)
        inbox = text(client.get("/"))
        self.seen = seen(Client().get(self.link))
        backup.restore()
        new = self.asked()
        assert (new.pk, new.task_run_id, new.rpid_id) == (lost.pk, lost.task_run_id, lost.rpid_id)
        self.client, self.inbox, self.new = client, inbox, new
        yield
        assert not Decision.objects.exists()
        assert set(WaitingForApproval.objects.values_list("pk", flat=True)) == {bystander.pk, new.pk}

    def test_an_old_link_opens_nothing_else(self, lost_and_new: None, anna: User) -> None:
        for response in (
            Client().get(self.link),
            Client().post(self.link, {"decision": "approve", "seen": self.seen}),
        ):
            assert response.status_code == 410, text(response)
            assert "because the database was restored from a backup" in text(response)
        assert Client().get(link_of(anna)).status_code == 200, "the new one does"

    def test_an_old_message_has_an_id_of_its_own(self, lost_and_new: None) -> None:
        ids = [message.extra_headers["Message-ID"] for message in mail.outbox]
        threads = [message.extra_headers["References"] for message in mail.outbox]
        assert len({self.without_time(one) for one in ids}) == len(set(threads)) == len(mail.outbox) == 3
        assert self.new.rpid.token in ids[-1]

    def without_time(self, message_id: str) -> str:
        return message_id.rpartition("-")[0]

    def test_an_old_page_decides_nothing_else(self, lost_and_new: None, anna: User) -> None:
        client = Client()
        client.force_login(anna)
        response = client.post(f"/waiting/{self.new.task_run_id}/", {"decision": "approve", "seen": self.seen})
        assert "asks something else now" in text(response)

    def test_an_old_inbox_decides_nothing_else(self, lost_and_new: None, anna: User) -> None:
        import re

        client = Client()
        client.force_login(anna)
        shown = re.findall(r'name="task" value="([^"]+)"', self.inbox)
        fresh = set(re.findall(r'name="task" value="([^"]+)"', text(client.get("/"))))
        (old,) = [one for one in shown if one not in fresh]
        response = client.post("/inbox/decide/", {"decision": "approve", "task": [old]}, follow=True)
        assert "A task was deleted meanwhile." in text(response)

"""What commands do is told with the user and the machine."""

import os
import pwd
import socket

import pytest

from tests.build import manual, process, run_until_idle
from tests.conftest import Manage
from tests.users import User
from workflow.models import Decision, Intervention, RunningProcesses
from workflow.origin import Channel, Origin, Via, name_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_commands_give_the_user_and_the_machine(manage: Manage) -> None:

    anna = User.objects.create_user("anna")
    process("Ask", {"Sign": manual("anna")}, (1, "Sign"))
    manage("startprocess", "Ask", "--user", "anna")
    instance = RunningProcesses.objects.get()
    run_until_idle()
    manage("manageprocess", "pause", str(instance.pk))
    manage("manageprocess", "resume", str(instance.pk))
    manage("approve", "Ask", "Sign", "--as", "anna")
    via = Via(channel=Channel.COMMAND, os_user=pwd.getpwuid(os.getuid()).pw_name, host=socket.gethostname())
    instance.refresh_from_db()
    assert instance.started == Decision.objects.get().made == Origin(via=via, user=name_of(anna))
    assert {note.made for note in Intervention.objects.all()} == {Origin(via=via)}
    details = Intervention.objects.latest("pk").made.details
    assert details == f"by a command ({via.os_user}@{via.host})"

"""Deadlines, in an engine that is killed before and after each of its commits: kept late, and once.

Some of the places, drawn by chance, are tried by default; all of them with KILL_EVERYWHERE=1.
"""

import os
import random
import signal
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.build import code, manual, process, run_until_idle
from tests.system.conftest import Engines
from workflow import operations
from workflow.models import (
    Assignee,
    Decision,
    InstanceState,
    Intervention,
    Notice,
    RunningProcesses,
    TaskRun,
    WaitingForApproval,
)

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

KILLED = -signal.SIGKILL
PLACES = [f"{when}:{number}" for number in range(1, 8) for when in ("before", "after")]
SAMPLE = len(PLACES) if os.environ.get("KILL_EVERYWHERE") else 3


def test_each_is_kept_once_wherever_the_engine_is_killed(engines: Engines) -> None:
    User.objects.create_user("boss")
    fields = {"due": "1d", "remind": "0", "escalate_to": "boss", "by_default": "reject", "by_default_after": "2d"}
    tasks = {"Sign": manual(**fields), "End": code("data['end'] = True")}
    process("P", tasks, (1, "Sign", {"on_reject": 2}), (2, "End"))
    killed = 0
    places = random.sample(PLACES, SAMPLE)
    for place in places:
        instance = operations.start("P")
        run_until_idle()
        for days in (1, 2):
            let_time_pass(days)
            killed += engines(place) == KILLED
            let_time_pass(0)
            assert engines("") == 0
        instance.refresh_from_db()
        assert (instance.state, instance.data) == (InstanceState.FINISHED, {"end": True}), place
        told = Counter(Intervention.objects.filter(instance=instance).values_list("action", flat=True))
        assert told == {"remind": 1, "escalate": 1, "decide by default": 1}, place
        assert Decision.objects.filter(task_run__instance=instance).count() == 1, place
    assert killed or len(places) < len(PLACES), "else nothing was tried"
    # Without those that an engine has spread to persons already.
    of_each = Counter(Notice.objects.filter(user=None).values_list("kind", flat=True))
    assert (of_each["REMINDER"], of_each["ESCALATED"]) == (len(places), len(places))
    assert not Assignee.objects.exists()


def let_time_pass(days: int) -> None:
    """What waits has waited so much longer, and leases of dead engines are over."""
    passed = timedelta(days=days)
    for waiting in WaitingForApproval.objects.all():
        waiting.events = [replace(event, at=event.at - passed) for event in waiting.events]
        waiting.save()
        due = min((event.at for event in waiting.events), default=None)
        TaskRun.objects.filter(pk=waiting.task_run_id).update(due_at=due)
        RunningProcesses.objects.filter(pk=waiting.rpid_id).update(due_at=due)
    RunningProcesses.objects.filter(state=InstanceState.RUNNING).update(due_at=timezone.now())

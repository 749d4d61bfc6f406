"""Code that makes every kind of call, in an engine that is killed before and after each of its commits.

The engine is a process and is killed by SIGKILL. What it has done to the world is told by a file outside the database.
Some of the places, drawn by chance, are tried by default; all of them with KILL_EVERYWHERE=1.
"""

import math
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core import mail
from django.utils import timezone

from tests.build import code, process
from tests.system.conftest import Engines
from workflow import operations
from workflow.code.execute import MOST_INTERRUPTED
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

KILLED = -signal.SIGKILL
LEAST = 6  # kills a kind, of some twenty to forty that are possible
MOST = math.inf if os.environ.get("KILL_EVERYWHERE") else LEAST

PLAIN = "data['got'] = [say('a'), say('b')]"
CALLS = {
    "action": PLAIN,
    "atomic action": "say('before')\nbook('x')\nbook('y')\nsay('after')\ndata['got'] = 'booked'",
    "look-up": "data['got'] = look_up('a') + look_up('b')\nsay('after')",
    "sleep": "say('before')\nsleep(seconds=0.01)\nsay('after')",
    "sleep_until": "import datetime\nsleep_until(datetime.datetime.now(datetime.timezone.utc))\nsay('after')",
    "approval": "say('before')\ndata['got'] = approval('anna', 'Well?')['comment']\nsay('after')",
    "wait_for": "say('before')\ndata['got'] = wait_for('go')\nsay('after')",
    "wait_for until a time": "say('before')\ndata['got'] = wait_for('never', timeout=0.01)\nsay('after')",
    "run_process": "say('before')\ndata['got'] = run_process('Child', n=1)['n']\nsay('after')",
    "run_all": "data['got'] = [d['n'] for d in run_all([('Child', {'n': n}) for n in (1, 2)])]\nsay('after')",
    "send_mail": "data['got'] = send_mail('a', 'b', 'anna@example.com')\nsay('after')",
    "sub-process": None,
}


@pytest.fixture(autouse=True)
def parts(effects: Path) -> None:
    User.objects.create_user("anna")
    User.objects.create_user("book")
    child = process("Child", {"Double": code("say('child')\ndata['n'] = data['n'] * 2")}, (1, "Double"))
    for kind, text in CALLS.items():
        task = code(text) if text else {"subprocess": child}
        process(kind, {"A": task, "B": code("say('last')")}, (1, "A"), (2, "B"))


class Life:
    """One instance from its start to its end, by engines and people. `kill_at` is for the first engine that comes so far."""

    def __init__(self, kind: str, engines: Engines, effects: Path, *, kill_at: str = "") -> None:
        effects.write_text("")
        LogEntry.objects.all().delete()
        self.instance = operations.start(kind, {"n": 3})
        self.was_killed = False
        self.commits = 0  # of the engine that made the most
        for _ in range(10):
            code = engines("" if self.was_killed else kill_at)
            assert code in {0, KILLED}
            self.commits = max(self.commits, engines.commits)
            self.was_killed |= code == KILLED
            self.instance.refresh_from_db()
            if self.instance.ended_at:
                break
            self.others_act()
        self.effects = Counter(line.split()[0] for line in effects.read_text().splitlines())
        self.keys = Counter(effects.read_text().splitlines())
        self.booked = sorted(LogEntry.objects.values_list("object_repr", flat=True))

    def others_act(self) -> None:
        """What waits for someone is decided and sent; leases of dead engines run out."""
        for waiting in WaitingForApproval.objects.all():
            operations.approve(waiting, by=User.objects.get(username="anna"), comment="fine")
        if ActionCall.objects.filter(signal="go", ended_at=None).exists():
            operations.signal("go", 7)
        RunningProcesses.objects.filter(state=InstanceState.RUNNING).update(due_at=timezone.now())

    @property
    def told(self) -> Any:
        """All that must be the same, however often engines died on the way."""
        runs = self.instance.task_runs.order_by("visit", "row")
        calls = ActionCall.objects.filter(run__instance=self.instance).order_by("run", "number")
        data = {
            name: str(value).replace(f"'{self.instance.token}-", "'-") for name, value in self.instance.data.items()
        }
        return (
            (self.instance.state, data, sorted(self.effects), self.booked),
            [(run.task_name, run.state, run.attempt) for run in runs],
            [(call.number, call.attempt, call.name, call.error) for call in calls],
            RunningProcesses.objects.filter(parent__run__instance=self.instance).count(),
        )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", CALLS)
def test_it_ends_as_if_no_engine_had_died(kind: str, engines: Engines, effects: Path) -> None:
    model = Life(kind, engines, effects)
    assert model.instance.state == InstanceState.FINISHED, model.instance.error
    assert set(model.effects.values()) <= ({2} if kind == "run_all" else set()) | {1}
    kills = 0
    for place in places(model.commits):
        life = Life(kind, engines, effects, kill_at=place)
        kills += life.was_killed  # in a group, there are fewer commits
        assert life.told == model.told, place
        # One kill repeats at most the calls that were under way, one of each instance, and under the same keys.
        again = life.keys.total() - len(life.keys)
        assert again <= (2 if kind == "run_all" else 1), f"{place}: {life.keys}"
        assert life.effects.total() - model.effects.total() == again, place
        if kills == MOST:
            break
    assert kills >= LEAST
    assert not TaskRun.objects.filter(state__in=[RunState.RUNNING, RunState.SUSPENDED]).exists()
    assert not mail.outbox, "engines are processes of their own"


def places(commits: int) -> list[str]:
    """Where an engine can be killed that makes so many: before and after each of them, in any order."""
    every = [f"{when}:{number}" for number in range(1, commits + 1) for when in ("before", "after")]
    return random.sample(every, len(every))


@pytest.mark.timeout(300)
def test_up_to_twenty_kills_of_code_that_asks_three_people_one_after_the_other(engines: Engines, effects: Path) -> None:
    """It sleeps between them, and starts a sub-process for each answer."""
    for name in ("bert", "carl"):
        User.objects.create_user(name)
    text = """
answers = []
for who in data["who"]:
    decision = approval(who, f"Well, {who}?")
    say(f"answered-{who}")
    sleep(seconds=0.01)
    answers.append([decision["user"], run_process("Child", n=len(who))["n"]])
data["answers"] = answers
"""
    process("Ask", {"Ask": code(text)}, (1, "Ask"))
    who = ["anna", "bert", "carl"]
    instance = operations.start("Ask", {"who": who})
    chance = random.Random(seed := random.randrange(2**32))
    kills = 0
    asked: list[str] = []
    for number in range(1, 200):
        lives = kills == 20 or number % MOST_INTERRUPTED == 0  # more in a row could be taken for the fault of one call
        kill_at = "" if lives else f"{chance.choice(['before', 'after'])}:{chance.randint(1, 3)}"
        was_killed = engines(kill_at) == KILLED
        kills += was_killed
        instance.refresh_from_db()
        if instance.ended_at:
            break
        RunningProcesses.objects.filter(state=InstanceState.RUNNING).update(due_at=timezone.now())
        for waiting in [] if was_killed else WaitingForApproval.objects.all():
            asked.append(waiting.approver)
            operations.approve(waiting, by=User.objects.get(username=waiting.approver))
    assert instance.state == InstanceState.FINISHED, f"seed {seed}: {instance.error}"
    assert instance.data["answers"] == [[name, 8] for name in who], f"seed {seed}"
    assert asked == who, f"seed {seed}: each was asked once"
    assert kills >= LEAST, f"seed {seed}: the engines were too quick to be killed {kills} times"
    assert RunningProcesses.objects.filter(process_name="Child").count() == 3, f"seed {seed}"
    told = Counter(effects.read_text().splitlines())
    assert sorted(line.split()[0] for line in told) == [
        "answered-anna",
        "answered-bert",
        "answered-carl",
        *["child"] * 3,
    ]
    calls = ActionCall.objects.filter(run__instance=instance).order_by("number").values_list("number", "name")
    assert [name for _, name in calls] == ["approval", "say", "sleep", "run_process"] * 3

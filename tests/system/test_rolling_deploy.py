"""A rolling deployment: engines of two releases side by side, the second with a new action, a new key, a new field of definitions and a
new migration. No instance fails, each ends, and no call is made twice.
"""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.build import code, process
from tests.settings import VARIABLES
from tests.system.conftest import EngineProcess, eventually
from tests.system.newer import make_next_release, newest_migration
from workflow import clock, operations
from workflow.code import signing
from workflow.models import ProcessVersion, RunningProcesses, TaskRun
from workflow.standing import standing

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

NEW_KEY = "the new key " * 4
KEYS = json.dumps({"SNAPSHOT_KEYS": [NEW_KEY, VARIABLES["SECRET_KEY"]]})

PUBLISH = """
from workflow import operations
from workflow.models import Process, Task, TaskTransitions
made = Process.objects.create(name="New")
task = Task.objects.create(parent=made, name="A", code="ring(str(run.id) + data['given'])", before="data['given'] = ' before'")
TaskTransitions.objects.create(process=made, task=task, sequence=1)
made = Process.objects.create(name="Parent of new")
task = Task.objects.create(parent=made, name="A", code="run_process('New')")
TaskTransitions.objects.create(process=made, task=task, sequence=1)
draft = Process.objects.create(name="Draft")
task = Task.objects.create(parent=draft, name="A", code="ring(f'{run.id} draft')")
TaskTransitions.objects.create(process=draft, task=task, sequence=1)
made = Process.objects.create(name="Parent of draft")
tasks = [
    Task.objects.create(parent=made, name="A", code="note(f'{run.id} parent')\\nrun_all([('Draft', {}), ('Draft', {})])"),
    Task.objects.create(parent=made, name="B", subprocess=draft),
]
for number, task in enumerate(tasks, 1):
    TaskTransitions.objects.create(process=made, task=task, sequence=number)
operations.start_many(["New", "Parent of new", "Parent of draft"], count=3)
"""
"""What a site of the next release does: it publishes a process that only an engine of that release can run, and one that starts
another such process, which is still a draft.
"""


ENDING = ("Old", "New", "Parent of new", "Draft", "Parent of draft")


class NextRelease:
    """The next release, on the same database."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.root, self.folder = make_next_release(folder), folder
        self.environment = {**environment, "WORKFLOW": KEYS}
        self.children: list[subprocess.Popen[bytes]] = []

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start_engine(self) -> EngineProcess:
        log = self.folder / f"next-{len(self.children)}.log"
        command = [sys.executable, "manage.py", "runengine", "--poll-interval", "0.05"]
        with log.open("w") as output:
            child: Any = subprocess.Popen(
                command, cwd=self.root, env=self.environment, stdout=output, stderr=output, process_group=0
            )
        child.log = log
        self.children.append(child)
        return EngineProcess(child)


@pytest.fixture
def next_release(tmp_path: Path, environment: dict[str, str], effects: Path) -> Iterator[NextRelease]:
    release = NextRelease(tmp_path, {**environment, "EFFECTS": str(effects)})
    yield release
    for child in release.children:
        child.kill()
        child.wait(20)
    release.manage("migrate", "workflow", newest_migration())


def of(name: str) -> Any:
    return RunningProcesses.objects.filter(process_name=name)


def test_each_instance_ends_whichever_engine_takes_it(
    start_engine: Callable[..., EngineProcess], next_release: NextRelease, effects: Path
) -> None:
    noted = "note(f'{run.id} asleep')\nsleep(seconds=data['n'])\nnote(f'{run.id} awake')\nwait_for('go')\nnote(f'{run.id} done')"
    process("Old", {"A": code(noted), "B": code("note(f'{run.id} B')")}, (1, "A"), (1, "B"))
    for number in range(10):
        operations.start("Old", {"n": number / 5})
    old = start_engine()
    old.told("is WAITING")

    next_release.manage("migrate")
    next_release.manage("shell", "-c", PUBLISH)
    assert ProcessVersion.objects.get(name="New").needs == {"format": 2, "names": ["ring"]}
    instance = of("New").select_related("version").first()
    eventually(lambda: "No engine that is alive" in standing(instance, now=clock.ask_database()), lambda: old.log)
    told = standing(instance, now=clock.ask_database())
    assert "it needs the action ring(), a newer version of this software (definitions of format 2)." in told

    leaves_to_others(old, of("Parent of draft"))

    new = next_release.start_engine()
    eventually(lambda: not of("New").exclude(state="FINISHED").exists(), lambda: f"{old.log}\n{new.log}")
    for number in range(10):
        operations.start("Old", {"n": number / 5})
    awake = [f"{key} awake" for key in of("Old").values_list("pk", flat=True)]
    eventually(lambda: set(awake) <= set(effects.read_text().splitlines()), lambda: f"{old.log}\n{new.log}")
    signed = {signing.signed_by(bytes(one)) for one in TaskRun.objects.values_list("snapshot", flat=True) if one}
    assert signing.fingerprint(NEW_KEY) in signed, "some of them can only be woken by the new engine"
    for instance in of("Old"):
        operations.signal("go", instance=instance.pk)
    eventually(lambda: not RunningProcesses.objects.filter(ended_at=None).exists(), lambda: f"{old.log}\n{new.log}")
    for engine in (old, new):
        engine.signal(signal.SIGTERM)
        assert engine.ended() == 0, engine.log

    states = RunningProcesses.objects.values_list("process_name", "state", "interrupted").distinct()
    assert set(states) == {(name, "FINISHED", 0) for name in ENDING}
    assert set(TaskRun.objects.values_list("state", "attempt")) == {("FINISHED", 1)}
    assert Counter(effects.read_text().splitlines()) == Counter(expected())
    assert "level=ERROR" not in old.log + new.log
    assert "Result of New" not in old.log


def leaves_to_others(engine: EngineProcess, parents: Any) -> None:
    """Wait until the engine has come to the draft that these instances start, with no other engine alive: they are told to wait."""
    needs = "the draft of “Draft” needs the action ring()"
    later = clock.ask_database() + timedelta(minutes=1)
    eventually(lambda: all(needs in standing(one, now=later) for one in parents.all()), lambda: engine.log)
    eventually(lambda: "'Draft' can't be started" in engine.log, lambda: engine.log)
    assert set(parents.values_list("state", flat=True)) <= {"READY", "RUNNING"}


def expected() -> Iterator[str]:
    """What is to have happened, once."""
    for key in of("Old").values_list("pk", flat=True):
        yield from (f"{key} {what}" for what in ("asleep", "awake", "done", "B"))
    for key in of("New").values_list("pk", flat=True):
        yield f"{key} before"
    for key in of("Draft").values_list("pk", flat=True):
        yield f"{key} draft"
    for key in of("Parent of draft").values_list("pk", flat=True):
        yield f"{key} parent"

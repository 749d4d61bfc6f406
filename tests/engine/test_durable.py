"""Durable code: what a crash, a retry, a sleep and a lost snapshot make of calls."""

import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from tests.build import code, engine, process, run_until_idle
from workflow import operations
from workflow.code import signing
from workflow.engine import Mode
from workflow.models import ActionCall, InstanceState, ProcessVersion, RunningProcesses, TaskRun

pytestmark = pytest.mark.django_db(transaction=True)


def started(text: str, *, retries: int = 0, **data: Any) -> RunningProcesses:
    """An instance of a process whose one task is this code; what the data holds, the checker takes for anything."""
    process("P", {"A": code(text, max_attempts=1 + retries, retry_delay=0)}, (1, "A"))
    return operations.start("P", data)


def ended(instance: RunningProcesses, *, hours: float = 0) -> RunningProcesses:
    later = timezone.now() + timedelta(hours=hours)
    engine(clock=(lambda: later) if hours else timezone.now).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    return instance


def ledger() -> list[tuple[int, str, Any]]:
    return [(call.number, call.name, call.error or call.result) for call in ActionCall.objects.order_by("pk")]


class TestLedger:
    def test_every_call_is_recorded_with_its_arguments_and_result(self, effects: Path) -> None:
        instance = ended(started("for n in range(2):\n    note(f'n{n}')\ndata['k'] = key()"))
        assert instance.state == InstanceState.FINISHED
        assert ledger() == [(1, "note", 2), (2, "note", 2), (3, "key", instance.data["k"])]
        first = ActionCall.objects.get(number=1)
        assert first.arguments == {"args": ["n0"], "kwargs": {}}
        assert first.duration is not None
        assert instance.data["k"].endswith("-3")
        assert effects.read_text() == "n0\nn1\n"

    def test_a_call_that_raised_is_recorded_with_its_error_and_the_code_goes_on(self) -> None:
        text = (
            "long = data['long']\ntry:\n    pause(long)\nexcept TypeError as e:\n    print(e)\n"
            "try:\n    pause(-1)\nexcept ValueError as e:\n    data['error'] = str(e)"
        )
        instance = ended(started(text, long="x"))
        assert instance.data["error"] == "sleep length must be non-negative"
        assert [(number, name) for number, name, _ in ledger()] == [(2, "pause")]
        assert ActionCall.objects.get().error == {"type": "ValueError", "message": "sleep length must be non-negative"}

    def test_look_ups_leave_no_trace(self) -> None:
        assert ended(started("look_up('x')")).results["A"] == "X"
        assert ledger() == []

    def test_an_argument_that_can_not_be_kept_is_an_error_in_the_code(self) -> None:
        instance = ended(
            started("things = data['things']\ndata['s'] = set(things)\nwhere = 's'\nlook_up(data[where])", things=[1])
        )
        assert instance.error["message"].startswith("look_up(): text is of type set, which can't be kept")


class TestSleep:
    text = "note('before')\nsleep(hours=2)\nnote('after')\ndata['done'] = True"

    def test_a_sleeping_instance_is_a_row_and_wakes_when_it_is_due(self, effects: Path) -> None:
        instance = ended(started(self.text))
        run = instance.task_runs.get()
        assert (instance.state, run.state, instance.owner) == ("WAITING", "SUSPENDED", "")
        assert instance.due_at == run.due_at
        assert run.snapshot
        assert ended(instance, hours=1).state == InstanceState.WAITING
        assert ended(instance, hours=3).state == InstanceState.FINISHED
        run.refresh_from_db()
        assert (run.snapshot, run.log, run.attempt) == (b"", "", 1)
        assert effects.read_text() == "before\nafter\n"
        assert [name for _, name, _ in ledger()] == ["note", "sleep", "note"]

    def test_what_was_printed_before_and_after_is_kept_once(self) -> None:
        instance = ended(started("print('one')\nsleep(hours=1)\nprint('two')\nsleep(hours=1)\nprint('three')"))
        ended(instance, hours=1.5)
        ended(instance, hours=3)
        assert instance.task_runs.get().log == "one\ntwo\nthree\n"

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ("sleep(seconds=-1)", "no negative time"),
            ("sleep(days=99999)", "up to ten years"),
            ("sleep_until(data['nothing'])", "takes a datetime, not NoneType"),
        ],
    )
    def test_a_time_that_is_none_is_an_error_in_the_code(self, call: str, message: str) -> None:
        instance = ended(started(call, nothing=None))
        assert instance.state == InstanceState.FAILED
        assert message in instance.error["message"]

    def test_the_clock_stands_still_between_calls_and_chance_is_repeatable(self, effects: Path) -> None:
        text = (
            "import datetime, random\nutc = datetime.timezone.utc\na = datetime.datetime.now(utc)\n"
            "note('x')\nb = datetime.datetime.now(utc)\nsleep(hours=5)\nc = datetime.datetime.now(utc)\n"
            "data['times'] = [a, b, c]\ndata['chance'] = [random.random(), random.random()]"
        )
        instance = ended(ended(started(text)), hours=6)
        one, two, three = instance.data["times"]
        calls = list(ActionCall.objects.order_by("number"))
        assert (one, two, three) == (instance.task_runs.get().started_at, calls[0].ended_at, calls[1].ended_at)
        assert instance.data["chance"][0] != instance.data["chance"][1]


class TestRetry:
    def test_a_retry_goes_on_at_the_call_that_failed(self, effects: Path) -> None:
        text = "note('once')\nfail_first(2)\nnote('end')"
        instance = started(text, retries=2)
        run_until_idle()
        instance.refresh_from_db()
        assert instance.state == InstanceState.FINISHED
        assert effects.read_text() == "once\nend\n"
        assert [(call.number, call.attempt, call.name) for call in ActionCall.objects.order_by("pk")] == [
            (1, 1, "note"),
            (2, 1, "fail_first"),
            (2, 2, "fail_first"),
            (2, 3, "fail_first"),
            (3, 3, "note"),
        ]


class TestSnapshots:
    text = "import random\nx = random.random()\nnote('before')\nsleep(hours=2)\nnote('after')\ndata['x'] = x\nrandom.random()"

    def asleep(self) -> TaskRun:
        return ended(started(self.text)).task_runs.get()

    def test_one_that_can_not_be_loaded_is_replayed_from_the_ledger(self, effects: Path) -> None:
        run = self.asleep()
        run.snapshot = signing.sign(f"{run.key}-{run.call_number}", b"made by another version")
        run.save()
        instance = ended(run.instance, hours=3)
        assert instance.state == InstanceState.FINISHED
        assert effects.read_text() == "before\nafter\n", "what is in the ledger is not made again"
        x = instance.data["x"]
        assert (x, instance.results["A"]) == chance(instance), "a replay draws the same random numbers"

    def test_one_that_was_changed_in_the_database_is_a_clear_failure(self, effects: Path) -> None:
        run = self.asleep()
        run.snapshot = bytes(run.snapshot)[:-1] + b"x"
        run.save()
        instance = ended(run.instance, hours=3)
        assert instance.state == InstanceState.FAILED
        assert instance.error["type"] == "SnapshotTampered"
        assert effects.read_text() == "before\n"

    def test_code_that_disagrees_with_the_ledger_fails_and_makes_no_call(self, effects: Path) -> None:
        run = self.asleep()
        version = ProcessVersion.objects.get()
        definition = version.definition
        definition["tasks"][0]["code"] = "note('other')\nsleep(hours=2)"
        ProcessVersion.objects.update(definition=definition)
        run.snapshot = b""
        run.save()
        instance = ended(run.instance, hours=3)
        assert instance.state == InstanceState.FAILED
        assert instance.error["type"] == "LedgerDisagrees"
        assert instance.error["message"] == 'Call 1 was note("before") when it was made, and is note("other") now.'
        assert effects.read_text() == "before\n"


def chance(instance: RunningProcesses) -> tuple[float, float]:
    """The first two random numbers of an instance's task run."""
    seeded = Random(instance.task_runs.get().key)
    return seeded.random(), seeded.random()


@pytest.mark.slow
class TestCrash:
    """The engine is a process, and is killed for real."""

    @pytest.fixture
    def until_idle(self, spawn: Callable[..., subprocess.Popen[str]], effects: Path) -> Callable[[], int]:
        """Runs engines, one after another as they die, until one ends by itself; returns how many were needed."""

        def run() -> int:
            for engines in range(1, 10):
                child = spawn("runengine", "--until-idle", "--poll-interval", "0.1", EFFECTS=str(effects))
                if child.wait(timeout=60) == 0:
                    return engines
                assert child.returncode == -signal.SIGKILL, Path(child.log).read_text()
                # Its lease is over, which others would wait for.
                RunningProcesses.objects.filter(state=InstanceState.RUNNING).update(due_at=timezone.now())
            raise AssertionError("the engines do not come to an end")

        return run

    def test_before_during_and_after_a_call(self, until_idle: Callable[[], int], effects: Path) -> None:
        text = (
            "note('a')\ndie_once('between')\nnote('b')\n"
            "data['keys'] = [key(), key()]\n"
            "for n in range(3):\n    note(f'loop{n}')\n    die_once(f'loop{n}')\n'result'"
        )
        instance = started(text)
        assert until_idle() == 5
        instance.refresh_from_db()
        run = instance.task_runs.get()
        assert (instance.state, run.result, run.attempt) == ("FINISHED", "result", 1)
        assert effects.read_text().split() == ["a", "b", "loop0", "loop1", "loop2"], (
            "what is recorded is not made again"
        )
        assert instance.data["keys"] == [f"{run.key}-4", f"{run.key}-5"]
        assert run.key.startswith(f"{instance.token}-")
        assert [number for number, *_ in ledger()] == list(range(1, 12))

    def test_an_atomic_action_takes_effect_once(self, until_idle: Callable[[], int]) -> None:
        instance = started(
            "one = book('x', die='before commit')\ndie_once('after commit')\ntwo = book('y')\n[one, two]"
        )
        assert until_idle() == 3
        instance.refresh_from_db()
        assert instance.state == InstanceState.FINISHED
        entries = list(LogEntry.objects.order_by("pk"))
        assert [entry.object_repr for entry in entries] == ["x", "y"]
        assert instance.results["A"] == [entry.pk for entry in entries]


def test_an_atomic_action_that_raises_leaves_nothing_behind() -> None:
    instance = ended(started("try:\n    book_and_fail()\nexcept ValueError as e:\n    data['error'] = str(e)"))
    assert instance.data["error"] == "changed my mind"
    assert not LogEntry.objects.exists()

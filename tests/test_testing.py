"""The developers' test helper: in a test's transaction and outside of one."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import TestCase

from tests.build import code, manual, process
from tests.users import User
from workflow import clock, operations, operators
from workflow.code.actions import action, actions, replaced
from workflow.errors import NotAllowed, NotStartable
from workflow.models import InstanceState, RunningProcesses
from workflow.testing import StillRunning, Workflow

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "docs" / "testing.md"
MONDAY = datetime(2031, 3, 3, 9, tzinfo=UTC)


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def more_actions() -> Iterator[None]:
    """Actions that only these tests know."""
    with replaced():

        @action
        def write_twice(name: str) -> None:
            Group.objects.create(name=f"{name} before")
            Group.objects.create(name=name)
            Group.objects.create(name=name)

        @action
        def write_and_raise(name: str) -> None:
            Group.objects.create(name=name)
            raise ValueError("no more")

        @action
        def write_durably(name: str) -> None:
            with transaction.atomic(durable=True):
                Group.objects.create(name=name)

        @action
        def write_and_hide(name: str) -> None:
            with suppress(IntegrityError):
                Group.objects.create(name=name)

        @action
        def optional(a: int, b: int = 1, *, c: str, d: str = "") -> int:
            return 0

        yield


class Time:
    def test_it_stands_still_until_it_is_moved(self, anna: User) -> None:
        text = "from datetime import datetime, timezone\nsleep(days=30)\ndata['woke'] = datetime.now(timezone.utc)"
        process("P", {"A": code(text)}, (1, "A"))
        with Workflow(at=MONDAY) as workflow:
            run = workflow.start("P")
            assert (run.started_at, run.due_at) == (MONDAY, MONDAY + timedelta(days=30))
            workflow.advance(days=30, seconds=-1)
            assert run.state == InstanceState.WAITING
            workflow.advance(seconds=1)
            assert (run.state, run.ended_at) == (InstanceState.FINISHED, MONDAY + timedelta(days=30))
            assert run.data["woke"] == run.ended_at
        assert clock.now().year < 2031, "the clock is itself again"

    def test_what_is_due_on_the_way_happens_in_order_at_its_time(self, anna: User) -> None:
        text = "for n in range(3):\n    sleep(days=data['every'])\n    note(f\"{data['every']} {n}\")"
        process("P", {"A": code(text)}, (1, "A"))
        with Workflow(at=MONDAY) as workflow:
            when = []
            workflow.fake("note", does=lambda text: when.append((text, (clock.now() - MONDAY).days)))
            for every in (2, 3):
                workflow.start("P", {"every": every})
            workflow.advance(days=8)
            assert when == [("2 0", 2), ("3 0", 3), ("2 1", 4), ("2 2", 6), ("3 1", 6)]
            workflow.advance(days=1)
            assert when[5:] == [("3 2", 9)]

    def test_retries_come_at_their_time(self, anna: User) -> None:
        process(
            "P",
            {"A": code("data['n'] = fail_first(2)", max_attempts=3, retry_delay=3600)},
            (1, "A"),
        )
        with Workflow() as workflow:
            run = workflow.start("P")
            workflow.advance(minutes=59)
            assert run.task_runs.get().attempt == 1
            workflow.advance(minutes=1)
            assert (run.task_runs.get().attempt, run.state) == (2, InstanceState.WAITING)
            workflow.advance(hours=2)
            assert (run.state, run.data) == (InstanceState.FINISHED, {"n": 3})
            assert "attempt 1 of 3 failed" in workflow.log(run)

    def test_time_outs_fire(self, anna: User) -> None:
        process("P", {"Sign": manual("anna", timeout=timedelta(days=3))}, (1, "Sign"))
        with Workflow() as workflow:
            run = workflow.start("P")
            workflow.advance(days=4)
        assert (run.state, run.error["type"]) == (InstanceState.FAILED, "TimedOut")

    def test_it_can_not_go_backwards_and_has_a_time_zone(self, anna: User) -> None:
        with Workflow() as workflow, pytest.raises(ValueError, match="Time can't go backwards"):
            workflow.advance(hours=-1)
        with pytest.raises(ValueError, match="has no time zone"):
            Workflow(at=datetime(2031, 3, 3))
        with pytest.raises(RuntimeError, match="only in tests"):
            clock.move(to=MONDAY)


class People:
    def test_they_decide_and_only_those_who_may(self, anna: User) -> None:
        process("P", {"Sign": manual("anna")}, (1, "Sign"))
        bert = User.objects.create_user("bert")
        with Workflow() as workflow:
            run = workflow.start("P", user=bert)
            with pytest.raises(NotAllowed):
                workflow.approve("P", "Sign", by=bert)
            there = rf"Nothing waits for P / Sing; there waits P / Sign \(instance {run.pk}\)\."
            with pytest.raises(LookupError, match=there):
                workflow.reject("P", "Sing", by=anna)
            workflow.reject("P", "Sign", by=anna, comment="no")
            assert run.state == InstanceState.REJECTED
            assert run.task_runs.get().comment == "no"
            with pytest.raises(LookupError, match=r"there waits nothing\."):
                workflow.waiting("P", "Sign")

    def test_one_of_several_is_named(self, anna: User) -> None:
        process("P", {"Sign": manual("anna")}, (1, "Sign"))
        with Workflow() as workflow:
            first, second = workflow.start("P"), workflow.start("P")
            both = rf"2 of P / Sign wait, of the instances {first.pk}, {second.pk}: say which"
            with pytest.raises(LookupError, match=both):
                workflow.approve("P", "Sign", by=anna)
            workflow.approve("P", "Sign", by=anna, instance=second)
            assert (first.state, second.state) == (InstanceState.WAITING, InstanceState.FINISHED)
            with pytest.raises(LookupError, match=f"Nothing waits for P / Sign of instance {second.pk}; there waits P"):
                workflow.reject("P", "Sign", by=anna, instance=second)

    def test_code_asks_too(self, anna: User) -> None:
        process("P", {"A": code("data['by'] = approval('anna', 'Go?')['user']")}, (1, "A"))
        with Workflow() as workflow:
            run = workflow.start("P")
            assert workflow.waiting("P", "A").question == "Go?"
            workflow.approve("P", "A", by=anna)
            assert run.data == {"by": "anna"}


class Fakes:
    def test_they_are_checked_recorded_and_undone(self, anna: User) -> None:
        text = "data['got'] = note('a')\ntry:\n    note(text='b')\nexcept ValueError as e:\n    data['error'] = str(e)"
        process("P", {"A": code(text)}, (1, "A"))
        real = actions()["note"]

        def once(text: str) -> int:
            if text == "b":
                raise ValueError("not b")
            return 7

        with Workflow() as workflow:
            workflow.fake("note", does=once)
            run = workflow.start("P")
            assert run.data == {"got": 7, "error": "not b"}
            assert workflow.called("note") == [{"text": "a"}, {"text": "b"}]
            with pytest.raises(LookupError, match=r"There is no action 'noet'\. Did you mean 'note'"):
                workflow.fake("noet")
            with pytest.raises(LookupError, match=r"'noet' is not faked, .* Did you mean 'note'"):
                workflow.called("noet")
        assert actions()["note"] is real

    def test_they_are_undone_after_an_error(self, anna: User) -> None:
        real = actions()["note"]
        with pytest.raises(NotStartable), Workflow(at=MONDAY) as workflow:  # noqa: PT012 - what comes before it must be undone
            workflow.fake("note", returns=1)
            process("P", {"A": code("1 +")}, (1, "A"))
            workflow.start("P")
        assert actions()["note"] is real
        assert clock.now() < MONDAY

    def test_nothing_works_outside_the_context(self, anna: User) -> None:
        real, workflow = actions()["note"], Workflow()
        for verb in (workflow.run, workflow.advance, lambda: workflow.fake("note"), lambda: workflow.start("P")):
            with pytest.raises(RuntimeError, match="Use it as a context"):
                verb()
        with pytest.raises(LookupError, match="'note' is not faked, so its calls are not kept. Nothing is faked."):
            workflow.called("note")
        assert actions()["note"] is real

    def test_they_raise_or_do_as_a_mock_does(self, anna: User) -> None:
        process("P", {"A": code("data['n'] = note('a')", max_attempts=3)}, (1, "A"))
        with Workflow() as workflow:
            workflow.fake("note", raises=ConnectionError("no answer"))
            run = workflow.start("P")
            workflow.advance(minutes=1)
            assert run.state == InstanceState.FAILED
            assert "no answer" in run.error["message"]
            workflow.fake("note", does=Mock(side_effect=[ConnectionError, 5]))
            again = workflow.start("P")
            workflow.advance(minutes=1)
            assert again.data == {"n": 5}
            with pytest.raises(TypeError, match="give it one of these"):
                workflow.fake("note", returns=1, raises=ValueError)

    def test_one_that_takes_other_arguments_is_refused(self, anna: User, more_actions: None) -> None:
        with Workflow() as workflow:
            with pytest.raises(
                TypeError, match=r"The fake of note\(\) takes \(\), which does not fit def note\(text: str"
            ):
                workflow.fake("note", does=lambda: 1)
            for misfit in (
                lambda a: 1,
                lambda a, b, *, c, d="": 1,
                lambda a, *, b=1, c, d="": 1,
                lambda a, beta=1, *, c, d="": 1,
                lambda a, b=1, *, c: 1,
            ):
                with pytest.raises(TypeError, match="does not fit"):
                    workflow.fake("optional", does=misfit)
            workflow.fake("optional", does=lambda a, b=2, **others: 1)
            workflow.fake("optional", does=Mock(return_value=1))
            workflow.fake("note", does=int)  # its signature is not told on all versions of Python

    def test_wrong_arguments_reach_the_code_as_with_the_real_one(self, anna: User) -> None:
        text = "try:\n    note(data['what'])\nexcept TypeError as e:\n    data['error'] = str(e)"
        process("P", {"A": code(text)}, (1, "A"))
        with Workflow() as workflow:
            workflow.fake("note", returns=1)
            assert "note() takes text as str, but got 3" in workflow.start("P", {"what": 3}).data["error"]
            assert workflow.called("note") == []

    def test_what_is_not_faked_is_real(self, anna: User, effects: Path) -> None:
        process("P", {"A": code("data['n'] = note('real')\nbook('a')\nlook_up('x')")}, (1, "A"))
        with Workflow() as workflow:
            assert workflow.start("P").data == {"n": 4}
        assert effects.read_text() == "real\n"

    def test_an_action_that_writes_does_as_it_does_without_a_transaction(self, anna: User, more_actions: None) -> None:
        each = "try:\n    {}('{}')\nexcept Exception as e:\n    print(e)\n"
        text = each.format("write_twice", "twice") + each.format("write_and_raise", "raised")
        process("P", {"A": code(text), "B": code("1")}, (1, "A"), (2, "B"))
        with Workflow() as workflow:
            run = workflow.start("P")
            assert workflow.history(run) == [("A", "FINISHED"), ("B", "FINISHED")]
            assert "no more" in workflow.log(run)
        assert Group.objects.filter(name="raised").exists(), "what it wrote before it raised"


class Runs:
    def test_rows_side_by_side_children_signals_and_mail(self, anna: User) -> None:
        child = process("Child", {"A": code("data['n'] = data['n'] * 2")}, (1, "A"))
        tasks = {
            "One": code("data['one'] = run_process('Child', n=1)['n']"),
            "Two": {"subprocess": child, "input": "{'n': 5}", "output": "{'two': data['n']}"},
            "Three": code("data['three'] = wait_for('go')\nsend_mail('a', 'b', 'anna@example.com')"),
        }
        process("P", tasks, (1, "One"), (1, "Two"), (1, "Three"))
        with Workflow() as workflow:
            run = workflow.start("P")
            assert workflow.signal("go", 3, instance=run) == [run.pk]
        assert (run.state, run.data) == (InstanceState.FINISHED, {"one": 2, "two": 10, "three": 3})
        assert len(mail.outbox) == 1

    def test_what_the_projects_own_code_starts_and_operates(self, anna: User) -> None:
        process("P", {"Sign": manual("anna")}, (1, "Sign"))
        with Workflow() as workflow:
            with transaction.atomic():
                run = operations.start("P", user=anna)
            workflow.run()
            mine = workflow.start("P")
            operators.perform(mine.pk, operators.Action.CANCEL, reason="changed our mind")
            workflow.run()
            assert mine.state == InstanceState.CANCELLED
            RunningProcesses.objects.filter(pk=mine.pk).delete()
            workflow.approve("P", "Sign", by=anna, instance=run)
            run.refresh_from_db()
            assert run.state == InstanceState.FINISHED

    def test_what_can_not_be_started_is_refused(self, anna: User) -> None:
        process("P", {"A": code("1 +")}, (1, "A"))
        with Workflow() as workflow, pytest.raises(NotStartable):
            workflow.start("P")

    def test_what_fails_is_told_in_the_log(self, anna: User, caplog: pytest.LogCaptureFixture) -> None:
        process("P", {"A": code("{}['x']")}, (1, "A"))
        with Workflow() as workflow:
            assert workflow.start("P").state == InstanceState.FAILED
        assert "P task A is failed: KeyError: 'x'" in caplog.text

    def test_what_never_rests_is_told(self, anna: User) -> None:
        process("P", {"A": code("while True:\n    sleep(minutes=data['minutes'])")}, (1, "A"))
        with Workflow(most_turns=30) as workflow:
            workflow.start("P", {"minutes": 60})
            workflow.advance(days=2)
            what = r"of 'P', at step 1, does not come to rest: it went on 30 times while the clock stood still"
            with pytest.raises(StillRunning, match=what):
                workflow.start("P", {"minutes": 0})

    def test_what_is_due_too_often_is_told(self, anna: User) -> None:
        process("P", {"A": code("while True:\n    sleep(seconds=1)")}, (1, "A"))
        with Workflow(most_stops=20) as workflow:
            workflow.start("P")
            workflow.advance(seconds=19)
            with pytest.raises(StillRunning, match="after 20 times at which something was due"):
                workflow.advance(days=365)

    def test_a_failure_of_the_engine_is_raised(self, anna: User) -> None:
        process("P", {"A": code("note('a')")}, (1, "A"))
        with Workflow() as workflow:
            workflow.fake("note", does=Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                workflow.start("P")


class Cases(Time, People, Fakes, Runs):
    """All that it does."""


@pytest.mark.django_db
class TestInATransaction(Cases):
    """As most tests of a project are."""

    def test_an_action_that_hides_a_failed_query_is_told(self, anna: User, more_actions: None) -> None:
        process("P", {"A": code("write_durably('a')\nwrite_and_hide('a')")}, (1, "A"))
        with Workflow() as workflow:
            run = workflow.start("P")
            assert run.state == InstanceState.FAILED, "only in a test's transaction: docs/testing.md says what helps"
            assert "TransactionManagementError" in run.error["message"]
        assert Group.objects.get().name == "a", "and the transaction is whole"


@pytest.mark.django_db(transaction=True)
class TestOutside(Cases):
    """As a few have to be."""


class TestUnittest(TestCase):
    def test_it_works_in_a_plain_test_case(self) -> None:
        process("P", {"A": code("data['n'] = 1")}, (1, "A"))
        workflow = self.enterContext(Workflow())
        self.assertEqual(workflow.start("P").data, {"n": 1})  # noqa: PT009 - as unittest's users write it


SETTINGS = """
from tests.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "shop"]
"""


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    site = tmp_path / token_hex(4)  # the test database is named by it
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", EXAMPLE.read_text(), re.DOTALL)
    for name, text in [*blocks, ("shop/__init__.py", ""), ("shop_settings.py", SETTINGS)]:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    variables: dict[str, Any] = {
        "DJANGO_SETTINGS_MODULE": "shop_settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]),
        "TEST_FOLDER": str(site),
    }
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", site, "-p", "no:cacheprovider", "-q"]
    ran = subprocess.run(
        [*command, site / "shop" / "test_order.py", site / "shop" / "tests.py"],
        cwd=site,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "3 passed" in ran.stdout, f"{ran.stdout}\n{ran.stderr}"

"""What an engine can't run it leaves to others: no instance fails for it, no attempt is used up, no call is made twice."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.build import code, engine, process, run_until_idle
from workflow import clock, operations, transitions
from workflow.abilities import Abilities, Needs
from workflow.code import actions
from workflow.code.actions import action
from workflow.code.text import free_names
from workflow.definition import FORMAT
from workflow.engine import Mode, worker
from workflow.engine.lacking import LONGEST_PAUSE, MOST_PASSED_OVER, MOST_REMEMBERED, HandedBack, Lacking
from workflow.engine.presence import Presence
from workflow.errors import CannotDrive, DefinitionTooNew, NotStartable
from workflow.models import ActionCall, ProcessVersion, RunningProcesses, Task, TaskRun
from workflow.models import Engine as EngineRow
from workflow.testing import Workflow
from workflow.transitions import PassedOver


class TestWhatCodeNeeds:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("note('a')", {"note"}),
            ("x = [note(y) for y in data['a']]\nx", {"data", "note"}),
            ("def f(a, *b, c=1, **d):\n    return a, b, c, d, key()\nf(1)", {"key"}),
            ("f = lambda q: q + 1\nf(look_up)", {"look_up"}),
            ("import math\nfrom datetime import date as d\nimport a.b\n[math, d, a]", set()),
            ("from math import *\nnote(pi)", set()),
            ("try:\n    note('a')\nexcept ValueError as e:\n    e", {"note", "ValueError"}),
            ("note = 3\nnote", set()),
            ("1 +", set()),
        ],
    )
    def test_names_that_come_from_outside(self, text: str, names: set[str]) -> None:
        assert free_names(text) == names

    @given(st.text())
    def test_whatever_somebody_has_typed(self, text: str) -> None:
        assert all(name.isidentifier() for name in free_names(text))


@pytest.fixture
def sailing(transactional_db: None) -> Iterator[RunningProcesses]:
    """An instance that needs what this engine lacks, beside a bystander that needs nothing."""
    with actions.replaced():
        granted_elsewhere()
        process("Sail", {"A": code("note('once')\nsail('it')")}, (1, "A"))
        process("Other", {"A": code("1")}, (1, "A"))
        operations.start("Other")
        yield operations.start("Sail")


def granted_elsewhere() -> None:
    """Grant `sail` until the end of `actions.replaced`."""

    def sail(what: str) -> str:
        """Something new."""
        return what

    action(sail)


def forgotten() -> None:
    """Be an engine of the version that does not have it yet."""
    del actions._actions["sail"]


def states() -> dict[str, str]:
    return dict(RunningProcesses.objects.values_list("process_name", "state"))


class TestEngine:
    def test_a_version_stores_what_it_needs(self, sailing: RunningProcesses) -> None:
        assert sailing.version.needs == {"format": 1, "names": ["note", "sail"]}

    @pytest.mark.parametrize("max_running", [None, 3])
    def test_what_lacks_here_is_never_claimed(
        self, sailing: RunningProcesses, effects: Path, max_running: int | None
    ) -> None:
        sailing.process.max_running = max_running
        sailing.process.save()
        forgotten()
        run_until_idle()
        assert states() == {"Sail": "READY", "Other": "FINISHED"}
        sailing.refresh_from_db()
        assert (sailing.fence, sailing.interrupted) == (0, 0)
        granted_elsewhere()
        run_until_idle()
        assert states() == {"Sail": "FINISHED", "Other": "FINISHED"}
        assert effects.read_text() == "once\n"

    @pytest.mark.parametrize(
        "needs", [None, {"format": 1, "names": ["note", "sail"]}, {"format": 1, "names": [], "x": 1}]
    )
    def test_what_is_found_out_by_a_claim_is_handed_back_once(
        self, sailing: RunningProcesses, effects: Path, needs: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As it is for a version that came after the engine, or that an older version of this software has frozen."""
        forgotten()
        ProcessVersion.objects.filter(name="Sail").update(needs=needs)
        running = engine()
        running.lacking.look = lambda: None  # type: ignore[method-assign]  # the version comes later
        running.run(Mode.UNTIL_IDLE)
        assert states() == {"Sail": "READY", "Other": "FINISHED"}
        sailing.refresh_from_db()
        assert (sailing.fence, sailing.interrupted, sailing.owner) == (1, 0, "")
        assert not sailing.task_runs.exists()
        assert sailing.due_at == sailing.started_at, "for whoever has it, at once"
        assert sum("this one can't run them" in line for line in caplog.messages) == 1

    def test_a_version_of_a_newer_format_is_left_alone(self, sailing: RunningProcesses) -> None:
        version = sailing.version
        ProcessVersion.objects.filter(pk=version.pk).update(
            definition={**version.definition, "format": FORMAT + 1}, needs=None
        )
        run_until_idle()
        assert states() == {"Sail": "READY", "Other": "FINISHED"}

    @pytest.mark.parametrize("needs", [{}, [], "x", 7, {"names": 7}, {"names": [[]]}, {"format": "2"}])
    def test_what_somebody_has_written_there_by_hand_stops_no_engine(
        self, sailing: RunningProcesses, effects: Path, needs: Any
    ) -> None:
        ProcessVersion.objects.filter(name="Sail").update(needs=needs)
        run_until_idle()
        assert states()["Other"] == "FINISHED"

    def test_an_idle_engine_does_not_spin(self, sailing: RunningProcesses) -> None:
        forgotten()
        idle = engine(poll_interval=30)
        idle.run(Mode.UNTIL_IDLE)
        idle.looked_at = timezone.now() - timedelta(hours=1)
        assert idle._patient_for() == 30
        assert idle._claimed(10) == []

    def test_an_action_that_is_gone_where_the_code_stands_is_waited_for(
        self, sailing: RunningProcesses, effects: Path
    ) -> None:
        """Found out only then: nothing counts as a failure, and no call is made twice."""
        made = process(
            "Late", {"A": code("note('once')\nx = sail('it')\nf = lambda sail: sail\nx", **RETRIED)}, (1, "A")
        )
        actions.replace_action(actions.Action(name="sail", function=_failing))
        late = operations.start(made)
        assert late.version.needs["names"] == ["note"], "of a name that code binds it can't be told"
        run_until_idle(processes=["Late"])
        forgotten()
        RunningProcesses.objects.filter(pk=late.pk).update(due_at=timezone.now())
        TaskRun.objects.filter(instance=late).update(due_at=timezone.now())
        running = engine(processes=["Late"])
        running.run(Mode.UNTIL_IDLE)
        late.refresh_from_db()
        run = late.task_runs.get()
        assert (late.state, late.interrupted, late.error) == ("READY", 0, None)
        assert (run.state, run.attempt, run.call_number) == ("RUNNING", 2, 2)
        assert set(running.lacking.passed_over.instances) == {late.pk}
        assert late.due_at == late.started_at, "others can take it at once"
        granted_elsewhere()
        RunningProcesses.objects.filter(pk=late.pk).update(due_at=timezone.now())
        run_until_idle()
        assert states() == {"Late": "FINISHED", "Sail": "FINISHED", "Other": "FINISHED"}
        assert effects.read_text() == "once\nonce\n", "of each instance"
        calls = ActionCall.objects.filter(run=run).values_list("number", "name", "attempt")
        assert list(calls.order_by("pk")) == [(1, "note", 1), (2, "sail", 1), (2, "sail", 2)]

    def test_a_test_is_told(self, sailing: RunningProcesses, effects: Path) -> None:
        forgotten()
        with Workflow() as workflow, pytest.raises(CannotDrive, match=r"Sail v1 needs the action sail\(\)"):
            workflow.run()

    def test_an_engine_announces_what_it_has(self, sailing: RunningProcesses) -> None:
        Presence(name="a", lease=30, concurrency=2).begin()
        announced = EngineRow.objects.get().abilities
        assert announced["format"] == FORMAT
        assert {"sail", "note", "sleep", "send_mail"} <= set(announced["names"])


RETRIED = {"max_attempts": 2, "retry_delay": 3600.0}


def _failing(what: str) -> str:
    raise ConnectionError(what)


@pytest.mark.django_db(transaction=True)
class TestStarts:
    def test_a_start_does_not_freeze_what_it_can_not_see(self) -> None:
        """The draft may have more columns than this version of this software knows."""
        process("P", {"A": code("1")}, (1, "A"))
        version = operations.start("P").version
        ProcessVersion.objects.filter(pk=version.pk).update(
            definition={**version.definition, "format": FORMAT + 1}, digest="of what only the newer one sees"
        )
        with pytest.raises(DefinitionTooNew, match="'P' was published by a newer version of this software"):
            operations.start("P")
        assert ProcessVersion.objects.count() == RunningProcesses.objects.count() == 1

    def test_so_does_one_by_an_instance(self) -> None:
        process("Child", {"A": code("1")}, (1, "A"))
        process("P", {"A": code("run_process('Child')")}, (1, "A"))
        version = operations.start("Child").version
        run_until_idle()
        ProcessVersion.objects.filter(pk=version.pk).update(
            definition={**version.definition, "format": FORMAT + 1}, digest="of what only the newer one sees"
        )
        instance = operations.start("P")
        run_until_idle()
        instance.refresh_from_db()
        assert instance.state == "READY"


@pytest.mark.django_db(transaction=True)
class TestChildren:
    """A draft that was never published may be more than this engine sees, or call what only another one has."""

    @pytest.fixture
    def parent(self) -> RunningProcesses:
        with actions.replaced():
            granted_elsewhere()
            process("Child", {"A": code("sail('it')")}, (1, "A"))
            process("P", {"A": code("run_process('Child')")}, (1, "A"))
        return operations.start("P")

    def another(self, abilities: Abilities, **fields: Any) -> None:
        Presence(name="another", lease=30, concurrency=1, abilities=lambda: abilities).begin()
        EngineRow.objects.filter(name="another").update(**fields)

    def ended(self, parent: RunningProcesses) -> str:
        run_until_idle()
        parent.refresh_from_db()
        return parent.state

    @pytest.mark.parametrize("calling", ["run_process('Child')", "run_all([('Child', {}), ('Child', {'a': 1})])"])
    def test_no_engine_has_to_be_alive_that_has_it(self, calling: str, effects: Path) -> None:
        """It may just be restarted. No attempt is used up, and no call is made twice."""
        with actions.replaced():
            granted_elsewhere()
            process("Child", {"A": code("sail('it')")}, (1, "A"))
            process("P", {"A": code(f"note('once')\n{calling}")}, (1, "A"))
            parent = operations.start("P")
        self.another(Abilities.of_this_process())
        running = engine()
        running.run(Mode.UNTIL_IDLE)
        parent.refresh_from_db()
        run = parent.task_runs.get()
        assert (parent.state, parent.interrupted, run.state, run.attempt) == ("READY", 0, "RUNNING", 1)
        assert parent.due_at == parent.started_at, "others can take it at once"
        assert running.lacking.passed_over.instances == [parent.pk]
        with actions.replaced():
            granted_elsewhere()
            run_until_idle()
        assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
        assert effects.read_text() == "once\n"

    def test_so_it_is_for_tasks_that_are_processes_and_below_them(self) -> None:
        with actions.replaced():
            granted_elsewhere()
            lowest = process("Lowest", {"A": code("sail('it')")}, (1, "A"))
            middle = process("Middle", {"A": {"subprocess": lowest}}, (1, "A"))
            process("Top", {"A": {"subprocess": middle}}, (1, "A"))
        operations.start("Top")
        run_until_idle()
        assert states() == {"Top": "WAITING", "Middle": "READY"}
        with actions.replaced():
            granted_elsewhere()
            run_until_idle()
        assert states() == {"Top": "FINISHED", "Middle": "FINISHED", "Lowest": "FINISHED"}

    def test_a_draft_that_is_mended_goes_on(self, parent: RunningProcesses) -> None:
        assert self.ended(parent) == "READY"
        Task.objects.filter(parent__name="Child").update(code="1")
        assert self.ended(parent) == "FINISHED"

    @pytest.mark.parametrize(
        "broken",
        ["sail('it'", "sail('it')\nlen(3)", "sail('it')\n__it()", "sail('it')\nif len(data) > 2:\n    del x\nx"],
    )
    def test_what_is_wrong_with_a_draft_wherever_it_runs_fails(self, broken: str) -> None:
        process("Child", {"A": code(broken)}, (1, "A"))
        process("P", {"A": code("run_process('Child')")}, (1, "A"))
        assert self.ended(operations.start("P")) == "FAILED"

    def test_a_name_in_a_condition_is_no_function(self) -> None:
        process("Child", {"A": code("1")}, (1, "A", {"condition": "sail > 2"}))
        process("P", {"A": code("run_process('Child')")}, (1, "A"))
        assert self.ended(operations.start("P")) == "FAILED"

    def test_what_starts_is_the_version_that_is_frozen(self) -> None:
        """Any engine can start it: another one runs it."""
        with actions.replaced():
            granted_elsewhere()
            process("Child", {"A": code("sail('it')")}, (1, "A"))
            process("P", {"A": code("run_process('Child')")}, (1, "A"))
            operations.start("Child")
            operations.start("P")
        run_until_idle()
        assert set(RunningProcesses.objects.values_list("process_name", "state")) == {
            ("P", "WAITING"),
            ("Child", "READY"),
        }

    def test_a_start_by_a_person_is_refused(self, parent: RunningProcesses) -> None:
        with pytest.raises(NotStartable, match="There is no 'sail' here"):
            operations.start("Child")

    def test_what_another_engine_has_is_left_to_it(self, parent: RunningProcesses) -> None:
        own = Abilities.of_this_process()
        self.another(replace(own, names=own.names | {"sail"}))
        assert self.ended(parent) == "READY"
        assert ProcessVersion.objects.count() == 1
        with actions.replaced():
            granted_elsewhere()
            run_until_idle()
        assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}

    def test_nothing_is_frozen_while_an_engine_may_see_more_of_the_draft(self, parent: RunningProcesses) -> None:
        own = Abilities.of_this_process()
        self.another(replace(own, format=FORMAT + 1))
        with actions.replaced():
            granted_elsewhere()
            assert self.ended(parent) == "READY"
            EngineRow.objects.all().delete()
            assert self.ended(parent) == "FINISHED"


class TestPauses:
    """`claims` says whether it is an engine, whose claims pass over what it leaves, or a worker of a task queue."""

    one, other = RunningProcesses(pk=1, version_id=1), RunningProcesses(pk=2, version_id=1)

    def test_others_can_take_it_at_once_and_this_engine_does_not(self) -> None:
        lacking = Lacking()
        assert lacking.leave(self.one) == timedelta(0)
        assert lacking.passed_over == PassedOver([], [1])
        for _ in range(9):
            lacking.leave(self.one)
        times, until = lacking.handed_back[1]
        assert times == 10
        assert LONGEST_PAUSE - 5 < until - monotonic() <= LONGEST_PAUSE
        lacking.handed_back[1] = HandedBack(10, monotonic() - 1)
        assert lacking.passed_over == PassedOver([], []), "it may be signed by another key now"

    def test_without_claims_of_its_own_pauses_grow_and_begin_anew_when_it_went_on(self) -> None:
        lacking = Lacking(claims=False)
        pauses = [lacking.leave(self.one).total_seconds() for _ in range(9)]
        assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
        assert lacking.leave(self.other).total_seconds() == 1
        lacking.went_on(self.one)
        assert lacking.leave(self.one).total_seconds() == 1

    def test_a_version_is_passed_over_as_a_whole(self) -> None:
        lacking = Lacking(versions={1: "why"})
        assert lacking.leave(self.one) == timedelta(0)
        assert lacking.passed_over == PassedOver([1], [])
        assert Lacking(versions={1: "why"}, claims=False).leave(self.one) == timedelta(seconds=1)

    def test_claims_and_memory_have_an_end(self) -> None:
        lacking = Lacking()
        instances = [RunningProcesses(pk=key, version_id=1) for key in range(MOST_PASSED_OVER + 10)]
        pauses = [lacking.leave(one).total_seconds() for one in instances]
        assert pauses == [0] * MOST_PASSED_OVER + [1] * 10
        assert len(lacking.passed_over.instances) == MOST_PASSED_OVER
        lacking.handed_back = {-key: HandedBack(1, 0.0) for key in range(1, MOST_REMEMBERED + 5)}
        lacking.leave(self.one)
        assert len(lacking.handed_back) == MOST_REMEMBERED


class TestAbilities:
    here = Abilities(format=2, names=frozenset({"a", "b"}))

    @given(st.integers(1, 3), st.frozensets(st.sampled_from("abc")))
    def test_what_is_missing_is_named_and_nothing_else(self, number: int, names: frozenset[str]) -> None:
        missing = self.here.lacks(Needs(format=number, names=names))
        assert any("format 3" in one for one in missing) == (number == 3)
        assert ("the action c()" in missing) == ("c" in names)
        assert len(missing) == (number == 3) + ("c" in names)

    def test_what_is_announced_is_what_is_read(self) -> None:
        assert Abilities.from_json(self.here.to_json()) == self.here


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_passes_over_something_goes_by_the_index_and_keeps_the_order() -> None:
    process("P", {"A": code("1")}, (1, "A"))
    process("Q", {"A": code("1")}, (1, "A"))
    passed = PassedOver([operations.start("Q").version_id], [operations.start("P").pk])
    started = operations.start_many(["P"], count=5)
    now = timezone.now() + timedelta(seconds=1)
    claimed = transitions.claim("me", now=now, until=now, limit=3, passing_over=passed)
    assert [one.pk for one in claimed] == [one.pk for one in started[:3]]
    assert transitions.outlook(now - timedelta(days=1), passing_over=passed).due_at is not None
    assert transitions.claim("me", now=now, until=now, limit=9, processes=["Q"], passing_over=passed) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM workflow_runningprocesses WHERE fence = 0")
        assert cursor.fetchone() == (4,)


OTHER_KEY = {"SNAPSHOT_KEYS": ["the key of another engine " * 3]}


@pytest.mark.django_db(transaction=True)
class TestBeside:
    """What runs beside a task run that can't be run here loses nothing: it ends, is written, and is not run again."""

    def asleep(self) -> RunningProcesses:
        """Three rows of one step, of which the first was put to sleep by an engine with another key."""
        slow = "wait_for('go')\nnote('b1')\npause(0.2)\nnote('b2')\n'b'"
        tasks = {"A": code("note('a1')\nwait_for('go')\nnote('a2')"), "B": code(slow), "C": code("sleep(days=1)")}
        process("Beside", tasks, (1, "A"), (1, "B"), (1, "C", {"condition": "False"}))
        instance = operations.start("Beside")
        with override_settings(WORKFLOW=OTHER_KEY):
            run_until_idle()
        TaskRun.objects.filter(task_name="B").update(snapshot=b"")  # as one that any engine can replay
        for _ in "AB":
            operations.signal("go", instance=instance.pk)
        return instance

    def test_it_ends_and_is_written(self, effects: Path) -> None:
        instance = self.asleep()
        run_until_idle()
        instance.refresh_from_db()
        assert (instance.state, instance.interrupted) == ("READY", 0)
        assert dict(TaskRun.objects.values_list("task_name", "state")) == {
            "A": "RUNNING",
            "B": "FINISHED",
            "C": "SKIPPED",
        }
        assert effects.read_text().split() == ["a1", "b1", "b2"]
        with override_settings(WORKFLOW={"SNAPSHOT_KEYS": [settings.SECRET_KEY, *OTHER_KEY["SNAPSHOT_KEYS"]]}):
            run_until_idle()
        instance.refresh_from_db()
        assert instance.state == "FINISHED"
        assert effects.read_text().split() == ["a1", "b1", "b2", "a2"]

    def test_a_worker_of_a_task_queue_hands_it_back_with_a_pause(self, effects: Path) -> None:
        """It can't keep engines from claiming it at once, and sending it to the same worker again."""
        instance = self.asleep()
        now = clock.ask_database()
        (claimed,) = transitions.claim("e", now=now, until=now + timedelta(seconds=60), limit=1)
        worker.drive_handed_over(instance=claimed.pk, owner="e", fence=claimed.fence, lease=60)
        instance.refresh_from_db()
        assert (instance.state, instance.owner) == ("READY", "")
        assert instance.due_at is not None
        assert instance.due_at > now + timedelta(seconds=0.9)
        assert effects.read_text().split() == ["a1", "b1", "b2"]

    def test_so_it_does_with_a_version_that_it_can_not_run(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instance = operations.start("P")
        ProcessVersion.objects.update(needs={"format": 1, "names": ["unheard_of"]})
        now = clock.ask_database()
        (claimed,) = transitions.claim("e", now=now, until=now + timedelta(seconds=60), limit=1)
        worker.drive_handed_over(instance=claimed.pk, owner="e", fence=claimed.fence, lease=60)
        instance.refresh_from_db()
        assert (instance.state, instance.interrupted) == ("READY", 0)
        assert instance.due_at is not None
        assert instance.due_at > now + timedelta(seconds=0.9)

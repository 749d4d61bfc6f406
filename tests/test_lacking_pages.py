"""What no live engine has is told where people look, and nothing is told while one has it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from tests.beside import *  # noqa: F403
from tests.build import code, process, run_until_idle
from tests.own import ours
from workflow import clock, health, operations
from workflow.abilities import Abilities
from workflow.code import actions, signing
from workflow.definition import FORMAT
from workflow.engine.presence import Presence
from workflow.models import Engine, ProcessVersion, RunningProcesses
from workflow.standing import standing

pytestmark = pytest.mark.django_db(transaction=True)

HERE = Abilities.of_this_process()


def an_engine(name: str, *, without: str = "", keys: tuple[str, ...] = (), **fields: Any) -> None:
    abilities = Abilities(format=FORMAT, names=HERE.names - {without}, keys=HERE.keys | set(keys))
    Presence(name=name, lease=90, concurrency=1, abilities=lambda: abilities).begin()
    ours(Engine).filter(name=name).update(**fields)


def told(instance: RunningProcesses) -> str:
    return standing(ours(RunningProcesses).get(pk=instance.pk), now=clock.ask_database())


MISSING = "No engine that is alive can run it: it needs {}. It continues when an engine has that."


class TestActions:
    @pytest.fixture
    def noting(self) -> RunningProcesses:
        process("P", {"A": code("note('a')\nkey()")}, (1, "A"))
        return operations.start("P")

    def test_what_is_missing_everywhere_is_named(self, noting: RunningProcesses) -> None:
        an_engine("a", without="note")
        an_engine("dead", seen_at=timezone.now() - timedelta(hours=1))
        an_engine("others", processes=["Other"])
        assert MISSING.format("the action note()") in told(noting)

    @pytest.mark.parametrize("other", [{}, {"abilities": None}])
    def test_where_one_engine_has_it_or_may_have_it_nothing_is(
        self, noting: RunningProcesses, other: dict[str, Any]
    ) -> None:
        an_engine("a", without="note")
        an_engine("b", **other)
        assert told(noting) == "Ready. An engine will pick it up in a moment."

    def test_it_needs_no_more_queries(self, noting: RunningProcesses, django_assert_num_queries: Any) -> None:
        an_engine("a", without="note")
        found = ours(RunningProcesses).select_related("version").get()
        now = clock.ask_database()
        with django_assert_num_queries(1):
            standing(found, now=now)

    def test_of_a_version_that_only_newer_software_reads(self, noting: RunningProcesses) -> None:
        an_engine("a")
        ours(ProcessVersion).update(needs={"format": FORMAT + 1, "names": []})
        text = f"a newer version of this software (definitions of format {FORMAT + 1})"
        assert MISSING.format(text) in told(noting)

    def test_people_are_told_that_it_is_not_theirs_to_mend(self, noting: RunningProcesses) -> None:
        an_engine("a", without="note")
        found = ours(RunningProcesses).get()
        later = clock.ask_database() + timedelta(minutes=1)
        assert "An operator can see what." in standing(found, now=later, for_operators=False)


def test_a_key_that_no_engine_knows_is_named_by_its_fingerprint(effects: Any) -> None:
    process("P", {"A": code("note('a')\nwait_for('go')")}, (1, "A"))
    with override_settings(WORKFLOW={"SNAPSHOT_KEYS": ["newer" * 10]}):
        instance = operations.start("P")
        run_until_idle()
        newer = signing.fingerprint("newer" * 10)
    operations.signal("go", instance=instance.pk)
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == "READY"
    an_engine("a")
    assert MISSING.format(f"the snapshot key {newer}") in told(instance)
    an_engine("b", keys=(newer,))
    assert told(instance) == "Ready. An engine will pick it up in a moment."


class TestChildren:
    """A parent that starts a draft which calls what no live engine has: its page names that."""

    UNSTARTABLE = (
        "It starts the process “Child”, and no engine that is alive can: the draft of “Child” needs the action sail(). "
        "It continues when an engine has that, or when the draft is corrected."
    )

    def told_later(self, instance: RunningProcesses) -> str:
        return standing(ours(RunningProcesses).get(pk=instance.pk), now=clock.ask_database() + timedelta(minutes=1))

    def started(self, calling: str = "", data: Any = None) -> RunningProcesses:
        child = process("Child", {"A": code("sail('it')")}, (1, "A"))
        process("P", {"A": code(calling) if calling else {"subprocess": child}}, (1, "A"))
        instance = operations.start("P", data)
        run_until_idle()
        instance.refresh_from_db()
        assert instance.state == "READY"
        return instance

    @pytest.mark.parametrize(
        ("calling", "data"),
        [
            ("", None),
            ("run_process('Child')", None),
            ("run_all([('Child', {})])", None),
            ("run_process(data['of'][0]['kind'])", {"of": [{"kind": "Child"}], "n": 3}),
        ],
    )
    def test_it_is_named(self, calling: str, data: Any) -> None:
        instance = self.started(calling, data)
        an_engine("a")
        assert self.UNSTARTABLE in self.told_later(instance)
        ours(RunningProcesses).filter(pk=instance.pk).update(due_at=clock.ask_database() + timedelta(minutes=2))
        assert self.UNSTARTABLE in self.told_later(instance), "a worker of a task queue hands it back with a pause"

    def test_nothing_is_told_once_an_engine_has_it(self) -> None:
        instance = self.started()
        abilities = Abilities(format=FORMAT, names=HERE.names | {"sail"})
        Presence(name="b", lease=90, concurrency=1, abilities=lambda: abilities).begin()
        assert "sail" not in self.told_later(instance)

    def test_nor_of_a_version_that_is_frozen(self) -> None:
        instance = self.started()
        with actions.replaced():
            actions.action(a_new_action())
            operations.start("Child")
        an_engine("a")
        assert "sail" not in self.told_later(instance)


def a_new_action() -> Any:
    def sail(what: str) -> str:
        """Something new."""
        return what

    return sail


def test_actions_that_are_replaced_are_those_that_are_announced() -> None:
    with actions.replaced():
        del actions._actions["note"]
        assert "note" not in Abilities.of_this_process().names
    assert health.unapplied_migrations() == []

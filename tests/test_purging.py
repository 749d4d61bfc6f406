"""What a purge deletes and what it leaves, whatever engines, operators and other purges do meanwhile."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection, connections, transaction
from django.db.models.signals import pre_delete
from django.utils import timezone

from tests.app.models import Receipt
from tests.beside import *  # noqa: F403
from tests.build import code, manual, process, run_until_idle
from tests.own import ours
from tests.test_races import at_once
from workflow import operations, operators
from workflow.errors import BadData, NoSuchInstance
from workflow.models import (
    ActionCall,
    InstanceState,
    Intervention,
    ProcessVersion,
    RunningProcesses,
    Signal,
    TaskRun,
    Upload,
    WaitingForApproval,
)
from workflow.models.states import ENDED, FINAL
from workflow.operators import Action
from workflow.purging import Old, Purged

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)
HANGING = (TaskRun, ActionCall, Signal, WaitingForApproval, Intervention)


def purged(older_than: timedelta = DAY, **options: Any) -> Purged:
    return sum(operations.purge(older_than, **options), Purged())


def aged(days: float = 2, **which: Any) -> None:
    """Have those that have ended, have ended so long ago."""
    ended = ours(RunningProcesses).filter(ended_at__isnull=False, **which)
    ended.update(ended_at=timezone.now() - days * DAY)


def left() -> set[str]:
    return set(ours(RunningProcesses).values_list("process_name", flat=True))


def ended(name: str = "P", text: str = "key()", *, days: float = 2) -> RunningProcesses:
    process(name, {"A": code(text)}, (1, "A"))
    instance = operations.start(name)
    run_until_idle()
    aged(days, pk=instance.pk)
    return instance


def family() -> None:
    """Three generations, all of which ended two days ago."""
    process("Grandchild", {"A": code("key()")}, (1, "A"))
    process("Child", {"A": code("run_process('Grandchild')")}, (1, "A"))
    process("Parent", {"A": code("run_all([('Child', {}), ('Child', {})])")}, (1, "A"))
    operations.start("Parent")
    run_until_idle()
    aged()


def failed_family() -> RunningProcesses:
    """A child that failed two days ago, and so its parent."""
    process("Child", {"A": code("fail_first(1)")}, (1, "A"))
    process("Parent", {"A": code("run_process('Child')")}, (1, "A"))
    operations.start("Parent")
    run_until_idle()
    aged()
    return ours(RunningProcesses).get(process_name="Child", state="FAILED")


class TestWhatGoes:
    def test_an_instance_with_all_rows_that_hang_on_it_but_not_its_version(self) -> None:
        tasks = {"Work": code("key()\nlook_up('x')"), "Sign": manual(), "Wait": code("wait_for('go')")}
        process("P", tasks, (1, "Work"), (2, "Sign"), (2, "Wait"))
        instance, other = operations.start_many(["P"], count=2)
        run_until_idle()
        operations.signal("else", instance=instance.pk)
        operations.signal("else", instance=other.pk)
        expected = {model: ours(model).count() // 2 for model in HANGING}
        operators.perform(instance.pk, Action.CANCEL)
        aged()
        assert purged() == Purged(instances=1)
        assert list(ours(RunningProcesses).all()) == [other]
        assert {model: ours(model).count() for model in HANGING} == expected
        assert operations.start("P").version == ours(ProcessVersion).get()

    def test_its_files_too_but_those_of_no_other_instance(self) -> None:
        first, second = ended("P"), ended("Q", days=0)
        uploads = [
            Upload.objects.create(
                file=ContentFile(b"x", name="x.txt"),
                name="x.txt",
                size=1,
                uploaded_at=timezone.now(),
                instance=instance,
            )
            for instance in (first, second)
        ]
        purged()
        assert [one.file.storage.exists(one.file.name) for one in uploads] == [False, True]
        assert ours(Upload).get() == uploads[1]

    def test_only_what_has_ended_that_long_ago(self) -> None:
        for days in (0.9, 1.1, 3):
            ended(f"{days} days", days=days)
        assert purged() == Purged(instances=2)
        assert left() == {"0.9 days"}
        assert purged(timedelta()) == Purged(instances=1)

    def test_what_has_failed_only_where_that_is_named(self) -> None:
        ended("Failed", "fail_first(1)")
        ended("Finished")
        assert purged() == Purged(instances=1)
        assert left() == {"Failed"}
        assert purged(states=["FINISHED", "CANCELLED"]) == Purged()
        assert purged(states=["FAILED"]) == Purged(instances=1)

    def test_never_what_has_not_ended(self) -> None:
        process("P", {"A": manual()}, (1, "A"))
        operations.start_many(["P"], count=3)
        run_until_idle()
        operators.perform(ours(RunningProcesses).first().pk, Action.PAUSE)
        operations.start("P")
        assert purged(timedelta(), states=ENDED) == Purged()
        assert ours(RunningProcesses).count() == 4

    def test_a_dry_run_counts_and_deletes_nothing(self) -> None:
        family()
        assert purged(dry_run=True) == Purged(instances=5)
        assert ours(RunningProcesses).count() == 5
        assert purged() == Purged(instances=5)

    def test_batches_are_transactions_of_their_own(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        operations.start_many(["P"], count=7)
        run_until_idle()
        aged()
        batches = operations.purge(DAY, batch=3)
        assert next(batches) == Purged(instances=3)
        batches.close()  # as who is interrupted does
        assert ours(RunningProcesses).count() == 4
        assert list(operations.purge(DAY, batch=3)) == [Purged(instances=3), Purged(instances=1)]

    def test_what_stays_is_no_obstacle_to_what_comes_after_it(self) -> None:
        process("P", {"A": code("1")}, (1, "A"))
        instances = operations.start_many(["P"], count=6)
        run_until_idle()
        aged()  # all at the same moment
        for instance in instances[:3]:
            Receipt.objects.create(instance=instance)
        assert purged(batch=2) == Purged(instances=3, protected=3)
        assert list(ours(RunningProcesses).order_by("pk")) == instances[:3]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"older_than": -DAY}, r"Nothing has ended -1d ago: give a time span of 0s or more\."),
            ({"older_than": timedelta.max}, r"ago, there was no calendar: give a shorter time span\."),
            (
                {"states": ["DONE"]},
                r"There is no state 'DONE'; instances end as FINISHED, REJECTED, FAILED, CANCELLED\.",
            ),
            ({"states": ["PAUSED"]}, r"An instance that is PAUSED has not ended; instances end as FINISHED, "),
            ({"states": []}, r"No state is given; instances end as FINISHED, "),
            ({"batch": 0}, r"A batch is at least 1 instance, not 0\."),
        ],
    )
    def test_a_mistake_is_told_before_anything_is_deleted(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(BadData, match=message):
            operations.purge(**{"older_than": DAY, **given})


class TestFamilies:
    def test_they_go_together(self) -> None:
        family()
        assert list(operations.purge(DAY, batch=1)) == [Purged(instances=5)]
        assert not ours(TaskRun).exists()

    def test_they_stay_together_while_one_below_is_too_young(self) -> None:
        family()
        aged(0.5, pk=ours(RunningProcesses).filter(process_name="Grandchild").first().pk)
        assert purged(dry_run=True) == Purged()
        assert purged() == Purged()
        assert ours(RunningProcesses).count() == 5

    def test_what_was_started_stays_with_who_goes_on(self) -> None:
        process("Child", {"A": code("1")}, (1, "A"))
        process("Parent", {"A": code("run_process('Child')"), "B": manual()}, (1, "A"), (2, "B"))
        operations.start("Parent")
        run_until_idle()
        aged()
        assert purged() == Purged()
        operations.decide_all("Parent", "B", approved=True)
        run_until_idle()
        assert purged() == Purged()
        aged(process_name="Parent")
        assert purged() == Purged(instances=2)

    def test_a_child_that_failed_goes_with_a_parent_that_made_the_best_of_it(self) -> None:
        process("Child", {"A": code("fail_first(1)")}, (1, "A"))
        process("Parent", {"A": code("try:\n    run_process('Child')\nexcept RuntimeError:\n    1")}, (1, "A"))
        operations.start("Parent")
        run_until_idle()
        aged()
        assert purged() == Purged(instances=2)

    def test_a_child_that_is_retried_alone_keeps_its_parent(self) -> None:
        child = failed_family()
        operators.perform(child.pk, Action.RETRY)
        assert purged(states=ENDED) == Purged()
        run_until_idle()
        child.refresh_from_db()
        assert child.state == InstanceState.FINISHED
        aged()
        assert purged(states=ENDED) == Purged(instances=2)


class Aside:
    """A thread that does something meanwhile."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._outcome: list[Any] = []
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome.append(self._work())
        except NoSuchInstance as error:
            self._outcome.append(error)
        finally:
            connections.close_all()

    def outcome(self) -> Any:
        """What it has returned or raised, once it has ended."""
        self._thread.join(60)
        assert self._outcome, "It waits, or has failed."
        return self._outcome[0]


class TestMeanwhile:
    @pytest.mark.parametrize("which", ["alone", "child"])
    def test_a_retry_that_was_first_wins_and_is_not_waited_for(self, which: str) -> None:
        instance = failed_family() if which == "child" else ended("P", "fail_first(1)")
        with transaction.atomic():
            operators.perform(instance.pk, Action.RETRY)
            purge = Aside(lambda: purged(states=ENDED))
            if connection.vendor != "sqlite":  # which has one writer at a time
                assert purge.outcome() == Purged()
        assert purge.outcome() == Purged()
        instance.refresh_from_db()
        assert instance.state == InstanceState.READY

    @pytest.mark.parametrize("which", ["alone", "child"])
    def test_a_retry_that_was_late_is_told_that_there_is_none(self, which: str) -> None:
        instance = failed_family() if which == "child" else ended("P", "fail_first(1)")
        retries = []

        def retry(**_: Any) -> None:
            if not retries:
                retries.append(Aside(lambda: operators.perform(instance.pk, Action.RETRY)))

        pre_delete.connect(retry, sender=RunningProcesses)
        try:
            assert purged(states=ENDED).instances == (2 if which == "child" else 1)
        finally:
            pre_delete.disconnect(retry, sender=RunningProcesses)
        (late,) = retries
        assert str(late.outcome()).startswith(f"There is no instance {instance.pk} that could go on")

    def test_several_at_once_delete_each_instance_once(self) -> None:
        family()
        process("P", {"A": code("1")}, (1, "A"))
        operations.start_many(["P"], count=35)
        run_until_idle()
        aged()
        done = at_once(lambda _: purged(batch=2), times=3)
        assert sum(done, Purged()) == Purged(instances=40)
        assert not ours(RunningProcesses).exists()


def test_what_is_old_is_found_by_its_index() -> None:
    version = operations.start(process("P", {"A": code("1")}, (1, "A"))).version
    now = timezone.now()
    common: dict[str, Any] = {"version": version, "process_name": "P", "step": 1, "started_at": now}
    RunningProcesses.objects.bulk_create(
        RunningProcesses(**common, state=InstanceState.FINISHED, ended_at=now - number * timedelta(hours=1))
        for number in range(4000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    # Far more is old than a batch takes: for a few rows more than a batch, to sort them all may well be the better plan.
    old = Old(before=now - 10 * DAY, states=FINAL)
    for after in (None, (now - 160 * DAY, 7)):
        plan = old.roots(after)[:200].explain()
        assert "workflow_instance_ended" in plan
        assert "Seq Scan" not in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan

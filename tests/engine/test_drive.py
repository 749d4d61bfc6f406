"""What an engine makes of an instance: real rows, real sandbox, real threads."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from tests.build import code, engine, manual, outline, process, run_until_idle
from workflow import operations, transitions
from workflow.engine import Mode
from workflow.engine.drive import Drive
from workflow.engine.held import Held
from workflow.engine.retry import retry_at
from workflow.models import InstanceState, RunningProcesses, RunState, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


def started(name: str, **data: Any) -> RunningProcesses:
    instance = operations.start(name, data)
    run_until_idle()
    instance.refresh_from_db()
    return instance


def test_code_runs_from_step_to_step() -> None:
    tasks = {"Add": code("data['sum'] = data['a'] + data['b']\ndata['sum']"), "Double": code("results['Add'] * 2")}
    process("Sum", tasks, (10, "Add"), (35, "Double"))
    instance = started("Sum", a=1, b=2)
    assert instance.state == InstanceState.FINISHED
    assert instance.data == {"a": 1, "b": 2, "sum": 3}
    assert instance.results == {"Add": 3, "Double": 6}
    assert instance.due_at is None
    assert instance.ended_at is not None
    assert outline(instance) == [(1, 10, "Add", "FINISHED"), (2, 35, "Double", "FINISHED")]


def test_a_manual_task_queues_and_its_approval_moves_the_instance_on() -> None:
    process("Sign", {"Sign": manual(), "Send": code("results['Sign']['approved']")}, (1, "Sign"), (2, "Send"))
    instance = started("Sign")
    assert instance.state == InstanceState.WAITING
    assert instance.due_at is None
    waiting = WaitingForApproval.objects.get()
    assert (waiting.rpid, waiting.process_name, waiting.task_name) == (instance, "Sign", "Sign")
    assert (waiting.process, waiting.task) == (instance.process, instance.process.tasks.get(name="Sign"))
    operations.approve(waiting)
    instance.refresh_from_db()
    assert instance.state == InstanceState.READY
    run_until_idle()
    instance.refresh_from_db()
    assert instance.state == InstanceState.FINISHED
    assert instance.results["Send"] is True


def test_rows_of_a_step_see_the_data_as_it_was_and_merge_in_row_order() -> None:
    tasks = {
        "One": code("data['x'] = data['x'] + 1\ndata['one'] = data['x']"),
        "Two": code("data['x'] = data['x'] + 10\ndata['two'] = data['x']"),
        "Skipped": code("data['never'] = True"),
    }
    process("Side", tasks, (1, "One"), (1, "Two"), (1, "Skipped", {"condition": "data['x'] > 100"}))
    instance = started("Side", x=0)
    assert instance.data == {"x": 10, "one": 1, "two": 10}
    assert (1, 1, "Skipped", "SKIPPED") in outline(instance)


def test_a_loop_visits_its_step_again_and_each_visit_is_kept() -> None:
    tasks = {"Count": code("data['n'] = data.get('n', 0) + 1\ndata['n']"), "Again": code("None"), "End": code("'end'")}
    process("Loop", tasks, (1, "Count"), (2, "Again", {"condition": "data['n'] < 3", "then": 1}), (3, "End"))
    instance = started("Loop")
    assert instance.data == {"n": 3}
    assert [task for _, _, task, state in outline(instance) if state == "FINISHED"] == [
        "Count", "Again", "Count", "Again", "Count", "End",
    ]  # fmt: skip
    assert instance.visit == len({visit for visit, *_ in outline(instance)}) == 7


def test_code_that_fails_for_good_fails_the_instance_and_says_why() -> None:
    process("Bad", {"Bad": code("print('before')\nx = 1\nx / 0")}, (1, "Bad"))
    instance = started("Bad")
    assert instance.state == InstanceState.FAILED
    run = instance.task_runs.get()
    assert (run.state, run.error["type"], run.error["line"], run.log) == ("FAILED", "ZeroDivisionError", 3, "before\n")
    assert "x / 0" in run.error["traceback"]
    assert instance.error["task"] == "Bad"
    assert instance.error["type"] == "ZeroDivisionError"


def test_on_error_leads_on_with_the_error_in_data() -> None:
    tasks = {"Bad": code("raise ValueError('no stock')"), "Tell": code("data['error']['message']")}
    process("Caught", tasks, (1, "Bad", {"on_error": 9}), (9, "Tell"))
    instance = started("Caught")
    assert instance.state == InstanceState.FINISHED
    assert instance.results == {"Tell": "no stock"}
    assert instance.error is None


def test_more_than_may_be_kept_fails_the_task_so_that_on_error_applies(settings: Any) -> None:
    settings.WORKFLOW = {"MAX_DATA_BYTES": 500}
    process("Big", {"Big": code("data['x'] = 'y' * 600"), "Tell": code("1")}, (1, "Big", {"on_error": 2}), (2, "Tell"))
    instance = started("Big")
    assert instance.state == InstanceState.FINISHED
    assert instance.data["error"]["message"].startswith("The data takes 608 bytes; the limit (MAX_DATA_BYTES) is 500.")
    assert TaskRun.objects.get(task_name="Big").state == RunState.FAILED


@pytest.mark.parametrize("row", [{}, {"on_error": 9}])
def test_that_a_task_has_failed_is_no_error_in_the_log_as_its_instance_may_go_on(
    row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    process("P", {"Bad": code("1 / 0"), "Tell": code("1")}, (1, "Bad", row), (9, "Tell"))
    operations.start("P")
    run_until_idle()
    assert {record.levelname for record in caplog.records if "task Bad is failed" in record.message} == {"WARNING"}


def test_what_people_decided_is_logged_as_a_result_too(caplog: pytest.LogCaptureFixture) -> None:
    process("Sign", {"Sign": manual(), "End": code("1")}, (1, "Sign"), (2, "End"))
    instance = started("Sign")
    operations.approve(WaitingForApproval.objects.get(), comment="nobody else's business")
    caplog.clear()
    with caplog.at_level("INFO", "workflow"):
        run_until_idle()
    (said,) = [record.message for record in caplog.records if "task Sign" in record.message]
    assert said == f"Result of Sign task Sign is {{'approved': True, 'user': None}} (instance {instance.pk})"


def test_a_long_result_is_logged_in_short(caplog: pytest.LogCaptureFixture) -> None:
    process("P", {"A": code("'x' * 30 + 'secret' * 10")}, (1, "A"))
    instance = operations.start("P")
    with caplog.at_level("INFO", "workflow"):
        run_until_idle()
    (said,) = [record.message for record in caplog.records if "task A" in record.message]
    assert said == f"Result of P task A is {'x' * 30}secretsecr… (instance {instance.pk})"


def test_a_retry_waits_for_its_time_and_then_succeeds() -> None:
    text = "if run.attempt < 3:\n    raise ValueError('not yet')\nrun.attempt"
    process("Flaky", {"Flaky": code(text, max_attempts=3, retry_delay=0)}, (1, "Flaky"))
    instance = operations.start("Flaky")
    run_until_idle()
    instance.refresh_from_db()
    run = instance.task_runs.get()
    assert (instance.state, run.attempt, run.result) == ("FINISHED", 3, 3)
    assert run.log.count("failed: ValueError: not yet") == 2


def test_an_instance_that_waits_for_a_retry_holds_no_engine() -> None:
    process("Later", {"Later": code("1/0", max_attempts=2, retry_delay=3600)}, (1, "Later"))
    instance = started("Later")
    assert instance.state == InstanceState.WAITING
    assert instance.due_at is not None
    assert timedelta(minutes=59) < instance.due_at - timezone.now() <= timedelta(hours=1.1)
    later = timezone.now() + timedelta(hours=2)
    engine(clock=lambda: later).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    assert (instance.state, instance.task_runs.get().attempt) == ("FAILED", 2)


def test_retries_double_up_to_a_day() -> None:
    now = timezone.now()

    def delay(attempt: int, jitter: float = 0) -> float:
        return (retry_at(attempt, delay=10, now=now, jitter=jitter) - now).total_seconds()

    assert [delay(1), delay(2), delay(3), delay(100_000)] == [10, 20, 40, 86_400]
    assert delay(1, jitter=1) == 11


def test_a_condition_that_fails_fails_its_row() -> None:
    process("Odd", {"A": code("1")}, (1, "A", {"condition": "data['missing'] > 1"}))
    instance = started("Odd")
    assert instance.state == InstanceState.FAILED
    assert instance.error["type"] == "KeyError"
    assert instance.error["message"].startswith("The condition could not be evaluated")


@pytest.mark.parametrize(
    ("value", "message"),
    [("nobody", "The approver is 'nobody', but no active user or group has that name."), (7, "type int")],
)
def test_an_approver_expression_that_names_nobody_fails_its_row(value: Any, message: str) -> None:
    process("Who", {"Sign": manual("=data['who']")}, (1, "Sign"))
    instance = started("Who", who=value)
    assert instance.state == InstanceState.FAILED
    assert message in instance.error["message"]


def test_an_approver_expression_is_resolved_when_the_task_queues(django_user_model: Any) -> None:
    django_user_model.objects.create_user("anna")
    process("Who", {"Sign": manual("=data['who']")}, (1, "Sign"))
    started("Who", who=["anna"])
    assert WaitingForApproval.objects.get().approver == "anna"


def test_a_broken_instance_does_not_stop_the_others() -> None:
    process("Fine", {"A": code("1")}, (1, "A"))
    broken, fine = operations.start_many(["Fine"], count=2)
    version = broken.version
    version.pk, version.number, version.definition = None, 2, {**version.definition, "tasks": []}
    version.save()
    RunningProcesses.objects.filter(pk=broken.pk).update(version=version)
    run_until_idle()
    broken.refresh_from_db()
    fine.refresh_from_db()
    assert fine.state == InstanceState.FINISHED
    assert broken.state == InstanceState.FAILED
    assert broken.error["message"].startswith("The engine failed: ")


def test_editing_and_deleting_the_draft_changes_nothing_that_runs() -> None:
    draft = process("Frozen", {"Sign": manual(), "Then": code("'old'")}, (1, "Sign"), (2, "Then"))
    instance = started("Frozen")
    draft.tasks.filter(name="Then").update(code="'new'")
    draft.delete()
    operations.approve(WaitingForApproval.objects.get())
    run_until_idle()
    instance.refresh_from_db()
    assert (instance.state, instance.process, instance.results["Then"]) == ("FINISHED", None, "old")


def test_first_one_wins_where_all_rows_end_their_step() -> None:
    tasks = {"Anna": manual(), "Bert": manual(), "Next": code("1")}
    process("Race", tasks, (1, "Anna", {"ends_step": True}), (1, "Bert", {"ends_step": True}), (2, "Next"))
    instance = started("Race")
    operations.approve(WaitingForApproval.objects.get(task_name="Bert"))
    assert not WaitingForApproval.objects.exists()
    run_until_idle()
    assert outline(instance) == [(1, 1, "Anna", "CANCELLED"), (1, 1, "Bert", "FINISHED"), (2, 2, "Next", "FINISHED")]


def test_code_that_ends_the_step_cancels_what_waits() -> None:
    process("Timeout", {"Sign": manual(), "Quick": code("1")}, (1, "Sign"), (1, "Quick", {"ends_step": True}))
    instance = started("Timeout")
    assert instance.state == InstanceState.FINISHED
    assert outline(instance) == [(1, 1, "Sign", "CANCELLED"), (1, 1, "Quick", "FINISHED")]
    assert not WaitingForApproval.objects.exists()


class TestLeases:
    def claimed(self, owner: str = "me") -> tuple[RunningProcesses, transitions.Lease]:
        process("P", {"A": code("1")}, (1, "A"))
        operations.start("P")
        now = timezone.now()
        (instance,) = transitions.claim(owner, now=now, until=now + timedelta(seconds=60), limit=5)
        return instance, transitions.lease_of(instance)

    def test_an_instance_is_claimed_once(self) -> None:
        self.claimed()
        now = timezone.now()
        assert transitions.claim("other", now=now, until=now + timedelta(seconds=60), limit=5) == []

    def test_a_lease_that_ran_out_is_taken_over_and_its_late_outcome_is_discarded(self) -> None:
        instance, late = self.claimed()
        later = timezone.now() + timedelta(seconds=61)
        (taken,) = transitions.claim("other", now=later, until=later + timedelta(seconds=60), limit=5)
        assert taken == instance
        done = transitions.Turn(state=InstanceState.FINISHED, fields={"ended_at": later})
        assert transitions.apply(late, done) is transitions.Applied.LOST
        instance.refresh_from_db()
        assert (instance.state, instance.owner) == ("RUNNING", "other")
        assert transitions.apply(transitions.lease_of(taken), done) is transitions.Applied.DONE

    def test_a_renewed_lease_is_not_taken_over(self) -> None:
        _, lease = self.claimed()
        later = timezone.now() + timedelta(seconds=61)
        assert transitions.renew([lease], until=later + timedelta(seconds=60)) == {lease.instance}
        assert transitions.claim("other", now=later, until=later, limit=5) == []

    def test_an_engine_that_has_not_seen_an_event_is_told(self) -> None:
        instance, lease = self.claimed()
        transitions.wake(instance)
        turn = transitions.Turn(state=InstanceState.WAITING)
        assert transitions.apply(lease, turn) is transitions.Applied.OUTDATED
        found = transitions.refresh(lease)
        assert found is not None
        assert transitions.apply(found[0], turn) is transitions.Applied.DONE

    def test_what_an_engine_left_behind_is_run_again_from_the_last_write(self) -> None:
        process("P", {"A": code("1"), "B": code("2")}, (1, "A"), (2, "B"))
        instance = operations.start("P")
        now = timezone.now()
        (held,) = transitions.claim("dead", now=now, until=now, limit=1)
        run = TaskRun(instance=held, task_name="A", visit=1, row=0, sequence=1, state=RunState.RUNNING, started_at=now)
        entered = transitions.Turn(state=InstanceState.RUNNING, created=[run])
        assert transitions.apply(transitions.lease_of(held), entered) is transitions.Applied.DONE
        run_until_idle()
        instance.refresh_from_db()
        assert instance.state == InstanceState.FINISHED
        assert outline(instance) == [(1, 1, "A", "FINISHED"), (2, 2, "B", "FINISHED")]


def test_a_long_log_keeps_its_beginning_and_is_cut_once(settings: Any) -> None:
    settings.WORKFLOW = {**settings.WORKFLOW, "MAX_LOG_CHARACTERS": 100_000}
    process("P", {"A": code("for i in range(20000):\n    print('line', i)")}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    log = TaskRun.objects.get(instance=instance).log
    assert log.startswith("line 0\nline 1\n")
    assert log.endswith(" more characters were not kept.\n")
    assert "[… cut]" not in log


def test_the_log_of_several_attempts_keeps_its_end(settings: Any) -> None:
    settings.WORKFLOW = {**settings.WORKFLOW, "MAX_LOG_CHARACTERS": 100}
    process("P", {"A": code("print('x' * 90)\n1 / 0", max_attempts=4, retry_delay=0)}, (1, "A"))
    instance = operations.start("P")
    run_until_idle()
    log = TaskRun.objects.get(instance=instance).log
    assert log.startswith("[… cut]\n")
    assert len(log) == len("[… cut]\n") + 100


def test_a_connection_that_was_cut_at_rest_is_no_interrupted_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is interrupted often is given up, and it takes no more than a few restarts of a server to cut all of them."""
    interrupted: list[Held] = []

    def reloaded(_: Drive, held: Held) -> Held:
        interrupted.append(held)
        raise AssertionError("The code had to begin anew.")

    monkeypatch.setattr(Drive, "_reloaded", reloaded)
    process("Cut", {"Book": code("for n in range(3):\n    book_and_cut(f'{n}')")}, (1, "Book"))
    instance = started("Cut")
    assert instance.state == InstanceState.FINISHED
    assert sorted(LogEntry.objects.values_list("object_repr", flat=True)) == ["0", "1", "2"]
    assert not interrupted

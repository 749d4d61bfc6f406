"""Code that waits for people and for signals: in the middle of a loop, across engines, and each answer once."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.build import code, engine, manual, outline, process, run_until_idle
from workflow import operations
from workflow.engine import Mode
from workflow.errors import AlreadyDecided, BadData, NoSuchInstance, NoSuchProcess, NotAllowed
from workflow.models import ActionCall, InstanceState, RunningProcesses, Signal, TaskRun, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)


def started(text: str, **data: Any) -> RunningProcesses:
    process("P", {"A": code(text)}, (1, "A"))
    instance = operations.start("P", data)
    run_until_idle()
    instance.refresh_from_db()
    return instance


def goes_on(instance: RunningProcesses, *, hours: float = 0) -> RunningProcesses:
    later = timezone.now() + timedelta(hours=hours)
    engine(clock=(lambda: later) if hours else timezone.now).run(Mode.UNTIL_IDLE)
    instance.refresh_from_db()
    return instance


class TestApproval:
    ask_three = (
        "answers = []\nfor who in ['anna', 'bert', 'carl']:\n"
        "    answers.append(approval(who, f'May {who} go?'))\n    sleep(hours=1)\n"
        "data['went'] = [a['user'] for a in answers if a['approved']]"
    )

    @pytest.fixture(autouse=True)
    def people(self, django_user_model: Any) -> dict[str, Any]:
        return {name: django_user_model.objects.create_user(name) for name in ("anna", "bert", "carl")}

    def test_three_people_are_asked_in_a_loop_with_sleeps_between(self, people: dict[str, Any]) -> None:
        instance = started(self.ask_three)
        for number, name in enumerate(people):
            waiting = WaitingForApproval.objects.get()
            assert (waiting.approver, waiting.question, waiting.task_name) == (name, f"May {name} go?", "A")
            (operations.reject if name == "bert" else operations.approve)(waiting, by=people[name], comment="so")
            assert goes_on(instance, hours=number).state == InstanceState.WAITING, "it sleeps"
            goes_on(instance, hours=number + 1.5)
        assert instance.state == InstanceState.FINISHED
        assert instance.data["went"] == ["anna", "carl"]
        decision = ActionCall.objects.get(number=3)
        assert decision.result == {"approved": False, "user": "bert", "comment": "so", "data": {}}

    def test_only_who_is_named_may_decide_and_only_once(self, people: dict[str, Any]) -> None:
        started("approval('anna', 'Yes?')")
        waiting = WaitingForApproval.objects.get()
        with pytest.raises(NotAllowed):
            operations.approve(waiting, by=people["bert"])
        operations.approve(waiting, by=people["anna"])
        with pytest.raises(AlreadyDecided):
            operations.approve(waiting, by=people["anna"])

    def test_somebody_who_is_not_there_is_an_error_in_the_code(self) -> None:
        instance = started("try:\n    approval('nobody', 'Yes?')\nexcept ValueError as e:\n    data['error'] = str(e)")
        assert instance.data["error"] == "approval(): no active user or group is named 'nobody'"

    def test_what_ends_the_step_takes_the_question_back(self) -> None:
        process(
            "Q",
            {"Ask": code("approval('anna', 'Yes?')"), "Stop": manual()},
            (1, "Ask"),
            (1, "Stop", {"ends_step": True}),
        )
        instance = operations.start("Q")
        run_until_idle()
        operations.approve(WaitingForApproval.objects.get(task_name="Stop"))
        assert not WaitingForApproval.objects.exists()
        assert goes_on(instance).state == InstanceState.FINISHED
        assert TaskRun.objects.get(task_name="Ask").state == "CANCELLED"


def test_the_row_that_ends_the_step_decides_where_to_go() -> None:
    tasks = {"Quick": code("1"), "Hear": code("wait_for('never')"), "Nap": code("sleep(hours=2)"), "Late": code("2")}
    nap = (10, "Nap", {"ends_step": True, "then": 90, "on_error": 40})
    process("P", tasks, (10, "Quick", {"then": 40}), (10, "Hear"), nap, (40, "Quick"), (90, "Late"))
    instance = operations.start("P")
    run_until_idle()
    assert goes_on(instance, hours=2.5).state == InstanceState.FINISHED
    assert outline(instance) == [
        *((1, 10, "Quick", "FINISHED"), (1, 10, "Hear", "CANCELLED"), (1, 10, "Nap", "FINISHED")),
        (2, 90, "Late", "FINISHED"),
    ]


@pytest.mark.parametrize("approved", ["Stop", "Sign"])
def test_a_decision_that_ends_the_step_decides_where_to_go(approved: str) -> None:
    """As soon as it is decided: what it leaves without effect can't be decided any more."""
    tasks = {"Quick": code("1"), "Sign": manual(), "Stop": manual(), "Late": code("2")}
    stop = (10, "Stop", {"ends_step": True, "then": 90, "on_reject": 40})
    process("P", tasks, (10, "Quick", {"then": 40}), (10, "Sign"), stop, (40, "Quick"), (90, "Late"))
    instance = operations.start("P")
    run_until_idle()
    operations.approve(WaitingForApproval.objects.get(task_name=approved))
    if approved == "Sign":
        operations.approve(WaitingForApproval.objects.get())
    assert not WaitingForApproval.objects.exists()
    goes_on(instance)
    assert [step for _, step, _, _ in outline(instance)] == [10, 10, 10, 90]


class TestSignals:
    def test_one_that_is_waited_for_is_delivered_with_its_payload(self) -> None:
        instance = started("data['got'] = wait_for('paid')")
        assert (instance.state, instance.due_at) == (InstanceState.WAITING, None)
        assert operations.signal("paid", {"amount": 3}) == [instance.pk]
        assert goes_on(instance).data["got"] == {"amount": 3}

    def test_one_that_comes_first_is_kept_and_taken_once(self) -> None:
        assert operations.signal("paid", 1) == []
        first = started("data['got'] = wait_for('paid')")
        assert goes_on(first).data["got"] == 1
        second = operations.start("P")
        run_until_idle()
        assert goes_on(second).state == InstanceState.WAITING
        assert not Signal.objects.exists()

    def test_who_waits_longest_gets_it(self) -> None:
        first = started("data['got'] = wait_for('paid')")
        second = operations.start("P")
        run_until_idle()
        assert operations.signal("paid", "one") == [first.pk]
        assert operations.signal("paid", "two") == [second.pk]
        assert (goes_on(first).data["got"], goes_on(second).data["got"]) == ("one", "two")

    def test_a_transient_one_reaches_all_that_wait_now_and_nobody_later(self) -> None:
        first = started("data['got'] = wait_for('bell')")
        second = operations.start("P")
        run_until_idle()
        assert operations.signal("bell", 1, transient=True) == [first.pk, second.pk]
        assert operations.signal("bell", 2, transient=True) == []
        third = operations.start("P")
        run_until_idle()
        assert goes_on(third).state == InstanceState.WAITING

    def test_it_can_be_meant_for_one_instance_or_one_process(self) -> None:
        first = started("data['got'] = wait_for('paid')")
        second = operations.start("P")
        run_until_idle()
        assert operations.signal("paid", instance=second.pk) == [second.pk]
        process("Q", {"A": code("1")}, (1, "A"))
        assert operations.signal("paid", process="Q") == [], "it is kept for an instance of Q"
        assert goes_on(first).state == InstanceState.WAITING
        assert operations.signal("paid", process="P") == [first.pk]

    def test_a_time_out_gives_none(self) -> None:
        instance = started("data['got'] = wait_for('paid', timeout=3600)")
        assert goes_on(instance, hours=0.5).state == InstanceState.WAITING
        assert goes_on(instance, hours=1.5).data["got"] is None
        assert operations.signal("paid") == [], "who has timed out waits no more"

    def test_a_name_that_no_database_keeps_is_refused(self) -> None:
        with pytest.raises(BadData, match="The name of the signal holds a NUL character"):
            operations.signal("a\x00b")

    def test_a_signal_for_nobody_says_so(self) -> None:
        with pytest.raises(NoSuchInstance, match="There is no instance 4711 that could go on"):
            operations.signal("paid", instance=4711)
        with pytest.raises(NoSuchProcess):
            operations.signal("paid", process="nothing")
        with pytest.raises(BadData, match="payload is of type set"):
            operations.signal("paid", {1, 2})
        with pytest.raises(BadData, match="A signal's name is text"):
            operations.signal(" ")

    @pytest.mark.slow
    def test_who_sends_and_who_begins_to_wait_do_not_miss_each_other(self) -> None:
        from tests.test_races import at_once

        process("P", {"A": code("wait_for(run.process + str(run.id % 2))")}, (1, "A"))
        instances = operations.start_many(["P"], count=12)

        def send_or_run(number: int) -> None:
            if number < 4:
                run_until_idle()
                return
            for one in instances[number - 4 :: 4]:
                operations.signal(f"P{one.pk % 2}", one.pk)

        at_once(send_or_run)
        run_until_idle()
        assert set(RunningProcesses.objects.values_list("state", flat=True)) == {"FINISHED"}
        got = sorted(run.result for run in TaskRun.objects.all())
        assert got == sorted(one.pk for one in instances), "each signal was delivered once"

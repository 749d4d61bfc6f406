"""Deadlines of manual tasks: due dates, reminders, escalation, decisions by default; each thing once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tests.build import code, form, manual, process
from tests.own import ours
from tests.people.conftest import People
from workflow import clock, operations, operators
from workflow.errors import AlreadyDecided
from workflow.models import (
    BusinessCalendar,
    Decision,
    InstanceState,
    Intervention,
    Notice,
    RunState,
    TaskRun,
    WaitingForApproval,
)
from workflow.operators import Action
from workflow.testing import Workflow

FRIDAY = datetime(2026, 1, 2, 15, tzinfo=UTC)
ALL = {"due": "1d", "remind": "-4h, 0, 1d", "escalate_to": "managers", "escalate_after": "2d"}


@pytest.fixture
def workflow(people: People) -> Iterator[Workflow]:
    with Workflow(at=FRIDAY) as workflow:
        yield workflow


def sign(approver: str = "anna, bert", **fields: Any) -> None:
    tasks = {"Sign": manual(approver, **fields), "End": code("data['signed'] = results['Sign']")}
    process("P", tasks, (1, "Sign"), (2, "End"))


def office(**fields: Any) -> BusinessCalendar:
    given = {"name": "Office", "time_zone": "UTC", "hours": "Mon-Fri 09:00-17:00", "is_default": True, **fields}
    return BusinessCalendar.objects.create(**given)


def told() -> list[tuple[str, str]]:
    """What the history says was done, in order."""
    return list(ours(Intervention).order_by("pk").values_list("action", "details"))


def notices() -> list[str]:
    return list(ours(Notice).order_by("pk").values_list("kind", flat=True))


def only_time_passes(*, days: int) -> None:
    """Let time pass while no engine runs."""
    clock.move(to=clock.now() + timedelta(days=days))


class TestDue:
    def test_in_working_time_of_the_default_calendar(self, workflow: Workflow) -> None:
        office(days_off="2026-01-06 Epiphany")
        sign(due="12h")
        workflow.start("P")
        waiting = workflow.waiting("P", "Sign")
        assert waiting.due_at == datetime(2026, 1, 7, 11, tzinfo=UTC)
        assert waiting.due_why == (
            "12h of working time from Fri 2 Jan 2026 15:00, by the calendar 'Office' (UTC): Wed 7 Jan 2026 11:00. "
            "Counted: Fri 2 Jan 2h, Mon 5 Jan 8h, Wed 7 Jan 2h. Off: Tue 6 Jan (Epiphany)."
        )

    def test_by_the_calendar_that_the_task_names(self, workflow: Workflow) -> None:
        office()
        night = office(name="Night", hours="Mon-Sun 20:00-24:00", is_default=False)
        sign(due="2h", calendar=night)
        workflow.start("P")
        assert workflow.waiting("P", "Sign").due_at == FRIDAY.replace(hour=22)

    def test_all_time_counts_where_there_is_no_calendar(self, workflow: Workflow) -> None:
        sign(due="2d 3h")
        workflow.start("P")
        assert workflow.waiting("P", "Sign").due_at == FRIDAY + timedelta(days=2, hours=3)

    def test_who_asks_is_told_by_their_own_clock_and_who_was_quicker_too(
        self, workflow: Workflow, people: People
    ) -> None:
        sign(due="2h")
        workflow.start("P")
        waiting = workflow.waiting("P", "Sign")
        operations.approve(waiting, by=people.anna)
        for zone, hours in (("Asia/Tokyo", 9), ("UTC", 0)):
            with timezone.override(ZoneInfo(zone)):
                due = waiting.due_at + timedelta(hours=hours)
                assert f" {due:%H:%M} ({zone}). There is no calendar" in operations.why_due(waiting)
                with pytest.raises(AlreadyDecided, match=f" at {due - timedelta(hours=2):%Y-%m-%d %H:%M}. Nothing"):
                    operations.approve(waiting, by=people.bert)

    def test_a_calendar_that_is_gone_or_wrong_keeps_no_task_from_waiting(self, workflow: Workflow) -> None:
        calendar = office()
        sign(due="2h", calendar=calendar)
        instance = workflow.start("P")
        ours(BusinessCalendar).update(name="Other", hours="never")
        operators.perform(instance.pk, Action.GOTO, to=1)
        workflow.run()
        waiting = workflow.waiting("P", "Sign")
        assert waiting.due_at == FRIDAY + timedelta(hours=2)
        assert waiting.due_why.startswith(
            "There is no calendar 'Office' any more. The calendar 'Other' is not right: 'never' is neither days nor hours"
        )

    def test_nothing_is_due_without_it(self, workflow: Workflow) -> None:
        sign()
        instance = workflow.start("P")
        waiting = workflow.waiting("P", "Sign")
        assert (waiting.due_at, waiting.schedule, instance.due_at) == (None, [], None)

    def test_of_what_code_asks(self, workflow: Workflow, people: People) -> None:
        office()
        process("P", {"Ask": code("data['got'] = approval('anna', 'Well?', due='4h')['approved']")}, (1, "Ask"))
        instance = workflow.start("P")
        assert workflow.waiting("P", "Ask").due_at == datetime(2026, 1, 5, 11, tzinfo=UTC)
        workflow.advance(days=9)
        workflow.approve("P", "Ask", by=people.anna)
        assert instance.data == {"got": True}

    @pytest.mark.parametrize(
        ("due", "why"),
        [
            ("1w", "approval(): '1w' has weeks; write working days, such as 5d for a week from Monday to Friday."),
            ("0", "approval(): due must be more than 0, not 0"),
            (2, 'approval(): due must be working time as text, such as "2d", not int'),
        ],
    )
    def test_of_what_code_asks_wrongly(self, workflow: Workflow, people: People, due: Any, why: str) -> None:
        asks = "try:\n    approval('anna', 'Well?', due=data['due'])\nexcept Exception as e:\n    data['e'] = str(e)"
        process("P", {"Ask": code(asks)}, (1, "Ask"))
        assert workflow.start("P", {"due": due}).data["e"] == why

    def test_it_is_overdue_afterwards(self, workflow: Workflow) -> None:
        sign(due="1d")
        instance = workflow.start("P")
        assert instance.due_at is None, "nothing happens then"
        overdue = ours(WaitingForApproval).overdue
        assert not overdue(FRIDAY + timedelta(hours=23)).exists()
        assert overdue(FRIDAY + timedelta(days=1)).exists()

    def test_who_takes_it_on_has_no_more_time(self, workflow: Workflow, people: People) -> None:
        sign(**ALL)
        workflow.start("P")
        due = workflow.waiting("P", "Sign").due_at
        workflow.advance(hours=1)
        operations.claim(workflow.waiting("P", "Sign"), people.anna)
        operations.delegate(workflow.waiting("P", "Sign"), people.emil, by=people.anna)
        operations.resolve_again(workflow.waiting("P", "Sign"), people.operator)
        assert workflow.waiting("P", "Sign").due_at == due


class TestKept:
    def test_each_at_its_time_and_once(self, workflow: Workflow, people: People) -> None:
        sign(**ALL, by_default="reject", by_default_after="3d")
        instance = workflow.start("P")
        seen = []
        for _ in range(6 * 24):
            workflow.advance(hours=1)
            seen.append(len(told()))
        assert told() == [
            ("remind", "'Sign'"),
            ("remind", "'Sign'"),
            ("remind", "'Sign'"),
            ("escalate", "'Sign' to managers"),
            ("decide by default", "'Sign': reject"),
        ]
        at = ours(Intervention).order_by("pk").values_list("at", flat=True)
        assert [(one - FRIDAY) / timedelta(hours=1) for one in at] == [20, 24, 48, 72, 96]
        assert notices() == ["WAITS", "REMINDER", "REMINDER", "REMINDER", "ESCALATED", *["DECIDED"] * 4]
        assert instance.state == InstanceState.REJECTED

    def test_late_but_once_where_no_engine_ran(self, workflow: Workflow) -> None:
        sign(**ALL)
        workflow.start("P")
        only_time_passes(days=10)
        workflow.run()
        assert told() == [("remind", "'Sign'"), ("escalate", "'Sign' to managers")]
        assert workflow.waiting("P", "Sign").schedule == []
        workflow.advance(days=10)
        assert len(told()) == 2

    def test_nothing_comes_before_it_has_been_queued(self, workflow: Workflow) -> None:
        sign(due="1h", remind="-4h, -30m")
        workflow.start("P")
        workflow.advance(days=1)
        assert told() == [("remind", "'Sign'")]

    def test_nothing_after_it_was_decided(self, workflow: Workflow, people: People) -> None:
        sign(**ALL)
        instance = workflow.start("P")
        workflow.advance(hours=20)
        workflow.approve("P", "Sign", by=people.anna)
        workflow.advance(days=10)
        assert told() == [("remind", "'Sign'")]
        assert instance.state == InstanceState.FINISHED
        assert ours(TaskRun).filter(due_at__isnull=False).count() == 0

    def test_nothing_while_paused_and_what_was_missed_when_resumed(self, workflow: Workflow, people: People) -> None:
        sign(**ALL)
        instance = workflow.start("P")
        operators.perform(instance.pk, Action.PAUSE)
        workflow.advance(days=10)
        assert [action for action, _ in told()] == ["pause"]
        operators.perform(instance.pk, Action.RESUME)
        workflow.run()
        assert [action for action, _ in told()] == ["pause", "resume", "remind", "escalate"]

    def test_begun_again_by_an_operator_it_has_all_of_its_time_again(self, workflow: Workflow) -> None:
        tasks = {"Sign": manual(due="1d", remind="0"), "Fail": code("1 / 0")}
        process("P", tasks, (1, "Sign"), (1, "Fail"))
        instance = workflow.start("P")
        workflow.advance(days=3)
        assert (instance.state, told()) == (InstanceState.FAILED, [])
        operators.perform(instance.pk, Action.SKIP)
        workflow.run()
        assert workflow.waiting("P", "Sign").due_at == FRIDAY + timedelta(days=4)
        workflow.advance(days=1)
        assert told()[-1] == ("remind", "'Sign'")

    def test_beside_others_of_its_step(self, workflow: Workflow, people: People) -> None:
        tasks = {
            "Sign": manual(due="2h", remind="0"),
            "Stamp": manual(due="1h", remind="0, 2h"),
            "Work": code("sleep(hours=1)\ndata['n'] = 1\nsleep(hours=1)"),
        }
        process("P", tasks, (1, "Sign"), (1, "Stamp"), (1, "Work"))
        instance = workflow.start("P")
        workflow.advance(hours=5)
        assert told() == [("remind", "'Stamp'"), ("remind", "'Sign'"), ("remind", "'Stamp'")]
        workflow.approve("P", "Sign")
        workflow.approve("P", "Stamp")
        assert (instance.state, instance.data) == (InstanceState.FINISHED, {"n": 1})


class TestEscalation:
    def test_others_are_asked_as_well_and_who_claimed_it_holds_it_no_more(
        self, workflow: Workflow, people: People
    ) -> None:
        sign(due="1d", escalate_to="=['managers', 'emil', 'nobody']")
        workflow.start("P")
        operations.claim(workflow.waiting("P", "Sign"), people.bert)
        workflow.advance(days=1)
        waiting = workflow.waiting("P", "Sign")
        assert told()[-1] == ("escalate", "'Sign' to managers, emil")
        assert waiting.claimed_by is None
        for user in (people.anna, people.bert, people.carl, people.emil):
            assert list(operations.inbox(user)) == [waiting]
        workflow.approve("P", "Sign", by=people.dora)

    def test_to_whom_an_expression_names(self, workflow: Workflow, people: People) -> None:
        sign(due="1d", escalate_to='=data["boss"]', escalate_after="1h")
        workflow.start("P", {"boss": "emil"})
        workflow.advance(days=1)
        assert not operations.inbox(people.emil).exists()
        workflow.advance(hours=1)
        assert operations.inbox(people.emil).exists()

    @pytest.mark.parametrize(
        ("expression", "why"),
        [
            ('data["boss"]', "The one to escalate to could not be evaluated"),
            ("7", "The one to escalate to =7 is not right"),
        ],
    )
    def test_an_expression_that_names_nobody_is_told_at_once(
        self, workflow: Workflow, expression: str, why: str
    ) -> None:
        sign(due="1d", escalate_to=f"={expression}")
        instance = workflow.start("P")
        assert instance.state == InstanceState.FAILED
        assert instance.error["message"].startswith(why)

    def test_it_stays_where_it_is_asked_again(self, workflow: Workflow, people: People) -> None:
        sign(due="1d", escalate_to="emil, anna")
        workflow.start("P")
        workflow.advance(days=1)
        operations.resolve_again(workflow.waiting("P", "Sign"), people.operator)
        assert operations.inbox(people.emil).exists()
        assert operations.inbox(people.anna).exists()

    def test_what_bars_somebody_bars_them_still(self, workflow: Workflow, people: People) -> None:
        sign(due="1d", escalate_to="emil", not_starter=True)
        workflow.start("P", user=people.emil)
        workflow.advance(days=1)
        assert not operations.inbox(people.emil).exists()


class TestByDefault:
    @pytest.mark.parametrize(
        ("decision", "state", "run"),
        [("approve", InstanceState.FINISHED, RunState.FINISHED), ("reject", InstanceState.REJECTED, RunState.REJECTED)],
    )
    @pytest.mark.demo
    def test_nobody_decides_it_and_it_is_said_so(
        self, workflow: Workflow, people: People, decision: str, state: InstanceState, run: RunState
    ) -> None:
        office()
        sign(due="1d", by_default=decision, by_default_after="2h")
        instance = workflow.start("P")
        waiting = workflow.waiting("P", "Sign")
        workflow.advance(days=7)
        why = (
            "Nobody had decided in time. 2h of working time from Mon 5 Jan 2026 15:00, by the calendar 'Office' (UTC): Mon 5 Jan 2026 17:00. "
            "Counted: Mon 5 Jan 2h."
        )
        vote, signed = ours(Decision).get(), ours(TaskRun).get(task_name="Sign")
        assert (vote.user, vote.by_default, vote.comment) == (None, True, why)
        assert vote.origin == {"via": "default"}
        assert (signed.state, signed.decided_by, signed.comment) == (run, None, why)
        assert signed.ended_at == datetime(2026, 1, 5, 17, tzinfo=UTC)
        assert instance.state == state
        assert signed.result == {"approved": decision == "approve", "user": None, "comment": why, "by_default": True}
        did = "approved" if decision == "approve" else "rejected"
        with pytest.raises(AlreadyDecided) as error:
            operations.approve(waiting, by=people.anna)
        assert str(error.value) == (
            f"Nobody had decided 'Sign' of instance {instance.pk} in time, so it was {did} by default at "
            "2026-01-05 17:00. Nothing was changed."
        )

    def test_whatever_the_quorum_and_with_the_answers_that_were_given(self, workflow: Workflow, people: People) -> None:
        sign(quorum=2, due="1d", by_default="approve")
        made = operations.processes_named(["P"])[0]
        form(made, "Sign", centre={"kind": "text", "required": True})
        instance = workflow.start("P")
        workflow.approve("P", "Sign", by=people.anna, answers={"centre": "47"})
        workflow.advance(days=1)
        assert instance.state == InstanceState.FINISHED
        assert instance.data["centre"] == "47"
        votes = instance.data["signed"]["votes"]
        assert [(one["user"], one.get("by_default", False)) for one in votes] == [("anna", False), (None, True)]

    def test_the_attempt_that_nobody_decided(self, workflow: Workflow) -> None:
        sign(due="1d", by_default="approve")
        workflow.start("P")
        ours(TaskRun).update(attempt=2)
        workflow.advance(days=1)
        assert ours(Decision).get().attempt == 2

    def test_what_it_ends_beside_it_is_not_reminded_of(self, workflow: Workflow) -> None:
        tasks = {"Sign": manual(due="1d", by_default="reject"), "Stamp": manual(due="1d", remind="0")}
        process("P", tasks, (1, "Sign"), (1, "Stamp"))
        instance = workflow.start("P")
        workflow.advance(days=2)
        assert instance.state == InstanceState.REJECTED
        assert [action for action, _ in told()] == ["decide by default"]
        assert not ours(WaitingForApproval).exists()

    def test_after_it_the_instance_goes_where_the_row_says(self, workflow: Workflow) -> None:
        tasks = {"Sign": manual(due="1d", by_default="reject"), "No": code("data['no'] = True")}
        process("P", tasks, (1, "Sign", {"on_reject": 2}), (2, "No"))
        instance = workflow.start("P")
        workflow.advance(days=1)
        assert (instance.state, instance.data) == (InstanceState.FINISHED, {"no": True})

    def test_what_would_come_after_its_time_out_never_does(self, workflow: Workflow) -> None:
        sign(due="1d", remind="0, 2d", by_default="approve", by_default_after="3d", timeout=timedelta(days=2))
        instance = workflow.start("P")
        assert [one["kind"] for one in workflow.waiting("P", "Sign").schedule] == ["remind"]
        workflow.advance(days=9)
        assert (instance.state, instance.error["type"]) == (InstanceState.FAILED, "TimedOut")
        assert told() == [("remind", "'Sign'")]

    def test_late_it_comes_before_a_time_out_that_came_after_it(self, workflow: Workflow) -> None:
        sign(due="1d", by_default="approve", timeout=timedelta(days=2))
        instance = workflow.start("P")
        only_time_passes(days=9)
        workflow.run()
        assert instance.state == InstanceState.FINISHED

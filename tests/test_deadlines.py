"""The schedule of a manual task: what is to come, in order; and what of it is due."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.deadlines import Event, Kind, faults, schedule, take_due
from workflow.definition import Field, TaskDefinition
from workflow.worktime import Calendar, week

MONDAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
OFFICE = Calendar(name="Office", zone=UTC, week=week("Mon-Fri 09:00-17:00"))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def task(**fields: Any) -> TaskDefinition:
    return TaskDefinition(name="Sign", manual=True, **{"due": "1d", **fields})


def of(given: TaskDefinition, **options: Any) -> list[tuple[str, float]]:
    """What is to come, each with the hours from when it was queued."""
    found = schedule(given, MONDAY, OFFICE, **options)
    return [(event.kind.value, (event.at - MONDAY) / HOUR) for event in found.events]


class TestSchedule:
    def test_all_of_it_in_order(self) -> None:
        given = task(remind="1d, -2h, 0", escalate_after="1h", by_default="reject", by_default_after="2d")
        found = schedule(given, MONDAY, OFFICE, escalate_to=["boss"])
        assert found.due_at == MONDAY + DAY
        assert found.why.startswith("1 working day from Mon 5 Jan 2026 10:00, by the calendar 'Office'")
        assert of(given, escalate_to=["boss"]) == [
            ("remind", 6),
            ("remind", 24),
            ("escalate", 25),
            ("remind", 48),
            ("decide", 72),
        ]
        assert found.events[2].to == ("boss",)
        assert found.events[4].decision == "reject"

    def test_what_is_left_blank_happens_as_soon_as_it_is_due(self) -> None:
        given = task(remind="0", by_default="approve")
        assert of(given, escalate_to=["boss"]) == [("remind", 24), ("escalate", 24), ("decide", 24)]

    def test_without_anything_to_come(self) -> None:
        assert of(task()) == []

    def test_nothing_before_it_was_queued_nor_after_it_is_decided_or_fails(self) -> None:
        given = task(remind="-3d, 0, 3d", by_default="reject", by_default_after="2d")
        assert of(given) == [("remind", 24), ("decide", 72)]
        assert of(given, until=MONDAY + 2 * DAY) == [("remind", 24)]

    def test_a_calendar_without_enough_working_time_does_no_harm(self) -> None:
        never = Calendar(name="Never", zone=UTC, week=OFFICE.week, why_off=lambda _: "closed")
        found = schedule(task(remind="0"), MONDAY, never)
        assert found.due_at == MONDAY + DAY
        assert found.why.startswith(
            "The calendar 'Never' has not that much working time within 10 years of 2026. So all"
        )


EVENTS = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from(Kind),
        at=st.integers(0, 9).map(lambda hours: MONDAY + hours * HOUR),
        why=st.text(max_size=3),
        to=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        decision=st.sampled_from(("", "approve", "reject")),
    ),
    max_size=6,
).map(lambda events: sorted(events, key=lambda event: event.at))


def happens(*hours_and_kinds: tuple[int, Kind]) -> list[Event]:
    return [Event(kind=kind, at=MONDAY + hours * HOUR) for hours, kind in hours_and_kinds]


class TestDue:
    def test_each_when_it_is_due(self) -> None:
        events = happens((1, Kind.REMIND), (2, Kind.ESCALATE), (3, Kind.DECIDE))
        assert take_due(events, MONDAY) == ([], events)
        assert take_due(events, MONDAY + HOUR) == (events[:1], events[1:])

    def test_of_reminders_that_were_missed_the_last_is_left(self) -> None:
        events = happens((1, Kind.REMIND), (2, Kind.ESCALATE), (3, Kind.REMIND), (9, Kind.REMIND))
        assert take_due(events, MONDAY + 4 * HOUR) == (events[1:3], events[3:])

    def test_where_it_is_decided_nothing_else_happens(self) -> None:
        events = happens((1, Kind.REMIND), (2, Kind.ESCALATE), (3, Kind.DECIDE))
        assert take_due(events, MONDAY + 4 * HOUR) == (events[2:], [])

    @given(EVENTS, st.lists(st.integers(-1, 10), max_size=5).map(sorted))
    def test_nothing_happens_twice_or_too_early(self, events: list[Event], looks: list[int]) -> None:
        happened: list[Event] = []
        for hours in looks:
            now = MONDAY + hours * HOUR
            due, events = take_due(events, now)
            assert all(event.at <= now for event in due)
            assert all(event.at > now for event in events)
            happened += due
        assert len({id(event) for event in happened}) == len(happened)

    @given(EVENTS)
    def test_json_gives_back_equal_events(self, events: list[Event]) -> None:
        assert [Event.from_json(json.loads(json.dumps(event.to_json()))) for event in events] == events


class TestFaults:
    @pytest.mark.parametrize(
        ("fields", "field", "message"),
        [
            ({"due": "soon"}, "due", "Due after: 'soon' is no time span: write one such as 3d, 1d 12h or 90m."),
            ({"due": "0"}, "due", "Due after: 0h is too early. Give more than 0."),
            ({"due": "-1d"}, "due", "Due after: -1d is too early. Give more than 0."),
            ({"remind": "0, x"}, "remind", "Remind: 'x' is no time span: write one such as 3d, 1d 12h or 90m."),
            (
                {"escalate_to": "boss", "escalate_after": "-1d"},
                "escalate_after",
                "Escalate after: -1d is too early. Give 0 or more.",
            ),
            (
                {"escalate_after": "1d"},
                "escalate_after",
                "It is said when it is escalated, but not to whom. Name users or groups, or clear this.",
            ),
            (
                {"by_default_after": "1d"},
                "by_default_after",
                "It is said when it is decided by default, but not what. Choose that, or clear this.",
            ),
            ({"by_default": "maybe"}, "by_default", "'maybe' can't be decided. Choose approve or reject, or clear it."),
            (
                {"due": "", "by_default": "approve"},
                "by_default",
                "This counts from when the task is due, and it never is. Say after which time, such as 2d, or clear it.",
            ),
        ],
    )
    def test_errors(self, fields: dict[str, str], field: str, message: str) -> None:
        assert [(one.field, one.message, one.level) for one in faults(task(**fields))] == [(field, message, "error")]

    def test_warnings(self) -> None:
        form = (Field(name="centre", required=True), Field(name="note"))
        (found,) = faults(task(by_default="approve", fields=form))
        assert (found.level, found.field) == ("warning", "by_default")
        assert found.message == ("Approved by default, it leaves 'centre' out of the data, which its form needs.")
        assert not list(faults(task(by_default="reject", fields=form)))
        (found,) = faults(task(due="", calendar="Office"))
        assert (found.level, found.field) == ("warning", "calendar")
        assert found.message == (
            "The task is never due, so no calendar counts for it. Say after which time it is due, or clear it."
        )

    def test_what_makes_sense(self) -> None:
        given = task(remind="-4h, 0, 1d", escalate_to="boss", escalate_after="1d", by_default="reject")
        assert not list(faults(given))
        assert not list(faults(task(due="")))

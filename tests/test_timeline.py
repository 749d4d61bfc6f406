"""The time line of an instance: what stands in it, in which order, and that a long one costs no more than a short one."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.beside import *  # noqa: F403
from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.users import User
from workflow import operations, operators, timeline
from workflow.models import ActionCall, Intervention, RunningProcesses, TaskRun
from workflow.timeline import NoteEntry, Place, RunEntry

pytestmark = pytest.mark.django_db(transaction=True)


def told(instance: RunningProcesses) -> list[str]:
    """The first page in words."""
    return [words(entry) for entry in timeline.read(instance).entries]


def words(entry: Any) -> str:
    match entry:
        case NoteEntry(is_signal=True):
            return f"signal {entry.action}"
        case NoteEntry():
            return f"{entry.made.user} {entry.action} {entry.details} {entry.reason}".strip()
        case RunEntry():
            calls = [call.text for call in entry.calls]
            votes = [f"{vote.user}: {vote.comment}" for vote in entry.votes]
            return " | ".join([f"{entry.run.task_name} {entry.run.state}", *calls, *votes])
    raise AssertionError(entry)


@pytest.mark.usefixtures("effects")
def test_tasks_calls_decisions_and_what_was_done_beside_them_newest_first() -> None:
    mark, root = User.objects.create_user("mark"), User.objects.create_superuser("root")
    tasks = {"Note": code("say('a')\nsay(text='b')"), "Sign": manual("mark"), "Wait": code("wait_for('paid')")}
    process("P", tasks, (1, "Note"), (2, "Sign"), (3, "Wait"))
    waiting = waits("P")
    operations.claim(waiting, mark)
    operations.approve(waiting, by=mark, comment="fine")
    run_until_idle()
    operations.signal("refund", instance=waiting.rpid_id)
    operators.perform(waiting.rpid_id, operators.Action.PAUSE, by=root, reason="a question")
    assert told(waiting.rpid) == [
        "root pause  a question",
        "signal refund",
        'Wait SUSPENDED | wait_for("paid")',
        "mark claim 'Sign'",
        "Sign FINISHED | mark: fine",
        'Note FINISHED | say("a") | say(text="b")',
    ]
    line = timeline.read(waiting.rpid)
    assert line.listening == ["paid"]
    assert [entry.duration is None for entry in line.entries if isinstance(entry, RunEntry)] == [True, False, False]
    assert [run.task_name for run in sorted(line.newest, key=lambda run: run.row)] == ["Note", "Sign", "Wait"]


def test_what_it_has_started_stands_at_its_call_and_what_runs_still_comes_first() -> None:
    process("Inner", {"Look": manual()}, (1, "Look"))
    process("Outer", {"A": code("run_all([('Inner', {}), ('Inner', {})])")}, (1, "A"))
    outer = operations.start("Outer")
    run_until_idle()
    first, second = ours(RunningProcesses).filter(process_name="Inner").order_by("pk")
    operations.approve(second.waiting.get())
    run_until_idle()
    line = timeline.read(outer)
    (entry,) = line.entries
    assert isinstance(entry, RunEntry)
    assert [list(call.children) for call in entry.calls] == [[first, second]]
    assert line.children == [first, second]
    assert not line.has_more_children


def long_history(visits: int = 60) -> RunningProcesses:
    """Ended step after step, an hour each; the newest with a thousand calls; something noted in the middle of each."""
    process("P", {"A": code("1")}, (1, "A"))
    instance, now = operations.start("P"), timezone.now()
    hour = timedelta(hours=1)
    runs = TaskRun.objects.bulk_create(
        TaskRun(
            instance=instance,
            visit=visit,
            row=0,
            task_name=f"A{visit}",
            sequence=1,
            state="FINISHED",
            started_at=now + visit * hour,
            ended_at=now + (visit + 1) * hour,
        )
        for visit in range(1, visits + 1)
    )
    ActionCall.objects.bulk_create(
        ActionCall(
            run=runs[-1], number=number, name="double", arguments={"args": [number], "kwargs": {}}, started_at=now
        )
        for number in range(1, 1001)
    )
    Intervention.objects.bulk_create(
        Intervention(instance=instance, action="noted", details=str(visit), at=now + (visit + 0.5) * hour)
        for visit in range(1, visits + 1)
    )
    return instance


def test_a_long_one_is_read_page_by_page_and_nothing_is_lost_or_told_twice() -> None:
    instance = long_history()
    after, pages = None, []
    while True:
        page = timeline.read(instance, after=after)
        pages.append([words(entry) for entry in page.entries])
        if page.earlier is None:
            break
        after = Place.read(str(page.earlier))
    assert [len(page) for page in pages] == [50, 50, 20]
    numbers = [int(entry.split()[0][1:]) for page in pages for entry in page if entry.startswith("A")]
    assert numbers == list(range(60, 0, -1))
    notes = [int(entry.split()[-1]) for page in pages for entry in page if entry.startswith("None noted")]
    assert notes == numbers
    assert pages[1][:2] == ["None noted 35", "A35 FINISHED"]


def test_of_very_many_calls_the_newest_stand_there_in_their_order() -> None:
    newest = next(entry for entry in timeline.read(long_history(2)).entries if isinstance(entry, RunEntry))
    assert [call.text for call in newest.calls] == [f"double({number})" for number in range(991, 1001)]
    assert newest.has_earlier_calls


def test_very_long_arguments_are_not_shown() -> None:
    instance = long_history(1)
    ours(ActionCall).filter(number=1000).update(arguments={"args": ["x" * 100_000], "kwargs": {}})
    ours(ActionCall).filter(number=999).update(arguments={"$date": "x"})
    (entry,) = (entry for entry in timeline.read(instance).entries if isinstance(entry, RunEntry))
    assert [call.text for call in entry.calls][-3:] == ["double(998)", "double(…)", "double(…)"]


@pytest.mark.parametrize("visits", [1, 60])
def test_it_takes_as_many_queries_whatever_its_length(visits: int, django_assert_max_num_queries: Any) -> None:
    instance = long_history(visits)
    with django_assert_max_num_queries(5):
        line = timeline.read(instance)
    with django_assert_max_num_queries(5):
        timeline.read(instance, after=line.earlier)


@pytest.mark.parametrize("text", ["", "1", "1.", "a.b", "1.2.3", "-1.0", "9" * 30 + ".0", "²." + "1"])
def test_what_is_no_place_is_none(text: str) -> None:
    assert Place.read(text) is None

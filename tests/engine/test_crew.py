"""The threads that work for the engine."""

import time
from concurrent.futures import Future, wait
from threading import Barrier, Event, current_thread

import pytest
from django.db import connection

from workflow.engine import crew
from workflow.engine.crew import Crew


def test_as_many_work_at_once_as_there_may_be_and_the_rest_comes_after_them() -> None:
    with Crew(3, "test") as few:
        begun, go_on = Barrier(4), Event()

        def work(number: int) -> int:
            if number < 3:
                begun.wait(10)
                go_on.wait(10)
            return number

        results = [few.submit(work, number) for number in range(10)]
        begun.wait(10)
        assert not any(result.done() for result in results)
        go_on.set()
        assert [result.result(10) for result in results] == list(range(10))


def test_who_came_to_rest_last_is_called_first() -> None:
    with Crew(8, "test") as many:
        both = Barrier(2)
        wait([many.submit(both.wait, 10), many.submit(both.wait, 10)], 10)
        time.sleep(0.05)
        names = {many.submit(current_thread).result(10) for _ in range(20) if time.sleep(0.002) is None}
    assert len(names) == 1


def test_another_comes_in_the_stead_of_one_that_waits() -> None:
    with Crew(1, "test") as one:
        go_on = Event()

        def work() -> bool:
            with crew.another_may_come():
                return go_on.wait(10)

        waits = one.submit(work)
        assert one.submit(go_on.set).result(10) is None
        assert waits.result(10)


def test_an_error_is_told_to_who_asks() -> None:
    with Crew(1, "test") as one:
        failed: Future[float] = one.submit(lambda: 1 / 0)
        assert isinstance(failed.exception(10), ZeroDivisionError)
        assert one.submit(lambda: 1).result(10) == 1


def test_nothing_can_be_asked_of_one_that_has_ended() -> None:
    with Crew(1, "test") as ended:
        last = ended.submit(time.sleep, 0.05)
    assert last.done(), "what was asked before is done before it ends"
    with pytest.raises(RuntimeError, match="has ended"):
        ended.submit(print)


@pytest.mark.django_db(transaction=True)
def test_one_that_rests_for_long_ends_and_so_do_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "LONGEST_REST", 0.05)
    with Crew(2, "test") as resting:

        def connect() -> tuple[object, object]:
            connection.ensure_connection()
            return current_thread(), connection.connection

        thread, own = resting.submit(connect).result(10)
        thread.join(10)  # type: ignore[attr-defined]
        assert _is_closed(own)
        assert resting.submit(connect).result(10)[0] is not thread


def test_nothing_is_lost_where_threads_come_to_rest_and_are_called_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "LONGEST_REST", 0.0005)
    done = []
    with Crew(3, "test") as hasty:
        for number in range(2_000):
            hasty.submit(done.append, number)
            if number % 3 == 0:
                time.sleep(0.0005)
    assert sorted(done) == list(range(2_000))


def _is_closed(own: object) -> bool:
    try:
        own.cursor()  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 - each driver has its own
        return True
    return False

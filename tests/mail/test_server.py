"""Mail servers that fail: the engine goes on, nothing is lost, and what one refuses does not hold up the others."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection

from config.mail import mail_settings
from tests.build import code, engine, manual, process, run_until_idle
from tests.mail.server import MailServer, Mood
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, user_named
from workflow import clock, operations
from workflow.engine import Mode
from workflow.engine.post import Post
from workflow.mail import outbox
from workflow.models import Notice, NoticeState, RunningProcesses

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def server(transactional_db: None, people: People, settings: Any) -> Iterator[MailServer]:
    process("Sign", {"Sign": manual("anna, bert, carl"), "End": code("1")}, (1, "Sign"), (2, "End"))
    with MailServer() as server:
        for name, value in mail_settings(server.url).items():
            setattr(settings, name, value)
        yield server


def letters(state: NoticeState) -> list[str]:
    return sorted(
        ours(Notice).filter(user__isnull=False, state=state).values_list(f"user__{User.USERNAME_FIELD}", flat=True)
    )


def at(seconds: float) -> None:
    clock.move(to=START + timedelta(seconds=seconds))
    run_until_idle(clock=clock.now)


class TestFailing:
    @pytest.fixture(autouse=True)
    def stopped(self) -> Iterator[None]:
        with clock.stopped(START):
            yield

    def test_a_server_that_is_gone_is_tried_again_and_told_once(self, server: MailServer, caplog: Any) -> None:
        server.mood = Mood.BREAKS_OFF
        operations.start("Sign")
        run_until_idle(clock=clock.now)
        assert letters(NoticeState.QUEUED) == ["anna", "bert", "carl"]
        assert server.calls == 1, "the others behind it need not be tried"
        assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
            "The mail server can't be used (SMTPServerDisconnected: Connection unexpectedly closed); trying again."
        ]
        server.mood = Mood.WELL
        at(6)
        assert sorted(server.recipients) == ["anna@example.com", "bert@example.com", "carl@example.com"]
        assert letters(NoticeState.SENT) == ["anna", "bert", "carl"]

    def test_a_recipient_that_is_refused_holds_up_nobody(self, server: MailServer, caplog: Any) -> None:
        server.moods["anna@example.com"] = Mood.REFUSES
        operations.start("Sign")
        run_until_idle(clock=clock.now)
        assert sorted(server.recipients) == ["bert@example.com", "carl@example.com"]
        (left,) = ours(Notice).filter(state=NoticeState.QUEUED)
        assert "550" in left.error
        assert "nobody here has that name" in left.error
        assert left.due_at == START + timedelta(minutes=1)
        assert [record.levelname for record in caplog.records if "was not sent" in record.message] == ["WARNING"]
        del server.moods["anna@example.com"]
        at(59)
        assert len(server.mail) == 2
        at(60)
        assert server.recipients[2:] == ["anna@example.com"]

    def test_it_is_given_up_after_days(self, server: MailServer, caplog: Any) -> None:
        server.moods["anna@example.com"] = Mood.REFUSES
        operations.start("Sign")
        run_until_idle(clock=clock.now)
        at(3 * 24 * 3600 + 1)
        assert letters(NoticeState.GIVEN_UP) == ["anna"]
        assert any("was given up" in record.message for record in caplog.records)
        assert ours(Notice).filter(due_at__isnull=False).count() == 0

    def test_what_an_engine_that_died_was_at_is_sent_by_another(self, server: MailServer) -> None:
        operations.start("Sign")
        engine(clock=clock.now).run(Mode.UNTIL_IDLE)
        ours(Notice).filter(user=user_named("anna")).update(
            state=NoticeState.QUEUED, due_at=clock.now(), attempts=0, sent_at=None
        )
        server.mail.clear()
        assert len(outbox.claim(clock.now(), 10)) == 1
        at(outbox.LEASE.total_seconds() - 1)
        assert server.mail == []
        at(outbox.LEASE.total_seconds())
        assert server.recipients == ["anna@example.com"]


def test_each_time_it_is_tried_later_and_at_last_every_few_hours() -> None:
    pauses = [outbox.pause_after(attempts).total_seconds() / 60 for attempts in range(1, 11)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]
    assert outbox.pause_after(10_000) == outbox.LONGEST_PAUSE


def test_what_was_taken_over_is_not_counted_by_who_had_it_before(server: MailServer) -> None:
    with clock.stopped(START):
        operations.start("Sign")
        run_until_idle(clock=clock.now)
        ours(Notice).filter(user=user_named("anna")).update(
            state=NoticeState.QUEUED, due_at=clock.now(), attempts=0, sent_at=None
        )
        (late,) = outbox.claim(clock.now(), 10)
        clock.move(to=START + outbox.LEASE)
        (other,) = outbox.claim(clock.now(), 10)
        assert not outbox.finish(late, NoticeState.GIVEN_UP, clock.now())
        assert outbox.finish(other, NoticeState.SENT, clock.now())


def test_a_server_that_hangs_does_not_hold_up_the_engine(server: MailServer) -> None:
    server.mood = Mood.HANGS
    running = engine(lease=3.0)
    thread = Thread(target=_run, args=(running,))
    thread.start()
    try:
        operations.start("Sign")
        _eventually(lambda: server.calls == 1)
        operations.start("Sign")
        _eventually(lambda: ours(RunningProcesses).filter(state="WAITING").count() == 2)
        (first, _) = ours(RunningProcesses).order_by("pk")
        operations.approve(first.waiting.get())
        _eventually(lambda: ours(RunningProcesses).filter(state="FINISHED").count() == 1)
        assert server.mail == []
    finally:
        server.released.set()
        running.stop()
        thread.join()


def test_two_engines_send_it_once(server: MailServer) -> None:
    operations.start_many(["Sign"], count=10)
    with ThreadPoolExecutor(2) as engines:
        list(engines.map(lambda _: _run(engine(), Mode.UNTIL_IDLE), range(2)))
    run_until_idle(clock=clock.now)
    assert len(server.mail) == 30
    assert len({message for _, message in server.mail}) == 30
    assert letters(NoticeState.QUEUED) == []


def test_an_engine_that_is_told_to_stop_leaves_the_rest_to_others(server: MailServer) -> None:
    operations.start("Sign")
    stopping = Event()
    stopping.set()
    with Post(clock=clock.now, stopping=stopping):
        time.sleep(0.1)
    assert server.mail == []


def _run(running: Any, mode: Mode = Mode.FOREVER) -> None:
    try:
        running.run(mode)
    finally:
        connection.close()


def _eventually(holds: Any, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "It did not come to that in time."
        time.sleep(0.02)

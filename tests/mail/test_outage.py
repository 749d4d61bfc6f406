"""What is late after something was broken: nothing for longer than a minute, and no server is asked all the time meanwhile."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from smtplib import SMTPAuthenticationError, SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, connection

from config.mail import mail_settings
from tests.build import code, manual, process
from tests.mail.server import MailServer, Mood
from tests.own import ours
from tests.people.conftest import People
from tests.users import user_named
from workflow import clock, operations
from workflow.engine.post import Post
from workflow.mail.faults import is_about_one_mail
from workflow.models import Notice, NoticeState
from workflow.testing import Workflow

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LONG = 1220.0  # seconds: by now, whoever doubles their pauses has long ones
MANY = 12


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    with clock.stopped(START):
        yield


@pytest.fixture
def server(transactional_db: None, people: People, settings: Any) -> Iterator[MailServer]:
    process("Sign", {"Sign": manual("anna"), "End": code("1")}, (1, "Sign"), (2, "End"))
    with MailServer() as server:
        for name, value in mail_settings(server.url).items():
            setattr(settings, name, value)
        yield server


class Engines:
    """The mail of several engines, each of which comes again as soon as it has said, by the injected clock."""

    def __init__(self, count: int) -> None:
        self.posts = [Post(clock=clock.now, stopping=Event()) for _ in range(count)]
        self.due: list[tuple[float, int]] = [(0.0, number) for number in range(count)]

    def work(self, *, until: float) -> None:
        """Until so many seconds after the start."""
        while self.due[0][0] <= until:
            at, number = heappop(self.due)
            clock.move(to=START + timedelta(seconds=at))
            heappush(self.due, (at + self.posts[number]._guarded(self.posts[number].send_due), number))
        clock.move(to=START + timedelta(seconds=until))


def wait_for_anna(count: int = MANY) -> None:
    with Workflow() as workflow:
        operations.start_many(["Sign"], count=count)
        workflow.run()


def to_anna() -> Any:
    return ours(Notice).filter(user=user_named("anna"))


def breaks_off(server: MailServer) -> None:
    server.mood = Mood.BREAKS_OFF


def says(command: str, reply: str) -> Callable[[MailServer], None]:
    return lambda server: server.replies.update({command: reply})


OUTAGES = {
    "breaks off": breaks_off,
    "closes": says("MAIL", "421 4.3.2 shutting down"),
    "is too busy": says("MAIL", "451 4.7.1 too much mail, come back later"),
    "does not relay": says("MAIL", "550 5.7.1 we do not relay for you"),
    "closes later": says("RCPT", "421 closing"),
    "has a disk that is full": says(".", "452 4.3.1 insufficient system storage"),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_once_the_server_is_back_all_that_is_due_is_sent_within_a_minute(outage: str, server: MailServer) -> None:
    OUTAGES[outage](server)
    wait_for_anna()
    engines = Engines(2)
    engines.work(until=LONG)
    assert server.calls <= 2 * (LONG / 20 + 3), "it is not asked all the time"
    server.mood = Mood.WELL
    server.replies.clear()
    engines.work(until=LONG + 60)
    assert to_anna().filter(state=NoticeState.SENT, attempts=1).count() == MANY
    assert len(server.mail) == MANY


def test_after_days_without_a_server_nothing_is_given_up(server: MailServer) -> None:
    server.mood = Mood.BREAKS_OFF
    wait_for_anna(3)
    engines = Engines(1)
    engines.work(until=0)
    clock.move(to=START + timedelta(days=4))
    engines.posts[0].send_due()
    assert to_anna().filter(state=NoticeState.QUEUED).count() == 3
    server.mood = Mood.WELL
    clock.move(to=START + timedelta(days=4, minutes=1))
    engines.posts[0].send_due()
    assert len(server.mail) == 3


def test_our_own_errors_are_no_attempts_and_hold_up_nobody_once_they_are_mended(
    server: MailServer, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    templates = settings.TEMPLATES
    (broken := tmp_path / "workflow/mail/waits.txt").parent.mkdir(parents=True)
    broken.write_text("{% if %}")
    settings.TEMPLATES = [{**templates[0], "DIRS": [tmp_path, *templates[0]["DIRS"]]}]
    wait_for_anna()
    engines = Engines(2)
    engines.work(until=LONG)
    assert set(to_anna().values_list("state", "attempts")) == {(NoticeState.QUEUED, 0)}
    assert "TemplateSyntaxError" in to_anna()[0].error
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == MANY, "each is told once"
    assert all(record.exc_info for record in warnings)

    settings.TEMPLATES = templates
    engines.work(until=LONG + 60)
    assert to_anna().filter(state=NoticeState.SENT, attempts=1).count() == MANY


def test_our_own_errors_are_given_up_after_days(server: MailServer, settings: Any) -> None:
    wait_for_anna(1)
    settings.DEFAULT_FROM_EMAIL = object()
    engines = Engines(1)
    engines.work(until=0)
    clock.move(to=START + timedelta(days=3, seconds=1))
    engines.posts[0].send_due()
    assert to_anna().get().state == NoticeState.GIVEN_UP


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_a_database_that_is_gone_for_a_moment_delays_nothing_and_nothing_is_sent_twice(
    sent: int, server: MailServer
) -> None:
    wait_for_anna(3)
    engines = Engines(1)
    (post,) = engines.posts
    with connection.execute_wrapper(Gone(is_told_of, after=sent)):
        post._guarded(post.send_due)
    assert len(server.mail) == sent + 1
    engines.work(until=60)
    assert len(server.mail) == 3
    assert to_anna().filter(state=NoticeState.SENT, attempts=1).count() == 3


def test_a_database_that_fails_on_one_e_mail_does_not_hold_up_the_others(server: MailServer) -> None:
    wait_for_anna(3)
    engines = Engines(1)
    with connection.execute_wrapper(Gone(looks_at_a_task, times=99)):
        engines.work(until=10)
    assert not server.mail
    assert set(to_anna().values_list("attempts", flat=True)) <= {0}
    engines.work(until=70)
    assert len(server.mail) == 3


class Gone:
    """A database that can't be used for some statements, beginning with one of a kind."""

    def __init__(self, begins: Callable[[str, Any], bool], *, after: int = 0, times: int = 3) -> None:
        self.begins, self.after, self.left = begins, after, times

    def __call__(self, execute: Any, sql: str, params: Any, *about: Any) -> Any:
        self.after -= self.begins(sql, params)
        if self.after < 0 and self.left:
            self.left -= 1
            raise OperationalError("the database is gone")
        return execute(sql, params, *about)


def is_told_of(sql: str, params: Any) -> bool:
    """Whether it notes that an e-mail was sent."""
    return sql.startswith("UPDATE") and NoticeState.SENT in params


def looks_at_a_task(sql: str, _: Any) -> bool:
    """Whether it looks for what an e-mail tells of."""
    return "workflow_waitingforapproval" in sql


@pytest.mark.parametrize(
    ("error", "is_about_one"),
    [
        (SMTPRecipientsRefused({"a": (550, b"no such user")}), True),
        (SMTPRecipientsRefused({"a": (450, b"4.2.0 greylisted")}), True),
        (SMTPRecipientsRefused({"a": (452, b"4.2.2 mailbox full")}), True),
        (SMTPRecipientsRefused({"a": (421, b"closing"), "b": (550, b"no such user")}), True),
        (SMTPRecipientsRefused({"a": (421, b"closing")}), False),
        (SMTPDataError(554, b"5.7.1 spam"), True),
        (SMTPDataError(452, "4.3.1 no room"), False),
        (SMTPSenderRefused(552, b"5.3.4 too large", "us"), True),
        (SMTPSenderRefused(550, b"who are you?", "us"), False),
        (SMTPAuthenticationError(535, b"wrong password"), False),
        (TimeoutError("timed out"), False),
    ],
)
def test_what_a_server_says_of_one_e_mail_and_what_of_itself(error: OSError, is_about_one: bool) -> None:
    assert is_about_one_mail(error) is is_about_one

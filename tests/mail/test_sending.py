"""E-mail that an engine sends: to whom, what it says, and that it comes once."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from django.core import mail
from django.utils.formats import date_format
from django.utils.timezone import localdate

from tests.build import code, manual, process
from tests.mail.steps import run, sign, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import give_address
from workflow import clock, notices, operations
from workflow.engine.post import Post
from workflow.mail import outbox
from workflow.models import (
    Absence,
    Assignee,
    MailPreference,
    MailWish,
    Notice,
    NoticeKind,
    NoticeState,
    WaitingForApproval,
)

pytestmark = pytest.mark.django_db


def wants(user: Any, wish: MailWish, **fields: Any) -> None:
    MailPreference.objects.create(user=user, wish=wish, **fields)


def sent() -> list[tuple[str, str]]:
    """Subject and recipient of each e-mail since the last look."""
    found = sorted((message.subject, *message.to) for message in mail.outbox)
    mail.outbox.clear()
    return found


def why_not(user: Any) -> list[tuple[str, str]]:
    return list(ours(Notice).filter(user=user).order_by("pk").values_list("state", "error"))


class TestToWhom:
    def test_to_each_whom_it_asks_once(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        subject = f"Waits for you: Sign: Sign (instance {waiting.rpid_id})"
        assert sent() == [(subject, f"{name}@example.com") for name in ("anna", "carl", "dora")]
        run()
        assert sent() == []
        assert set(ours(Notice).values_list("state", flat=True)) == {NoticeState.SPREAD, NoticeState.SENT}

    def test_not_to_who_may_not_decide_it(self, people: People) -> None:
        sign(not_starter=True)
        waits("Sign", user=people.carl)
        assert [to for _, to in sent()] == ["anna@example.com", "dora@example.com"]

    def test_not_to_who_has_no_address(self, people: People) -> None:
        give_address("staff", "")
        sign("anna, staff")
        waits("Sign")
        assert [to for _, to in sent()] == ["anna@example.com"]
        assert why_not(people.staff) == [
            (NoticeState.DROPPED, "The user has no e-mail address that mail could be sent to.")
        ]

    @pytest.mark.parametrize(
        "address", ["anna@example.com, bert@example.com", "anna@example.com\nBcc: bert@example.com"]
    )
    def test_not_to_two_addresses_in_one(self, people: People, address: str) -> None:
        give_address("anna", address)
        sign("anna")
        waits("Sign")
        assert sent() == []

    def test_also_to_stand_ins(self, people: People) -> None:
        today = localdate(clock.now())
        for away, stand_in in ((people.anna, people.bert), (people.bert, people.emil)):
            Absence.objects.create(user=away, stand_in=stand_in, first_day=today, last_day=today)
        sign("anna")
        waits("Sign")
        assert [to for _, to in sent()] == ["anna@example.com", "bert@example.com", "emil@example.com"]

    def test_to_who_gets_it_handed_on_alone(self, people: People) -> None:
        sign()
        waiting = waits("Sign")
        sent()
        operations.delegate(waiting, people.emil, people.carl, comment="<you> know it better")
        run()
        (message,) = mail.outbox
        assert sent() == [(f"Handed on to you: Sign: Sign (instance {waiting.rpid_id})", "emil@example.com")]
        assert "carl: <you> know it better" in message.body
        assert "carl: &lt;you&gt; know it better" in html(message)

    def test_not_of_what_is_decided_before_it_is_sent(self, people: People, settings: Any) -> None:
        sign("anna")
        waiting = waits("Sign")
        sent()
        notices.queue(NoticeKind.REMINDER, [waiting], now=clock.now())
        operations.approve(waiting, by=people.anna)
        run()
        assert sent() == []
        assert ours(Notice).get(kind=NoticeKind.REMINDER).error == "It waits no more."

    def test_an_escalation_is_told_to_who_is_asked_since(self, people: People) -> None:
        sign("anna")
        waiting = waits("Sign")
        sent()
        Assignee.objects.create(waiting=waiting, user=people.bert, reason="escalated")
        notices.queue(NoticeKind.ESCALATED, [waiting], now=clock.now())
        run()
        assert sent() == [(f"Escalated to you: Sign: Sign (instance {waiting.rpid_id})", "bert@example.com")]

    def test_off_it_sends_nothing(self, people: People, settings: Any) -> None:
        sign()
        waiting = waits("Sign")
        sent()
        notices.queue(NoticeKind.REMINDER, [waiting], now=clock.now())
        settings.WORKFLOW = {"MAIL": False}
        with Post(clock=clock.now, stopping=Event()) as post:
            assert post.thread is None


def html(message: Any) -> str:
    (alternative,) = message.alternatives
    assert alternative[1] == "text/html"
    return str(alternative[0])


class TestWhatItSays:
    def written(self, **fields: Any) -> tuple[WaitingForApproval, Any]:
        sign("anna", **fields)
        waiting = waits("Sign", {"what": "<b>Tom</b> & *co*"})
        (message,) = mail.outbox
        return waiting, message

    def test_facts_in_text_and_html_and_what_is_data_is_no_markup(self, people: People) -> None:
        waiting, message = self.written(instructions="Look at **all** of it: {{ data.what }}")
        assert "Look at **all** of it: <b>Tom</b> & *co*" in message.body
        assert f"Sign: Sign (instance {waiting.rpid_id})" in message.body
        assert "Look at <strong>all</strong> of it: &lt;b&gt;Tom&lt;/b&gt; &amp; *co*" in html(message)

    def test_a_link_in_both(self, people: People) -> None:
        _, message = self.written()
        (line,) = [line for line in message.body.splitlines() if "/decide/" in line]
        assert line.startswith("https://workflow.example.com/decide/")
        assert f'href="{line}"' in html(message)
        until = date_format(localdate(clock.now() + timedelta(days=14)))
        assert f"so don't forward it. It is good until {until}." in message.body

    def test_without_the_sites_address_there_is_no_link(self, people: People, settings: Any) -> None:
        settings.WORKFLOW = {}
        _, message = self.written()
        assert "http" not in message.body
        assert "Log in to the site to decide." in message.body
        assert "href" not in html(message)

    def test_when_it_is_due(self, people: People) -> None:
        with clock.stopped(datetime(2026, 3, 2, 9, 0, tzinfo=UTC)):
            sign("anna")
            waiting = waits("Sign")
            mail.outbox.clear()
            for day, told, subject in ((3, "due March 3", "Reminder: "), (1, "was due March 1", "Overdue: ")):
                ours(WaitingForApproval).update(due_at=datetime(2026, 3, day, 9, 0, tzinfo=UTC))
                notices.queue(NoticeKind.REMINDER, [waiting], now=clock.now(), mark=str(day))
                run()
                (message,) = mail.outbox
                assert told in message.body
                assert message.subject.startswith(subject)
                mail.outbox.clear()

    def test_in_the_persons_language_and_time_zone(self, people: People) -> None:
        wants(people.anna, MailWish.AT_ONCE, language="de", time_zone="Asia/Tokyo")
        with clock.stopped(datetime(2026, 3, 2, 20, 0, tzinfo=UTC)):
            _, message = self.written()
        assert "3. März 2026 05:00" in message.body
        assert '<html lang="de">' in html(message)

    def test_names_can_not_inject_headers(self, people: People) -> None:
        name = "Sign\r\nBcc: emil@example.com"
        process("P", {name: manual("anna"), "End": code("1")}, (1, name), (2, "End"))
        waiting = waits("P")
        (message,) = mail.outbox
        assert message.subject == f"Waits for you: P: Sign Bcc: emil@example.com (instance {waiting.rpid_id})"

    def test_headers_that_mail_programs_go_by(self, people: People) -> None:
        waiting, message = self.written()
        stamp = f"{ours(Notice).get(user=people.anna).created_at:%Y%m%d%H%M%S}"
        token = waiting.rpid.token
        assert message.extra_headers == {
            "Message-ID": f"<workflow-waits-{token}-{waiting.pk}-0-{people.anna.pk}-{stamp}@localhost>",
            "Auto-Submitted": "auto-generated",
            "References": f"<workflow-task-{waiting.task_run.key}@localhost>",
        }
        assert waiting.task_run.key.startswith(token)

    def test_what_was_decided_by_default(self, people: People) -> None:
        sign("anna")
        waiting = waits("Sign")
        mail.outbox.clear()
        notices.queue(NoticeKind.DECIDED, [waiting], now=clock.now())
        operations.reject(waiting, comment="nobody did")
        run()
        (message,) = mail.outbox
        assert message.subject == f"Decided by default: Sign: Sign (instance {waiting.rpid_id})"
        assert "it was rejected by default" in message.body
        assert "nobody did" in message.body


class TestDigest:
    @pytest.fixture
    def daily(self, people: People) -> Any:
        """Monday, 8 o'clock in Vienna, where Anna gets her message at 9."""
        wants(people.anna, MailWish.DIGEST, digest_hour=9, time_zone="Europe/Vienna")
        sign("anna")
        with clock.stopped(datetime(2026, 3, 2, 7, 0, tzinfo=UTC)):
            yield people.anna

    def at(self, day: int, hour: int, minute: int = 0) -> list[tuple[str, str]]:
        """What is sent when it is that time, in UTC."""
        clock.move(to=datetime(2026, 3, day, hour, minute, tzinfo=UTC))
        run()
        run()
        return sent()

    def test_once_a_day_as_long_as_something_waits(self, daily: Any) -> None:
        first, second = waits("Sign"), waits("Sign")
        assert self.at(2, 7, 59) == []
        assert self.at(2, 8) == [("2 tasks wait for you", "anna@example.com")]
        assert self.at(2, 23) == []
        operations.approve(first, by=daily)
        assert self.at(3, 8) == [("1 task waits for you", "anna@example.com")]
        operations.approve(second, by=daily)
        assert self.at(4, 8) == []
        waits("Sign")
        assert self.at(5, 7, 59) == []
        assert self.at(5, 8, 1) == [("1 task waits for you", "anna@example.com")]

    def test_what_is_due_first_comes_first(self, daily: Any) -> None:
        late, early, whenever = waits("Sign"), waits("Sign"), waits("Sign")
        for waiting, day in ((late, 20), (early, 1)):
            ours(WaitingForApproval).filter(pk=waiting.pk).update(due_at=datetime(2026, 3, day, tzinfo=UTC))
        clock.move(to=datetime(2026, 3, 2, 8, tzinfo=UTC))
        run()
        (message,) = mail.outbox
        places = [message.body.index(f"(instance {one.rpid_id})") for one in (early, late, whenever)]
        assert places == sorted(places)
        assert message.body.count("https://workflow.example.com/decide/") == 3
        assert "was due March 1, 2026" in message.body

    def test_after_days_without_an_engine_it_comes_once(self, daily: Any) -> None:
        waits("Sign")
        assert len(self.at(9, 7)) == 1
        assert len(self.at(9, 8)) == 1

    def test_who_wants_none_any_more_gets_none(self, daily: Any) -> None:
        waits("Sign")
        ours(MailPreference).update(wish=MailWish.NONE)
        assert self.at(2, 8) == []
        assert self.at(3, 8) == []

    def test_who_wants_none_gets_none(self, people: People) -> None:
        wants(people.anna, MailWish.NONE)
        sign("anna")
        waits("Sign")
        assert sent() == []
        assert why_not(people.anna) == [(NoticeState.DROPPED, "The user wants no messages.")]

    @pytest.mark.demo
    def test_a_site_where_all_get_one_unless_they_say_otherwise(self, people: People, settings: Any) -> None:
        settings.WORKFLOW = {"MAIL_DEFAULT": "DIGEST"}
        wants(people.bert, MailWish.AT_ONCE)
        sign("anna, bert")
        with clock.stopped(datetime(2026, 3, 2, 6, 0, tzinfo=UTC)):
            waits("Sign")
            assert [to for _, to in sent()] == ["bert@example.com"]
            assert self.at(2, 7) == [("1 task waits for you", "anna@example.com")]


def test_what_can_not_be_written_holds_up_nobody(people: People, caplog: Any) -> None:
    wants(people.anna, MailWish.AT_ONCE, time_zone="Mars/Olympus")
    sign()
    waits("Sign")
    assert [to for _, to in sent()] == ["carl@example.com", "dora@example.com"]
    assert [(state, "Mars/Olympus" in error) for state, error in why_not(people.anna)] == [(NoticeState.QUEUED, True)]
    assert "is tried again" in caplog.text


def test_what_was_sent_long_ago_is_forgotten(people: People) -> None:
    sign("anna")
    with clock.stopped(datetime(2026, 3, 2, tzinfo=UTC)):
        waits("Sign")
        for days, left in ((29, 2), (2, 0)):
            clock.move(to=clock.now() + timedelta(days=days))
            outbox.forget(clock.now())
            assert ours(Notice).count() == left

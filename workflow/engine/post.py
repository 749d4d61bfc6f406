"""Sends what people are told: in a thread of its own, so that no mail server ever holds an engine back."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from smtplib import SMTPDataError, SMTPNotSupportedError, SMTPRecipientsRefused, SMTPSenderRefused
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from django.db import connection

from workflow import conf
from workflow.cut import GONE, cut_is_gone
from workflow.logs import fields
from workflow.mail import outbox
from workflow.mail.letters import Dropped, compose
from workflow.mail.spread import spread
from workflow.models import Notice, NoticeState

logger = logging.getLogger(__name__)

BATCH = 10
POLL = 2.0  # seconds between looks for what is due
SHORTEST_OUTAGE, LONGEST_OUTAGE = 5.0, 300.0  # seconds until a mail server that can't be used is tried again
FORGETTING = 3600.0  # seconds between deletions of what was sent long ago
LAST_ROUND = 10.0  # seconds that an engine that stops leaves to a mail server that is slow

ABOUT_ONE_MAIL = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError, SMTPNotSupportedError)
"""What a mail server says of one e-mail, and not of itself."""


class ServerGone(Exception):
    """The mail server can't be used: what is queued behind need not be tried."""


@dataclass(kw_only=True)
class Post:
    """A context in which a thread sends e-mail, if mail is on. `stopping` is set when the engine is told to stop; one that
    ends by itself sends what is due before.
    """

    clock: Callable[[], datetime]
    stopping: Event
    poll: float = POLL
    over: Event = field(default_factory=Event)
    outage: float = 0.0  # seconds; 0 while the mail server can be used
    thread: Thread | None = None

    def __enter__(self) -> Self:
        if conf.get("MAIL"):
            self.thread = Thread(target=self._work, name="post", daemon=True)
            self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.over.set()
        if self.thread is not None:
            # What it is at is sent again by another engine if the mail server takes longer than that.
            self.thread.join(LAST_ROUND)

    def send_due(self) -> float:
        """Send all that is due; returns for how many seconds there is nothing more to look for."""
        while not self.stopping.is_set() and (claimed := outbox.claim(self.clock(), BATCH)):
            try:
                self._bring_all(claimed)
            except ServerGone:
                return self.outage
        return self.poll

    def _work(self) -> None:
        pause = 0.0
        until_forgetting = 0.0
        while not self.over.wait(pause):
            pause = self._guarded(self.send_due)
            until_forgetting -= pause
            if until_forgetting <= 0:
                until_forgetting = FORGETTING
                self._guarded(self._forget)
        if not self.stopping.is_set() and not self.outage:
            self._guarded(self.send_due)
        connection.close()

    def _guarded(self, work: Callable[[], float]) -> float:
        try:
            with cut_is_gone():
                return work()
        except GONE:
            connection.close()  # the engine's own queries tell of a database that is gone
        except Exception:
            logger.exception("E-mail can't be sent; trying again.")
        return self.poll

    def _bring_all(self, claimed: Sequence[Notice]) -> None:
        for place, notice in enumerate(claimed):
            if self.stopping.is_set():
                outbox.put_back(claimed[place:], self.clock())
                return
            try:
                self._bring(notice)
            except ServerGone:
                outbox.put_back(claimed[place + 1 :], self.clock())
                raise

    def _bring(self, notice: Notice) -> None:
        """One step nearer to people: to each of several, or into somebody's mailbox."""
        try:
            if notice.user_id is None:
                with cut_is_gone():
                    spread(notice, self.clock())
                return
            with cut_is_gone():
                letter = compose(notice, self.clock())
        except GONE:
            raise
        except Exception as error:  # noqa: BLE001 - what can't be written must not hold up the others
            self._put_off(notice, error)
            return
        if isinstance(letter, Dropped):
            outbox.finish(notice, NoticeState.DROPPED, self.clock(), letter.why)
        else:
            self._send(notice, letter)

    def _send(self, notice: Notice, letter: Any) -> None:
        try:
            letter.send()
        except ABOUT_ONE_MAIL as error:
            self._put_off(notice, error)
        except OSError as error:  # which smtplib's other errors are
            self._note_outage(error)
            outbox.try_again(notice, _told(error), self.clock(), longest=timedelta(seconds=self.outage))
            raise ServerGone from error
        except Exception as error:  # noqa: BLE001 - whatever a backend or an odd address makes of it
            self._put_off(notice, error)
        else:
            outbox.finish(notice, NoticeState.SENT, self.clock())
            self._note_sent()

    def _put_off(self, notice: Notice, error: Exception) -> None:
        is_tried_again = outbox.try_again(notice, _told(error), self.clock())
        of = fields(notice=notice.key)
        if not is_tried_again:
            logger.error("E-mail %s was given up: %s", notice.key, _told(error), extra=of)
        elif notice.attempts == 1:
            logger.warning("E-mail %s was not sent, and is tried again: %s", notice.key, _told(error), extra=of)

    def _note_outage(self, error: Exception) -> None:
        if not self.outage:
            logger.error("The mail server can't be used (%s); trying again.", _told(error))
        self.outage = min(LONGEST_OUTAGE, max(SHORTEST_OUTAGE, self.outage * 2))

    def _note_sent(self) -> None:
        if self.outage:
            logger.info("The mail server can be used again.")
        self.outage = 0.0

    def _forget(self) -> float:
        outbox.forget(self.clock())
        return 0.0


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip()[:1_000]

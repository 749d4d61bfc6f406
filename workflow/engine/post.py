"""Sends what people are told: in a thread of its own, so that no mail server ever holds an engine back."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from django.db import connection

from workflow import conf
from workflow.code.failure import storable
from workflow.cut import GONE, cut_is_gone
from workflow.logs import fields
from workflow.mail import outbox
from workflow.mail.faults import is_about_one_mail
from workflow.mail.letters import Dropped, compose
from workflow.mail.spread import spread
from workflow.models import Notice, NoticeState

logger = logging.getLogger(__name__)

BATCH = 10
POLL = 2.0  # seconds between looks for what is due

SHORTEST_OUTAGE, LONGEST_OUTAGE = 5.0, 20.0
"""Seconds until a mail server that can't be used is tried again. With one message: all others wait for what becomes of it, so that none
has to wait for longer than a minute once the server is back, even if it has to be given up for saying nothing before.
"""

FORGETTING = 3600.0  # seconds between deletions of what was sent long ago
LAST_ROUND = 10.0  # seconds that an engine that stops leaves to a mail server that is slow


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
    owed: deque[Callable[[], object]] = field(default_factory=deque)
    """What the database has to be told yet of what was claimed: it could not be used."""

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
        self._settle()
        while not self.stopping.is_set() and (claimed := outbox.claim(self.clock(), 1 if self.outage else BATCH)):
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
        self._guarded(self._last_round)
        connection.close()

    def _last_round(self) -> float:
        self._settle()
        return 0.0 if self.stopping.is_set() or self.outage else self.send_due()

    def _guarded(self, work: Callable[[], float]) -> float:
        try:
            with cut_is_gone():
                return work()
        except GONE:
            connection.close()  # the engine's own queries tell of a database that is gone
        except Exception:
            logger.exception("E-mail can't be sent; trying again.")
        return self.poll

    def _settle(self) -> None:
        """Tell the database what it could not be told: in order, and each once more where its answer was lost."""
        while self.owed:
            try:
                self.owed[0]()
            except GONE:
                raise
            except Exception:
                logger.exception("It can't be noted what became of an e-mail; it may be sent again.")
            self.owed.popleft()

    def _note(self, tell: Callable[..., object], *about: object) -> None:
        """Tell the database what became of what was claimed: now, or as soon as it can be used."""
        self.owed.append(partial(tell, *about))
        with cut_is_gone():
            self._settle()

    def _bring_all(self, claimed: Sequence[Notice]) -> None:
        for place, notice in enumerate(claimed):
            if self.stopping.is_set():
                self._note(outbox.put_back, claimed[place:], self.clock())
                return
            try:
                self._bring(notice)
            except BaseException:
                # Whatever it is, the others have no part in it: they are due as they were, and not when their lease is over.
                self._note(outbox.put_back, claimed[place + 1 :], self.clock())
                raise

    def _bring(self, notice: Notice) -> None:
        """One step nearer to people: to each of several, or into somebody's mailbox."""
        try:
            with cut_is_gone():
                if notice.user_id is None:
                    spread(notice, self.clock())
                    return
                letter = compose(notice, self.clock())
        except GONE:
            # Later than the others: it may be the one that the database fails on.
            self.owed.append(partial(outbox.put_back, [notice], self.clock() + outbox.OWN_PAUSE))
            raise
        except Exception as error:  # noqa: BLE001 - what can't be written must not hold up the others
            self._put_off(notice, error)
            return
        if isinstance(letter, Dropped):
            self._note(outbox.finish, notice, NoticeState.DROPPED, self.clock(), letter.why)
        else:
            self._send(notice, letter)

    def _send(self, notice: Notice, letter: Any) -> None:
        try:
            letter.send()
        except OSError as error:  # which smtplib's errors are
            if is_about_one_mail(error):
                self._try_again(notice, error)
                return
            self._note_outage(error)
            again_at = self.clock() + timedelta(seconds=self.outage)
            self._note(outbox.put_back, [notice], again_at, _told(error))
            raise ServerGone from error
        except Exception as error:  # noqa: BLE001 - whatever a backend or an odd address makes of it
            self._put_off(notice, error)
        else:
            self._note_sent()
            self._note(outbox.finish, notice, NoticeState.SENT, self.clock())

    def _try_again(self, notice: Notice, error: Exception) -> None:
        """The mail server refuses it now. Later, it may not."""
        self._note(self._tell_not_sent, outbox.try_again, notice, error, notice.attempts == 1)

    def _put_off(self, notice: Notice, error: Exception) -> None:
        """Our own mistake, or the project's. Whoever mends it needs the traceback."""
        is_news = not notice.error.startswith(_told(error))
        self._note(self._tell_not_sent, outbox.put_off, notice, error, is_news, error if is_news else None)

    def _tell_not_sent(
        self,
        put_off: Callable[[Notice, str, datetime], bool],
        notice: Notice,
        error: Exception,
        is_news: bool,  # noqa: FBT001 - all are by place, as of a partial
        traceback: Exception | None = None,
    ) -> None:
        is_tried_again = put_off(notice, _told(error), self.clock())
        of = fields(notice=notice.key)
        if not is_tried_again:
            logger.error("E-mail %s was given up: %s", notice.key, _told(error), exc_info=traceback, extra=of)
        elif is_news:
            told = "E-mail %s was not sent, and is tried again: %s"
            logger.warning(told, notice.key, _told(error), exc_info=traceback, extra=of)

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
    return storable(f"{type(error).__name__}: {error}".strip())[:1_000]

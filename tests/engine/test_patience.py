"""How an engine waits for a database that is gone, and for connections that are scarce."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, Lock
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from workflow.engine import patience
from workflow.engine.patience import Patience, Waiting
from workflow.models import Process

pytestmark = pytest.mark.django_db(transaction=True)


class Told(logging.Handler):
    """What the log was told."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __call__(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    told = Told()
    patience.logger.addHandler(told)
    yield told
    patience.logger.removeHandler(told)


def asked(*, failing: int) -> Callable[[], str]:
    """A question that gets no answer so many times."""
    left = [failing]

    def ask() -> str:
        Process.objects.exists()
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("locked")
        return "yes"

    return ask


def fail_to_connect(monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """Have so many connections refused."""
    left = [times]
    really = patience._connect

    def connect() -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise OperationalError("too many clients")
        really()

    monkeypatch.setattr(patience, "_connect", connect)


def test_an_outage_is_told_of_once_and_its_end_once(told: Told) -> None:
    assert Patience(stopping=Event())(asked(failing=3)) == "yes"
    assert told() == ["The database can't be used (locked); waiting for it.", "The database can be used again."]


def test_an_outage_that_many_meet_is_one(told: Told) -> None:
    """It is over when the last of them has been answered."""
    patient, all_are_here = Patience(stopping=Event(), waiting=Waiting("me")), Barrier(4)

    def meet(failing: int) -> None:
        ask = asked(failing=failing)
        first = [True]

        def once_all_are_here() -> str:
            if first.pop() if first else False:
                all_are_here.wait(10)
                raise OperationalError("locked")
            return ask()

        patient(once_all_are_here)
        connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(meet, [1, 2, 3, 4]))
    assert told() == ["The database can't be used (locked); waiting for it.", "The database can be used again."]
    assert {record.fields["engine"] for record in told.records} == {"me"}  # type: ignore[attr-defined]


def test_a_cut_connection_is_no_outage(told: Told) -> None:
    if connection.vendor == "sqlite":  # it has none that could be cut
        return
    cuts = [True]

    def ask() -> bool:
        if cuts:
            cuts.pop()
            connection.close()
            raise OperationalError("the connection is lost")
        return Process.objects.exists()

    assert Patience(stopping=Event())(ask) is False
    assert told() == []


def test_a_connection_is_waited_for(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    fail_to_connect(monkeypatch, times=3)
    Patience(stopping=Event()).connect()
    assert connection.connection is not None
    assert told() == [
        "The database can't be used (too many clients); waiting for it.",
        "The database can be used again.",
    ]


def test_who_waits_holds_nothing_and_is_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    @contextmanager
    def noted(what: str) -> Iterator[None]:
        happened.append(f"{what} begins")
        yield
        happened.append(f"{what} ends")

    patient = Patience(stopping=Event(), away=lambda: noted("away"), line=noted("line"))
    connection.close()
    fail_to_connect(monkeypatch, times=1)
    patient.connect()
    assert happened == ["away begins", "line begins", "line ends", "away ends"]
    happened.clear()
    patient(asked(failing=0))
    assert happened == [], "who has a connection waits for nothing"


def test_it_is_over_though_others_always_wait_for_a_connection_if_they_get_it(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = Patience(stopping=Event())
    with patient.waiting.place():
        assert patient(asked(failing=3)) == "yes"
        assert told() == ["The database can't be used (locked); waiting for it."]
        monkeypatch.setattr(patience, "CALM", 0.0)
        with patient.waiting.place() as another:
            patient.waiting.tell(another, OperationalError("locked"))
            patient(asked(failing=0))
            assert len(told()) == 1, "that one is still in trouble"
        patient(asked(failing=0))
    assert told()[1:] == ["The database can be used again."]


def test_a_connection_is_shared_where_somebody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = Patience(stopping=Event())
    connection.ensure_connection()
    patient.share()
    assert connection.connection is not None
    with patient.waiting.connecting():
        patient.share()
        assert connection.connection is not None, "not before it is for long"
        monkeypatch.setattr(patience, "LONG", -1.0)
        patient.share()
        assert connection.connection is None


def test_who_is_told_to_stop_asks_once_more(told: Told) -> None:
    stopping = Event()
    stopping.set()
    assert Patience(stopping=stopping)(asked(failing=1)) == "yes"
    told.records.clear()
    with pytest.raises(OperationalError):
        Patience(stopping=stopping)(asked(failing=2))
    assert "The database can be used again." not in told()


def test_at_a_stop_one_tries_for_all_that_stand_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try may take as long as a server that does not answer."""
    stopping, tries = Event(), []

    def connect() -> None:
        tries.append(1)
        stopping.set()
        raise OperationalError("no answer")

    monkeypatch.setattr(patience, "_connect", connect)
    patient, all_are_here = Patience(stopping=stopping, line=Lock()), Barrier(5)

    def wait(_: Any) -> str:
        all_are_here.wait(10)
        with pytest.raises(OperationalError, match="no answer"):
            patient.connect()
        return "left"

    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(wait, range(5))) == ["left"] * 5
    assert len(tries) < 3

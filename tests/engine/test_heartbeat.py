"""Leases are renewed while an engine works on."""

import logging
from threading import Event

import pytest
from django.db import OperationalError

from tests.system.conftest import eventually
from workflow.engine import heartbeat
from workflow.engine.heartbeat import Heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def test_trouble_is_told_of_once_and_its_end_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "AGAIN", 0.001)
    caplog.set_level(logging.INFO, logger="workflow")
    beats, gone = [], Event()

    def beat() -> None:
        beats.append(1)
        if gone.is_set():
            raise OperationalError("gone")

    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    with Heartbeat(lease=0.03, beats=[beat], engine="me"):
        eventually(lambda: len(beats) > 2)
        gone.set()
        eventually(lambda: len(beats) > 20)
        gone.clear()
        eventually(lambda: len(told()) > 1)
        eventually(lambda: len(beats) > 40)
    assert told() == ["Leases can't be renewed (gone); trying again.", "Leases can be renewed again."]
    assert {record.fields["engine"] for record in caplog.records} == {"me"}  # type: ignore[attr-defined]


def test_a_connection_that_was_cut_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    beats = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 2:
            raise OperationalError("cut")

    with Heartbeat(lease=0.03, beats=[beat], engine="me"):
        eventually(lambda: len(beats) > 4)
    assert not caplog.records

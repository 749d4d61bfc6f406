"""Of why an instance does not move, what only a database server can tell: locks on rows, and its own clock."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from tests.locks import locked
from tests.own import ours
from tests.test_delays import an_engine, an_instance, running
from workflow.models import RunningProcesses
from workflow.standing import standing

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_locked_row_is_named() -> None:
    an_engine()
    instance, other = an_instance(), an_instance()
    with locked(ours(RunningProcesses).filter(pk=instance.pk)):
        assert "has locked its row" in standing(instance)
        assert "has locked its row" not in standing(other)
    assert "has locked its row" not in standing(instance)


@pytest.mark.parametrize("off", [timedelta(seconds=90), -timedelta(seconds=90)])
def test_the_clock_is_the_database_s(off: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server whose clock is off takes no healthy instance for a silent one, nor a silent one for healthy."""
    an_engine()
    healthy, late = running(), an_instance()
    wrong = datetime.now(tz=UTC) + off
    monkeypatch.setattr("django.utils.timezone.now", lambda: wrong)
    assert standing(healthy) == "The engine e1 is running it."
    assert standing(late).startswith("Ready since")


def test_looking_for_a_lock_leaves_none() -> None:
    """Not even inside a request's own transaction: engines would pass over what somebody looks at."""
    an_engine()
    instance = an_instance()
    with transaction.atomic():
        standing(instance)
        with locked(ours(RunningProcesses).filter(pk=instance.pk)):
            assert "has locked its row" in standing(instance), "somebody else could lock it meanwhile"

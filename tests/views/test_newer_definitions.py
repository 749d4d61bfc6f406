"""A site of an older version of this software, beside one that publishes what it doesn't know."""

from typing import Any

import pytest

from tests.build import form, manual, process
from tests.own import ours
from tests.views.conftest import People, Visit
from tests.views.drive import run_until_idle
from tests.views.pages import address, text
from workflow import operations
from workflow.definition import FORMAT
from workflow.errors import WorkflowError
from workflow.models import ProcessVersion, WaitingForApproval

pytestmark = pytest.mark.django_db


@pytest.fixture
def newer(people: People) -> WaitingForApproval:
    """What waits by a definition that only the newer version reads, beside a bystander."""
    for name in ("Newer", "Known"):
        form(process(name, {"Sign": manual("managers")}, (10, "Sign")), None, amount="money")
        operations.start(name, {"amount": 180}, people.anna)
    run_until_idle()
    version = ours(ProcessVersion).get(name="Newer")
    version.definition |= {"format": FORMAT + 1}
    version.save()
    return ours(WaitingForApproval).get(process_name="Newer")


@pytest.mark.parametrize(("who", "path"), [("mark", "/"), ("anna", "/mine/")])
def test_lists_have_it_but_nothing_of_its_data(
    people: People, visit: Visit, newer: WaitingForApproval, who: str, path: str
) -> None:
    page = visit(getattr(people, who)).get(path)
    shown = text(page)
    assert page.status_code == 200
    assert f"Newer {newer.rpid_id}" in shown
    assert shown.count("Amount 180") == 1, "that of the other one"


def test_pages_of_its_own_say_why_they_can_not_be_shown(
    people: People, visit: Visit, newer: WaitingForApproval
) -> None:
    for path in (f"/instances/{newer.rpid_id}/", address(newer)):
        page: Any = visit(people.mark).get(path)
        assert page.status_code == 503, path
        assert f"has format {FORMAT + 1}; this software reads formats up to {FORMAT}." in text(page)


def test_nobody_decides_what_the_site_does_not_know(people: People, newer: WaitingForApproval) -> None:
    with pytest.raises(WorkflowError, match="has format"):
        operations.approve(newer, by=people.mark)
    newer.refresh_from_db()
    assert newer.rpid.state == "WAITING"

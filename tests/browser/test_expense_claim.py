"""An expense claim from its start to its end, as four people live it, and a fifth does not: a browser each, an engine, and mail."""

import re
from collections.abc import Callable, Iterator
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Visit, is_sideways
from tests.conftest import Spawn
from tests.mail.server import MailServer
from tests.system.conftest import eventually
from workflow.models import Decision, RunningProcesses, TaskRun, Upload

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

Letter = Callable[..., str]


@pytest.fixture
def letter(site: str, spawn: Spawn) -> Iterator[Letter]:
    """The text of a mail to somebody in which those words stand, once it has come: an engine works, and tells people."""
    with MailServer() as server:
        spawn("runengine", "--poll-interval", "0.1", EMAIL_URL=server.url, SITE_URL=site)

        def to(login: str, *words: str) -> str:
            found: list[str] = []

            def has_come() -> bool:
                mails = [message_from_string(text, policy=policy.default) for to, text in server.mail if login in to]
                texts = [one.get_body(("plain",)).get_content() for one in mails]
                found[:] = [text for text in texts if all(word in text for word in words)]
                return bool(found)

            eventually(has_come, lambda: f"No mail to {login} has {words}: {server.mail}")
            return found[-1]

        yield to


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    path = tmp_path / "receipt.txt"
    path.write_text("Lisbon and back: 180")
    return path


def test_four_people_settle_it_and_a_fifth_sees_nothing_of_it(visit: Visit, letter: Letter, receipt: Path) -> None:
    anna, mark = visit("anna"), visit("mark")
    started = claim(anna, receipt)
    letter("mark", "Manager approval")
    send_back(mark, "The receipt says 180")
    correct(anna, to="180")
    follow(anna, started)
    approve_by_link(visit(), letter)

    fiona, felix, frida = visit("fiona"), visit("felix", width=PHONE), visit("frida")
    letter("fiona", "Finance approval")
    frida.goto("/")
    open_task(frida, "Finance approval")
    approve_with_cost_centre(fiona)
    approve_on_the_phone(felix)
    is_told_who_was_quicker(frida)

    expect(anna.locator("#part-standing")).to_have_text("It has come to its end.")
    expect(anna.locator("#part-data")).to_contain_text("4711")
    expect(anna.locator("#part-data")).not_to_contain_text("T-")  # no form has asked for it
    assert has_ended_as_it_should()
    sees_nothing(visit("wanda"))


def claim(page: Any, receipt: Path) -> str:
    """The claimant starts it, with a mistake; gives the address of its page."""
    page.goto("/start/")
    page.get_by_role("link", name="Expense claim").click()
    page.get_by_label("Amount").fill("1800")
    page.get_by_label("For what").fill("Train to Lisbon")
    page.get_by_label("Receipt").set_input_files(receipt)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Expense claim")
    expect(page.locator("#part-waiting")).to_contain_text("Manager approval")
    return str(page.url)


def open_task(page: Any, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


def send_back(page: Any, comment: str) -> None:
    """The manager looks at the receipt, and at the amount."""
    page.goto("/")
    open_task(page, "Manager approval")
    with page.expect_download() as download:
        page.get_by_role("link", name="receipt.txt").click()
    assert download.value.path().read_text() == "Lisbon and back: 180"
    page.get_by_label("Comment").first.fill(comment)
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("status").first).to_contain_text("You rejected “Manager approval” of Expense claim")
    expect(page.get_by_role("main")).to_contain_text("Nothing waits for you.")


def correct(page: Any, *, to: str) -> None:
    """The claimant reads why on the page that is still open, and claims it once more."""
    page.get_by_role("link", name="Decide Correct claim").click()
    expect(page.get_by_role("main")).to_contain_text("The receipt says 180")
    amount = page.get_by_label("Amount")
    expect(amount).to_have_value("1800")
    amount.fill(to)
    expect(page.get_by_role("main")).to_contain_text("Leave it blank to keep receipt.txt.")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").first).to_contain_text("You approved “Correct claim”")


def follow(page: Any, address: str) -> None:
    page.goto("/mine/")
    page.get_by_role("link", name=re.compile("Expense claim")).click()
    expect(page).to_have_url(address)


def approve_by_link(page: Any, letter: Letter) -> None:
    """The manager, on a device where nobody is logged in."""
    (link,) = re.findall(r"http://\S+/decide/\S+", letter("mark", "Manager approval", "claims **180**"))
    page.goto(link)
    expect(page.get_by_role("heading", name="You decide as Mark Weber")).to_be_visible()
    assert not Decision.objects.filter(by_link=True).exists(), "to open a link decides nothing"
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").last).to_contain_text("You have approved Manager approval of Expense claim")


def approve_with_cost_centre(page: Any) -> None:
    page.goto("/")
    open_task(page, "Finance approval")
    expect(page.get_by_role("main")).to_contain_text("2 approvals are missing; one rejection decides.")
    page.get_by_label("Cost centre").fill("4711")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").first).to_contain_text("You approved “Finance approval”")


def approve_on_the_phone(page: Any) -> None:
    page.goto("/")
    assert not is_sideways(page)
    open_task(page, "Finance approval")
    assert not is_sideways(page)
    expect(page.get_by_role("main")).to_contain_text("1 of 2")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").first).to_contain_text("You approved “Finance approval”")
    assert not is_sideways(page)


def is_told_who_was_quicker(page: Any) -> None:
    """Who has had the page open since before the other two decided."""
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").last).to_contain_text("Felix Roth (felix) approved it at")


def has_ended_as_it_should() -> bool:
    instance = RunningProcesses.objects.get()
    assert instance.state == "FINISHED"
    assert instance.data["amount"] == 180
    assert instance.data["cost_centre"] == "4711"
    assert instance.data["receipt"]["name"] == "receipt.txt"
    told = Decision.objects.order_by("pk").values_list("user__username", "approved", "by_link")
    return list(told) == [
        ("mark", False, False),
        ("anna", True, False),
        ("mark", True, True),
        ("fiona", True, False),
        ("felix", True, False),
    ]


def sees_nothing(page: Any) -> None:
    page.goto("/")
    expect(page.get_by_role("main")).to_contain_text("Nothing waits for you.")
    page.goto("/mine/")
    expect(page.get_by_role("main")).to_contain_text("You have started nothing yet")
    instance, upload = RunningProcesses.objects.get().pk, Upload.objects.get().pk
    for path in (f"/instances/{instance}/", f"/instances/{instance}/news/", f"/files/{upload}/"):
        assert page.goto(path).status == 404, path
    for run in TaskRun.objects.filter(task_name__contains="approval"):
        assert page.goto(f"/waiting/{run.pk}/").status in {403, 404}
        expect(page.get_by_role("main")).not_to_contain_text("Lisbon")

"""A day's work by the keyboard alone: only Tab, Enter, Space and letters, and one always sees where one is."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Visit
from tests.browser.scene import Scene
from workflow.models import Decision

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MOST_TABS = 60
# What has the focus: in words as a screen reader says them, and whether one sees that it has it.
FOCUSED = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
    const named = one.labels && one.labels.length ? one.labels[0] : one;
    const words = one.getAttribute("aria-label") || named.innerText || one.textContent;
    const isInSight = box.width > 0 && box.top < innerHeight && box.bottom > 0;
    return {
        words: words.trim(),
        isSeen: isInSight && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
}"""


def tab_to(page: Any, words: str) -> None:
    """Press Tab until what begins with these words has the focus."""
    passed: list[str] = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["isSeen"], f"One does not see that {focused['words']!r} has the focus, after {passed}"
        if focused["words"].startswith(words):
            return
        passed.append(focused["words"])
    raise AssertionError(f"{words!r} is not reached; passed are {passed}")


def test_a_task_is_found_and_approved(visit: Visit, scene: Scene) -> None:
    page = visit()
    page.goto("/")
    page.keyboard.type("fiona")  # the first field has the focus
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Inbox")
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    tab_to(page, "Select Finance approval")
    tab_to(page, "Finance approval")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Finance approval")
    tab_to(page, "Cost centre")
    page.keyboard.type("4720")
    tab_to(page, "Comment")
    page.keyboard.type("Fine.")
    tab_to(page, "Approve")
    page.keyboard.press("Space")
    expect(page.get_by_role("status").first).to_contain_text("You approved “Finance approval”")
    vote = Decision.objects.latest("pk")
    assert (vote.user.username, vote.approved, vote.comment) == ("fiona", True, "Fine.")
    tab_to(page, "Fiona")
    page.keyboard.press("Enter")
    tab_to(page, "Log out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_several_are_rejected_together(visit: Visit, scene: Scene) -> None:
    page = visit("mark")
    page.goto("/")
    for _ in range(2):
        tab_to(page, "Select Manager approval")
        page.keyboard.press("Space")
    tab_to(page, "Comment")
    page.keyboard.type("Not this quarter.")
    tab_to(page, "Reject")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("2 tasks were rejected.")
    assert list(Decision.objects.order_by("-pk").values_list("comment", flat=True)[:2]) == ["Not this quarter."] * 2


def test_something_is_started(visit: Visit, scene: Scene) -> None:
    page = visit("anna")
    page.goto("/start/")
    tab_to(page, "Expense claim")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Expense claim")
    tab_to(page, "Amount")
    page.keyboard.type("12")
    tab_to(page, "For what")
    page.keyboard.type("Stamps")
    tab_to(page, "Start")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("was started.")
    expect(page.get_by_role("main")).to_contain_text("Stamps")

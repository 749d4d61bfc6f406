"""A day's work by the keyboard alone: only Tab, Enter, Space and letters, and one always sees where one is."""

from dataclasses import dataclass
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


@dataclass(frozen=True)
class Keys:
    """Somebody at a page who has no mouse."""

    page: Any

    def tab_to(self, words: str) -> None:
        """Press Tab until what begins with these words has the focus."""
        passed: list[str] = []
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(FOCUSED)
            assert focused["isSeen"], f"One does not see that {focused['words']!r} has the focus, after {passed}"
            if focused["words"].startswith(words):
                return
            passed.append(focused["words"])
        raise AssertionError(f"{words!r} is not reached; passed are {passed}")

    def press(self, words: str, key: str = "Enter") -> None:
        """What begins with these words, by a key."""
        self.tab_to(words)
        self.page.keyboard.press(key)

    def fill(self, words: str, text: str) -> None:
        """Type a text where these words stand."""
        self.tab_to(words)
        self.page.keyboard.type(text)

    def is_at(self, heading: str) -> None:
        """The page has that heading."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def is_told(self, words: str) -> None:
        """The page says what was done."""
        expect(self.page.get_by_role("status").first).to_contain_text(words)


def test_a_task_is_found_and_approved(visit: Visit, scene: Scene) -> None:
    page = visit()
    keys = Keys(page)
    page.goto("/")
    page.keyboard.type("fiona")  # the first field has the focus
    keys.fill("Password", PASSWORD)
    page.keyboard.press("Enter")
    keys.is_at("Inbox")
    keys.press("Skip to the content")
    keys.tab_to("Select Finance approval")
    keys.press("Finance approval")
    keys.is_at("Finance approval")
    keys.fill("Cost centre", "4720")
    keys.fill("Comment", "Fine.")
    keys.press("Approve", "Space")
    keys.is_told("You approved “Finance approval”")
    vote = Decision.objects.latest("pk")
    assert (vote.user.username, vote.approved, vote.comment) == ("fiona", True, "Fine.")
    keys.press("Fiona")
    keys.press("Log out")
    keys.is_at("Log in")


def test_several_are_rejected_together(visit: Visit, scene: Scene) -> None:
    page = visit("mark")
    keys = Keys(page)
    page.goto("/")
    for _ in range(2):
        keys.press("Select Manager approval", "Space")
    keys.fill("Comment", "Not this quarter.")
    keys.press("Reject")
    keys.is_told("2 tasks were rejected.")
    assert list(Decision.objects.order_by("-pk").values_list("comment", flat=True)[:2]) == ["Not this quarter."] * 2


def test_something_is_started(visit: Visit, scene: Scene) -> None:
    page = visit("anna")
    keys = Keys(page)
    page.goto("/start/")
    keys.press("Expense claim")
    keys.is_at("Expense claim")
    keys.fill("Amount", "12")
    keys.fill("For what", "Stamps")
    keys.press("Start")
    keys.is_told("was started.")
    expect(page.get_by_role("main")).to_contain_text("Stamps")

"""The pictures of the docs, taken anew: `python -m pytest tests/browser/screenshots.py`. A run of all tests leaves this out."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from config.samples import actions
from tests.browser.conftest import PHONE, Visit
from tests.browser.scene import Scene
from tests.conftest import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

IMAGES = ROOT / "docs" / "images"
TALLEST = 1_300
"""Pixels of a page that a picture shows."""


def take(page: Any, name: str, path: str = "", *, whole: bool = False) -> None:
    """A picture of a page: of what is on it, and no emptiness below; a `whole` one is as it is scrolled past."""
    if path:
        page.goto(path)
    width = page.viewport_size["width"]
    if not whole:
        page.set_viewport_size({"width": width, "height": 400})
        height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
        page.set_viewport_size({"width": width, "height": height})
    page.mouse.move(0, 0)
    shot = Image.open(BytesIO(page.screenshot(full_page=whole)))
    # These pages have few colours, but for the smoothed edges of letters.
    shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


def test_what_who_decides_sees(visit: Visit, scene: Scene) -> None:
    mark, fiona = visit("mark"), visit("fiona")
    take(mark, "inbox", "/")
    for number in (1, 2):
        mark.get_by_role("checkbox").nth(number).check()
    take(mark, "inbox-several")
    take(visit("mark", color_scheme="dark"), "inbox-dark", "/")
    take(visit("mark", width=PHONE), "inbox-phone", "/")
    take(fiona, "decide", scene.task(scene.with_finance))
    take(fiona, "decided", scene.task(scene.paid))
    take(mark, "mail-preferences", "/mail/")


def test_what_who_starts_sees(visit: Visit, scene: Scene) -> None:
    anna, hr = visit("anna"), visit("hanna")
    take(hr, "start", "/start/")
    anna.goto(f"/start/{scene.paid.process_id}/")
    anna.get_by_label("For what").fill("Train to Lisbon")
    anna.get_by_role("button", name="Start", exact=True).click()
    expect(anna.get_by_role("alert")).to_be_visible()
    take(anna, "start-claim")
    take(anna, "mine", "/mine/")
    take(anna, "instance", scene.page(scene.with_finance))
    take(anna, "instance-ended", scene.page(scene.paid))
    take(anna, "correct", scene.task(scene.sent_back))


def test_what_others_see(visit: Visit, scene: Scene) -> None:
    nobody, admin = visit(), visit("admin")
    take(visit("wanda"), "inbox-empty", "/?tab=claimed")
    take(visit("wanda"), "not-here", "/instances/0/")
    take(nobody, "login", "/login/")
    take(nobody, "decide-by-link", scene.link)
    take(admin, "subprocess", scene.page(scene.order))
    admin.evaluate("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
    admin.goto(f"/admin/workflow/process/{scene.paid.process_id}/change/")
    # The tests' own actions are granted as well.
    admin.evaluate(
        """mine => document.querySelectorAll(".workflow-names-list dt").forEach(one => {
            if (/->/.test(one.textContent) && !mine.includes(one.textContent.split("(")[0])) {
                one.nextElementSibling.remove();
                one.remove();
            }
        })""",
        [name for name, found in vars(actions).items() if getattr(found, "__module__", "") == actions.__name__],
    )
    admin.get_by_role("button", name="Check claim", exact=True).click()
    admin.evaluate("scrollTo(0, 0)")
    take(admin, "process", whole=True)
    take(admin, "admin-instance", f"/admin/workflow/runningprocesses/{scene.with_finance.pk}/change/")

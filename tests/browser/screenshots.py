"""The pictures of the docs, taken anew: `python -m pytest tests/browser/screenshots.py`. A run of all tests leaves this out."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Visit
from tests.browser.scene import Scene

pytestmark = pytest.mark.django_db(transaction=True)

IMAGES = Path("/tmp/shots")
TALLEST = 1_400
"""Pixels of a page that a picture shows."""


def take(page: Any, name: str, path: str = "", *, tallest: int = TALLEST) -> None:
    if path:
        page.goto(path)
    height = min(page.evaluate("document.documentElement.scrollHeight"), tallest)
    width = page.viewport_size["width"]
    page.set_viewport_size({"width": width, "height": height})
    page.mouse.move(0, 0)
    page.screenshot(path=IMAGES / f"{name}.png")
    page.set_viewport_size({"width": width, "height": 700})


def test_what_who_decides_sees(visit: Visit, scene: Scene) -> None:
    mark, fiona = visit("mark"), visit("fiona")
    take(mark, "inbox", "/")
    mark.get_by_role("checkbox").nth(1).check()
    mark.get_by_role("checkbox").nth(2).check()
    take(mark, "inbox-several")
    take(visit("mark", color_scheme="dark"), "inbox-dark", "/")
    take(visit("mark", width=PHONE), "inbox-phone", "/")
    take(fiona, "decide", scene.task(scene.with_finance))
    take(visit("fiona", width=PHONE), "decide-phone", scene.task(scene.with_finance))
    take(fiona, "decided", scene.task(scene.paid))
    take(mark, "mail-preferences", "/mail/")


def test_what_who_starts_sees(visit: Visit, scene: Scene) -> None:
    anna = visit("anna")
    take(anna, "start", "/start/")
    take(anna, "start-claim", f"/start/{scene.paid.process_id}/")
    take(anna, "mine", "/mine/")
    take(anna, "instance", scene.page(scene.with_finance))
    take(anna, "instance-ended", scene.page(scene.paid))
    take(visit("anna", width=PHONE), "instance-phone", scene.page(scene.with_finance), tallest=2_400)
    take(anna, "correct", scene.task(scene.sent_back))


def test_what_others_see(visit: Visit, scene: Scene) -> None:
    take(visit("it"), "inbox-empty", "/inbox/?tab=claimed" if False else "/?tab=claimed")
    nobody = visit()
    take(nobody, "login", "/login/")
    take(nobody, "decide-by-link", scene.link)
    take(visit("wanda"), "not-here", "/instances/0/")
    take(visit("admin"), "order", scene.page(scene.order))

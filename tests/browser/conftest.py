"""The demo's processes and people, each at a browser of their own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from config.demo import people
from config.samples import load
from tests.browser.scene import BEGIN, Scene, play
from tests.views.who import client_of
from workflow.testing import Workflow

PASSWORD = "have a good trip"
DESKTOP, PHONE = 1280, 360
HEIGHT = 900

PATIENCE = 30_000  # milliseconds; a busy machine is slow, not wrong

Visit = Callable[..., Any]
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def site(live_server: Any) -> str:
    """The address of a site with the sample processes and the demo's people."""
    load.load()
    people.create()
    people.set_password(PASSWORD)
    address: str = live_server.url
    return address


@pytest.fixture
def visit(site: str, open_page: Callable[..., Any]) -> Visit:
    """Opens a page for somebody who is logged in, or for nobody, on a screen of that width."""

    def open_one(login: str = "", *, width: int = DESKTOP, **options: Any) -> Any:
        viewport = {"width": width, "height": HEIGHT}
        # Nothing fades, so that what is looked at is what stays.
        page = open_page(base_url=site, viewport=viewport, reduced_motion="reduce", **options)
        page.set_default_timeout(PATIENCE)
        if login:
            session = client_of(get_user_model().objects.get(username=login)).cookies["sessionid"]
            page.context.add_cookies([{"name": "sessionid", "value": session.value, "url": site}])
        return page

    return open_one


def is_sideways(page: Any) -> bool:
    """Whether one has to scroll to the side to read the page."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.fixture
def scene(site: str) -> Iterator[Scene]:
    """What was done on the site, which stands still on a Wednesday afternoon."""
    with Workflow(at=BEGIN) as workflow:
        yield play(workflow)

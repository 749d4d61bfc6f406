"""Every page, as axe looks at it: in light and dark, on a desktop and where it matters on a phone.

Pages are opened with their errors and messages as well; what the Content-Security-Policy keeps from one fails its test, too.
"""

import json
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Visit, is_sideways
from tests.browser.scene import Scene
from workflow.models import TaskRun, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}
# What Django's own templates of the admin do: a column without a heading, and a search that has its hint for a label.
DJANGOS = ["th.original", "#searchbar"]
ADMIN = "/admin/workflow"


def violations(page: Any, options: dict[str, Any], *, around: str) -> list[str]:
    """What axe finds, as lines to read."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    # The admin's links fade into another colour, as the scheme changes.
    page.evaluate("Promise.all(document.getAnimations().map(one => one.finished))")
    where = {"include": [around], "exclude": DJANGOS}
    # To preload style sheets, axe would write some into the page, which its policy forbids.
    how = {"resultTypes": ["violations"], "preload": False, **options}
    found = page.evaluate(f"axe.run({json.dumps(where)}, {json.dumps(how)})")["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def check(page: Any, *, around: str = "html") -> None:
    """No violation in light, none of colours in dark, and nothing to the side of a phone."""
    told = page.url
    page.emulate_media(color_scheme="light")
    assert violations(page, {}, around=around) == [], told
    page.emulate_media(color_scheme="dark")
    assert violations(page, COLOURS, around=around) == [], told
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert not is_sideways(page), told
    page.set_viewport_size({"width": 1280, "height": 900})


def look_at(page: Any, *paths: str, around: str = "html", status: int = 200) -> None:
    for path in paths:
        assert page.goto(path).status == status, path
        check(page, around=around)


def test_pages_of_who_starts(visit: Visit, scene: Scene) -> None:
    anna = visit("anna")
    started = [scene.page(one) for one in (scene.with_finance, scene.paid)]
    look_at(anna, "/start/", "/mine/", "/mine/?state=FAILED", scene.task(scene.sent_back), *started)
    order = scene.page(scene.order)
    look_at(visit("shop"), order, f"{order}children/", f"{order}earlier/?after=9.9")
    anna.goto(f"/start/{scene.paid.process_id}/")
    check(anna)
    anna.get_by_role("button", name="Start", exact=True).click()
    expect(anna.locator("[aria-invalid=true]").first).to_be_visible()
    check(anna)


def test_pages_of_who_decides(visit: Visit, scene: Scene) -> None:
    fiona = visit("fiona")
    look_at(fiona, scene.task(scene.paid), "/mail/")
    look_at(fiona, "/nowhere/", status=404)
    fiona.goto(scene.task(scene.with_finance))
    fiona.get_by_text("Hand it on to somebody").click()
    check(fiona)
    fiona.get_by_label("Cost centre").fill("x" * 2_000)
    fiona.get_by_role("button", name="Approve").click()
    expect(fiona.get_by_role("alert")).to_be_visible()
    check(fiona)
    fiona.goto("/")
    fiona.get_by_role("checkbox").last.check()
    fiona.locator("summary").click()
    check(fiona)
    fiona.get_by_role("button", name="Reject").click()
    expect(fiona.get_by_role("status").first).to_contain_text("rejected")
    check(fiona)


def test_pages_of_who_has_nothing_and_of_nobody(visit: Visit, scene: Scene) -> None:
    look_at(visit("anna"), "/?tab=claimed")
    look_at(visit("ivo"), "/mine/")
    look_at(visit("ivo"), scene.task(scene.with_finance), status=404)
    nobody = visit()
    look_at(nobody, "/login/", scene.link)
    look_at(nobody, "/decide/forged/", status=404)
    nobody.goto("/login/")
    nobody.get_by_role("button", name="Log in").click()
    check(nobody)
    nobody.goto(scene.link)
    nobody.get_by_role("button", name="Approve").click()
    check(nobody)


def test_pages_of_the_admin(visit: Visit, scene: Scene) -> None:
    """Those of ours, without the header and the navigation, which are Django's."""
    run, one = TaskRun.objects.latest("pk").pk, WaitingForApproval.objects.latest("pk")
    admin = visit("admin")
    look_at(
        admin,
        f"{ADMIN}/process/{scene.paid.process_id}/change/",
        f"{ADMIN}/process/start/?id={scene.paid.process_id}",
        f"{ADMIN}/processversion/{scene.paid.version_id}/change/",
        f"{ADMIN}/runningprocesses/{scene.with_finance.pk}/change/",
        f"{ADMIN}/runningprocesses/",
        f"{ADMIN}/taskrun/{run}/change/",
        f"{ADMIN}/waitingforapproval/",
        f"{ADMIN}/waitingforapproval/{one.pk}/change/",
        f"{ADMIN}/waitingforapproval/approve/?run={one.task_run_id}",
        around="#content",
    )


def test_what_is_smuggled_into_a_page_is_kept_away(browser: Any, site: str) -> None:
    """The other tests fail where a page breaks the Content-Security-Policy; this one does where there is none."""
    page = browser.new_page(base_url=site)
    page.goto("/login/")
    kept_away = page.evaluate(
        """() => new Promise(resolve => {
            addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective));
            document.body.insertAdjacentHTML("beforeend", '<p onclick="alert(1)">');
            setTimeout(() => resolve("nothing"), 2000);
        })"""
    )
    page.close()
    assert kept_away == "script-src-attr"


@pytest.mark.parametrize("where", ["/login/", "/admin/login/"])
def test_the_browser_knows_all_that_headers_say(visit: Visit, where: str) -> None:
    page, told = visit(), list[str]()
    page.on("console", lambda message: told.append(message.text))
    page.goto(where)
    assert [text for text in told if "favicon" not in text and "404" not in text] == []

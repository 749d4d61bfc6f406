"""The process page in a real browser: what its scripts add, and that nobody is caught in the editor."""

from typing import Any

import pytest
from django.test import Client

from tests.admin.conftest import OWNER, Login
from tests.admin.pages import process_url
from tests.build import code, form, manual, process, run_until_idle
from tests.own import ours
from workflow import operations
from workflow.models import TaskRun, WaitingForApproval

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# The editor draws what was typed when the browser draws next: nobody is as quick as a test.
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"


@pytest.fixture
def visit(page: Any, live_server: Any, boss: Client) -> Any:
    """Opens a page as who is logged in: a superuser, if the test does not log in somebody else."""
    page.set_default_timeout(20_000)

    def open_page(path: str) -> Any:
        cookie = {"name": "sessionid", "value": boss.cookies["sessionid"].value, "url": live_server.url}
        page.context.add_cookies([cookie])
        page.goto(f"{live_server.url}{path}")
        return page

    return open_page


def focused(page: Any, attribute: str) -> str:
    return page.evaluate(f"document.activeElement.{attribute}")


def test_a_task_and_a_row_that_names_it_are_added_in_one_go(visit: Any) -> None:
    made = process("Holiday", {"Ask": code("1")}, (10, "Ask"))
    page = visit(process_url(made))
    page.get_by_text("Add another Task", exact=True).click()
    assert focused(page, "id") == "id_tasks-2-name", "who adds a task can type its name at once"
    page.keyboard.type("Sign")
    page.check("#id_tasks-2-manual")
    offered = page.eval_on_selector_all("#workflow-task-names option", "options => options.map(one => one.value)")
    assert offered == ["Ask", "Sign"]
    page.get_by_text("Add another Task transition").click()
    page.fill("#id_transitions-2-sequence", "20")
    page.fill("#id_transitions-2-task_name", "Sign")
    page.click("[name=_save]")
    page.wait_for_url("**/admin/workflow/process/")
    rows = list(made.transitions.order_by("sequence").values_list("sequence", "task__name", "task__manual"))
    assert rows == [(10, "Ask", False), (20, "Sign", True)]


def test_rows_follow_while_their_task_is_being_renamed(visit: Any) -> None:
    made = process("Holiday", {"A": code("1"), "B": code("2")}, (10, "A"), (20, "B"))
    page = visit(process_url(made))
    page.get_by_role("button", name="A", exact=True).click()
    page.get_by_role("button", name="B", exact=True).click()
    page.fill("#id_tasks-0-name", "B")
    page.fill("#id_tasks-1-name", "A")
    assert page.input_value("#id_transitions-0-task_name") == "B"
    assert page.input_value("#id_transitions-1-task_name") == "A"
    page.click("[name=_save]")
    page.wait_for_url("**/admin/workflow/process/")
    assert [row.task.code for row in made.transitions.order_by("sequence")] == ["1", "2"]


def test_forms_and_separation_follow_while_a_task_is_being_renamed(visit: Any) -> None:
    tasks = {"Check": manual(), "Sign": manual(not_same_as="Check")}
    made = process("Holiday", tasks, (10, "Check"), (20, "Sign"))
    form(made, "Check", days="number")
    page = visit(process_url(made))
    page.click("#tasks-0 .workflow-fold")
    page.fill("#id_tasks-0-name", "Review")
    page.click("[name=_save]")
    page.wait_for_url("**/admin/workflow/process/")
    assert made.tasks.get(name="Sign").not_same_as == "Review"
    assert made.form_fields.get().task.name == "Review"


def test_tab_indents_and_escape_lets_it_go_on(visit: Any) -> None:
    page = visit(process_url())
    page.fill("#id_tasks-0-name", "Ask")
    page.click("#tasks-0 .workflow-editor")
    page.keyboard.type("if data:")
    page.keyboard.press("Enter")
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    page.keyboard.type("x")
    assert page.input_value("#id_tasks-0-code").splitlines()[1].startswith("    ")
    before = page.input_value("#id_tasks-0-code")
    page.evaluate(DRAWN)
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.matches('.ace_scroller')")
    page.keyboard.press("Tab")
    caught_by = page.evaluate("document.activeElement.closest('.workflow-editor') && document.activeElement.outerHTML")
    assert not caught_by, "the keyboard is caught"
    assert page.input_value("#id_tasks-0-code") == before


def test_the_whole_page_can_be_walked_through_with_tab(visit: Any) -> None:
    page = visit(process_url())
    page.focus("#id_name")
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page, "name") == "_check":
            break
    assert focused(page, "name") == "_check"


def test_enter_takes_the_keyboard_into_the_editor_which_has_a_name(visit: Any) -> None:
    page = visit(process_url())
    page.focus("#tasks-0 .ace_scroller")
    assert (
        page.get_attribute("#tasks-0 .ace_scroller", "aria-label") == "Code: press Enter to edit, and Escape to leave"
    )
    page.keyboard.press("Enter")
    page.keyboard.type("1 + 1")
    assert page.input_value("#id_tasks-0-code") == "1 + 1"
    assert "Code" in page.get_attribute("#tasks-0 textarea.ace_text-input", "aria-label")


def test_what_can_not_be_changed_is_not_changed_by_typing(visit: Any, login: Login) -> None:
    made = process("Holiday", {"Ask": code("1")}, (10, "Ask"))
    login(*OWNER)
    page = visit(process_url(made))
    page.get_by_role("button", name="Ask", exact=True).click()
    page.click("#tasks-0 .workflow-editor")
    page.keyboard.type("evil()")
    assert page.input_value("#id_tasks-0-code") == "1"


def test_a_link_from_a_finding_opens_the_task(visit: Any) -> None:
    made = process("Holiday", {"Ask": code("1"), "Spare": manual()}, (10, "Ask"))
    page = visit(process_url(made))
    page.get_by_role("button", name="Spare").click()
    assert page.is_hidden("#id_tasks-1-name")
    page.click("#workflow-examined a")
    page.wait_for_selector("#id_tasks-1-name", state="visible")


def test_removing_a_task_that_was_never_saved_leaves_the_page_working(visit: Any) -> None:
    page = visit(process_url())
    page.get_by_text("Add another Task", exact=True).click()
    page.fill("#id_tasks-1-name", "Gone")
    page.click("#tasks-1 .inline-deletelink")
    page.fill("#id_tasks-0-name", "Kept")
    offered = page.eval_on_selector_all("#workflow-task-names option", "options => options.map(one => one.value)")
    assert offered == ["Kept"]


def test_the_editor_is_dark_where_the_admin_is(visit: Any) -> None:
    page = visit(process_url())
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_selector("#tasks-0 .workflow-editor.ace-github-dark")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.wait_for_selector("#tasks-0 .workflow-editor:not(.ace-github-dark)")


@pytest.mark.parametrize("path", ["process/add/", "process/{key}/change/", "process/start/?id={key}", "process/"])
def test_a_narrow_screen_is_not_left_sideways(visit: Any, path: str) -> None:
    made = process("Holiday", {"Ask": code("oops")}, (10, "Ask", {"then": 99}))
    page = visit("/admin/")
    page.set_viewport_size({"width": 360, "height": 800})
    page = visit(f"/admin/workflow/{path.format(key=made.pk)}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_narrow_screen_shows_an_instance_and_what_it_waits_for(visit: Any) -> None:
    process("Holiday", {"Ask": code("x" * 300 + " = 1\n'y' * 300"), "Sign": manual()}, (10, "Ask"), (20, "Sign"))
    instance = operations.start("Holiday", {"word": "z" * 300})
    run_until_idle()
    waiting = ours(WaitingForApproval).get()
    page = visit("/admin/")
    page.set_viewport_size({"width": 360, "height": 800})
    for path in (
        f"runningprocesses/{instance.pk}/change/",
        "runningprocesses/",
        f"waitingforapproval/{waiting.pk}/change/",
        f"waitingforapproval/approve/?run={waiting.task_run_id}",
        f"processversion/{instance.version_id}/change/",
        f"taskrun/{ours(TaskRun).get(task_name='Ask').pk}/change/",
    ):
        page = visit(f"/admin/workflow/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_a_section_that_holds_something_is_open_and_the_heading_names_the_process(visit: Any) -> None:
    ship = process("Ship", {"Send": code("1")}, (1, "Send"))
    tasks = {"Go": {"subprocess": ship}, "Ask": code("1"), "Sign": manual()}
    made = process("Order", tasks, (1, "Go"), (2, "Ask"), (3, "Sign"))
    page = visit(process_url(made))
    sections = "details => details.map(one => one.open)"
    assert page.eval_on_selector_all("#tasks-0 details", sections) == [False, False, True, False]
    assert page.eval_on_selector_all("#tasks-1 details", sections) == [False] * 4
    for number in range(3):
        page.click(f"#tasks-{number} .workflow-fold")
    assert page.get_attribute("#tasks-0 .inline_label", "data-kind") == "Ship"
    assert page.is_visible("#id_tasks-0-subprocess")
    assert page.is_hidden("#tasks-0 .field-code"), "a sub-process has no code"
    assert page.is_visible("#tasks-1 .field-code")
    assert page.is_hidden("#tasks-1 summary:has-text('who may not decide')"), "nobody decides code"
    assert page.is_hidden("#tasks-1 summary:has-text('Deadlines')")
    assert page.is_visible("#tasks-2 summary:has-text('who may not decide')")
    assert page.is_visible("#tasks-2 summary:has-text('Deadlines')")
    assert page.is_hidden("#tasks-2 summary:has-text('Sub-process')"), "a manual task has no sub-process"
    page.select_option("#id_tasks-0-subprocess", "")
    assert page.is_visible("#tasks-0 .field-code")

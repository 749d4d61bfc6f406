"""One page on which a whole process is defined."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests import build
from tests.admin.pages import Draft, found, messages, process_url, text
from tests.own import ours
from workflow.definition import Field, Kind
from workflow.models import Process, Task, TaskTransitions
from workflow.models.drafts import draft as draft_of

pytestmark = pytest.mark.django_db


def rows(process: Process) -> list[tuple[int, str]]:
    return list(process.transitions.order_by("sequence", "pk").values_list("sequence", "task__name"))


def test_a_whole_process_is_defined_at_once(boss: Client) -> None:
    page = Draft(boss).set(name="Holiday").task("Ask", code="1 + 1").task("Approve", manual="on", approver="boss")
    page.row(10, "Ask").row(20, "Approve", condition='results["Ask"] > 1', on_reject="10")
    response = page.press()
    assert response.status_code == 302, found(response, "x")
    process = Process.objects.get(name="Holiday")
    assert list(process.tasks.values_list("name", "manual", "approver", "code")) == [
        ("Ask", False, "", "1 + 1"),
        ("Approve", True, "boss", ""),
    ]
    assert rows(process) == [(10, "Ask"), (20, "Approve")]
    assert process.transitions.get(sequence=20).on_reject == 10
    assert process.transitions.get(sequence=20).condition == 'results["Ask"] > 1'


def test_a_task_typed_now_is_named_by_a_row_of_an_existing_process(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
    Draft(boss, process).task("Approve", manual="on").row(20, "Approve").press()
    assert rows(process) == [(10, "Ask"), (20, "Approve")]


def test_a_hundred_tasks_are_saved_and_saved_again(boss: Client) -> None:
    """A browser sends some 3,600 fields then, more than Django permits as it comes."""
    names = [f"Task {number}" for number in range(100)]
    page = Draft(boss).set(name="Long")
    for number, name in enumerate(names):
        page.task(name, manual="on").row(number, name)
    assert page.press().status_code == 302
    process = Process.objects.get(name="Long")
    again = Draft(boss, process).set(tasks__99__name="Last")
    assert len(again.data) > 1_000
    assert again.press().status_code == 302
    assert list(process.tasks.order_by("pk").values_list("name", flat=True)) == [*names[:99], "Last"]
    assert rows(process)[-1] == (99, "Last")


def test_an_unknown_name_is_told_at_its_row_and_nothing_is_saved(boss: Client) -> None:
    response = Draft(boss).set(name="Holiday").task("Approve", manual="on").row(10, "Aprove").press()
    assert found(response, "id_transitions-0-task_name_error") == (
        "This process has no task 'Aprove'. Did you mean 'Approve'?"
    )
    assert not ours(Process).exists()


def test_a_row_without_a_task_is_told(boss: Client) -> None:
    response = Draft(boss).set(name="Holiday").row(10, "").press()
    assert found(response, "id_transitions-0-task_name_error") == "This field is required."


def test_nothing_is_saved_where_one_part_is_wrong(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
    response = Draft(boss, process).set(name="Vacation", tasks__0__name="Beg", transitions__0__sequence="-1").press()
    assert response.status_code == 200
    process.refresh_from_db()
    assert (process.name, rows(process)) == ("Holiday", [(10, "Ask")])


def test_rows_follow_a_task_that_is_renamed(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"), (20, "Ask"))
    before = set(process.transitions.values_list("pk", "task"))
    assert Draft(boss, process).set(tasks__0__name="Beg").press().status_code == 302
    assert rows(process) == [(10, "Beg"), (20, "Beg")]
    assert set(process.transitions.values_list("pk", "task")) == before


def test_a_name_means_the_task_that_has_it_now(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
    Draft(boss, process).set(tasks__0__name="Ask first").task("Ask", code="2").press()
    assert process.transitions.get().task.code == "2"


def test_tasks_exchange_their_names(boss: Client) -> None:
    process = build.process("Holiday", {"A": build.code("1"), "B": build.code("2")}, (10, "A"), (20, "B"))
    page = Draft(boss, process).set(tasks__0__name="B", tasks__1__name="A")
    assert page.set(transitions__0__task_name="B", transitions__1__task_name="A").press().status_code == 302
    assert rows(process) == [(10, "B"), (20, "A")]
    assert [row.task.code for row in process.transitions.order_by("sequence")] == ["1", "2"]


def test_a_new_task_takes_the_name_of_one_that_goes(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
    assert Draft(boss, process).set(tasks__0__DELETE="on").task("Ask", code="2").press().status_code == 302
    assert [(row.sequence, row.task.code) for row in process.transitions.all()] == [(10, "2")]


def test_two_tasks_of_one_name_are_told_at_the_second(boss: Client) -> None:
    response = Draft(boss).set(name="Holiday").task("Ask", code="1").task("Ask", code="2").press()
    assert found(response, "id_tasks-1-name_error") == "This process has another task of that name."
    assert not ours(Process).exists()


def test_a_task_goes_together_with_its_rows(boss: Client) -> None:
    process = build.process("Holiday", {"A": build.code("1"), "B": build.code("2")}, (10, "A"), (20, "B"))
    page = Draft(boss, process).set(tasks__0__DELETE="on", transitions__0__DELETE="on")
    assert page.press().status_code == 302
    assert rows(process) == [(20, "B")]


def test_a_row_can_not_keep_a_task_that_goes(boss: Client) -> None:
    process = build.process("Holiday", {"A": build.code("1"), "B": build.code("2")}, (10, "A"), (20, "B"))
    response = Draft(boss, process).set(tasks__0__DELETE="on").press()
    assert found(response, "id_transitions-0-task_name_error") == (
        "The task 'A' is to be deleted. Delete this row too, or give it another task."
    )
    assert rows(process) == [(10, "A"), (20, "B")]


def test_a_row_can_take_another_task_while_its_own_goes(boss: Client) -> None:
    process = build.process("Holiday", {"A": build.code("1"), "B": build.code("2")}, (10, "A"), (20, "B"))
    page = Draft(boss, process).set(tasks__0__DELETE="on", transitions__0__task_name="B")
    assert page.press().status_code == 302
    assert rows(process) == [(10, "B"), (20, "B")]


def test_a_draft_with_mistakes_is_saved_and_says_why_it_can_not_be_started(boss: Client) -> None:
    page = (
        Draft(boss).set(name="Holiday").task("Ask", code="oops").task("Wait").row(10, "Ask").row(20, "Wait", then="30")
    )
    response = page.press(follow=True)
    process = Process.objects.get(name="Holiday")
    assert response.redirect_chain == [(process_url(process), 302)]
    assert messages(response)[-1] == "It is saved as a draft, and can be started once its 3 mistakes are mended."
    assert "3 errors: it can't be started yet" in text(response)
    assert "Error line 1, column" in found(response, "id_tasks-0-code_error")
    assert found(response, "id_tasks-1-code_error").startswith("Error Nobody and nothing does this task")
    assert found(response, "transitions-1-found") == (
        "Error then: Goes to step 30 when finished, but there is no step 30. There are 10, 20."
    )
    page_html = response.content.decode()
    assert 'href="#transitions-1"' in page_html
    assert 'href="#tasks-1"' in page_html
    assert "/admin/workflow/process/start/" not in page_html


def test_a_sound_draft_leads_back_to_the_list(boss: Client) -> None:
    response = Draft(boss).set(name="Holiday").task("Ask", code="1").row(10, "Ask").press(follow=True)
    assert response.redirect_chain[-1][0] == "/admin/workflow/process/"


def test_warnings_are_told_apart_and_stop_nothing(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1"), "Spare": build.code("2")}, (10, "Ask"))
    response = boss.get(process_url(process))
    assert found(response, "id_tasks-1-name_error").startswith("Warning This task is at no step")
    assert "It can be started; these warnings are worth a look" in text(response)
    assert "/admin/workflow/process/start/?id=" in response.content.decode()


def test_a_check_looks_at_what_is_typed_and_saves_nothing(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
    page = (
        Draft(boss, process).set(name="Vacation", tasks__0__code="oops").task("New", code="2").row(10, "New", then="99")
    )
    response = page.press("_check")
    assert response.status_code == 200
    assert "2 errors: it can't be started yet" in text(response)
    assert "It is not saved yet." in text(response)
    assert found(response, "id_tasks-0-code_error")
    assert "there is no step 99" in found(response, "transitions-1-found")
    assert response.context["examined"].definition.name == "Vacation"
    process.refresh_from_db()
    assert (process.name, process.tasks.get().code, process.transitions.count()) == ("Holiday", "1", 1)


def test_a_process_that_was_never_saved_is_checked(boss: Client) -> None:
    response = Draft(boss).set(name="Holiday").task("Ask", code="1").row(10, "Ask").press("_check")
    assert "No mistakes found: it can be started" in text(response)
    assert not ours(Process).exists()
    assert not ours(Task).exists()


def test_what_was_checked_can_be_saved_as_it_stands(boss: Client) -> None:
    page = Draft(boss).set(name="Holiday").task("Ask", code="1").row(10, "Ask")
    page.data = {**page.data}
    assert page.press("_check").status_code == 200
    assert page.press().status_code == 302
    assert rows(ours(Process).get()) == [(10, "Ask")]


def test_a_check_of_fields_that_are_wrong_tells_these(boss: Client) -> None:
    response = Draft(boss).set(name="").task("Ask", code="1").row(10, "Ask").press("_check")
    assert found(response, "id_name_error") == "This field is required."
    assert "examined" not in response.context


def test_the_draft_is_drawn_with_links_to_its_rows(boss: Client) -> None:
    process = build.process("Holiday", {"Ask": build.code("1"), "Sign": build.manual()}, (10, "Ask"), (20, "Sign"))
    page = boss.get(process_url(process)).content.decode()
    assert 'class="workflow-diagram"' in page
    assert '<a href="#transitions-1">' in page


def test_the_names_that_code_can_use_are_shown_with_their_signatures(boss: Client) -> None:
    page = text(boss.get(process_url()))
    assert "note(text: str) -> int" in page
    assert "Append a line to the file" in page
    assert "The instance's data, a dict." in page


def test_rows_stand_in_the_order_of_their_sequence(boss: Client) -> None:
    process = build.process("Holiday", {"A": build.code("1"), "B": build.code("2")}, (20, "A"), (10, "B"))
    response = boss.get(process_url(process))
    shown = [
        form.initial.get("task_name") for form in response.context["inline_admin_formsets"][1].formset.initial_forms
    ]
    assert shown == ["B", "A"]


def test_the_page_takes_the_same_queries_however_large_the_process_is(
    boss: Client, django_assert_max_num_queries
) -> None:
    tasks = {f"Task {number}": build.code("1") for number in range(20)}
    process = build.process("Large", tasks, *((number, task) for number, task in enumerate(tasks)))
    with django_assert_max_num_queries(12):
        boss.get(process_url(process))


def test_what_is_typed_is_escaped(boss: Client) -> None:
    name = "<script>alert(1)</script>"
    response = (
        Draft(boss).set(name=name).task(name, code="1 +").row(10, name, condition=f"'{name}' +").press(follow=True)
    )
    assert "<script>alert" not in response.content.decode()
    assert ours(TaskTransitions).get().task.name == name


class TestTimeOut:
    @pytest.mark.parametrize(
        ("typed", "span"), [("3d", timedelta(days=3)), ("1d 12h", timedelta(hours=36)), (" 90m ", timedelta(hours=1.5))]
    )
    def test_it_is_typed_as_people_write_it(self, boss: Client, typed: str, span: timedelta) -> None:
        process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
        assert Draft(boss, process).set(tasks__0__timeout=typed).press().status_code == 302
        assert process.tasks.get().timeout == span
        assert Draft(boss, process).data["tasks-0-timeout"] in {"3d", "1d 12h", "1h 30m"}
        Draft(boss, process).set(tasks__0__timeout="").press()
        assert process.tasks.get().timeout is None

    @pytest.mark.parametrize(
        ("typed", "told"),
        [
            ("soon", "'soon' is no time span: write one such as 3d, 1d 12h or 90m."),
            ("90", "90 of what? Write 90d for days, 90h, 90m (minutes) or 90s."),
            ("0s", "Give 1s or more, or leave it blank."),
            ("0.5s", "Give 1s or more, or leave it blank."),
        ],
    )
    def test_what_is_wrong_is_told_and_left_as_it_was_typed(self, boss: Client, typed: str, told: str) -> None:
        process = build.process("Holiday", {"Ask": build.code("1")}, (10, "Ask"))
        response = Draft(boss, process).set(tasks__0__timeout=typed).press()
        assert found(response, "id_tasks-0-timeout_error") == told
        assert f'value="{typed}"' in response.content.decode()
        assert process.tasks.get().timeout is None

    def test_a_page_sent_back_as_it_was_changes_nothing(self, boss: Client) -> None:
        span = timedelta(days=1, microseconds=1)
        process = build.process("Holiday", {"Ask": build.code("1", timeout=span)}, (10, "Ask"))
        page = Draft(boss, process)
        assert page.data["tasks-0-timeout"] == "1d 0.000001s"
        page.press()
        assert process.tasks.get().timeout == span


class TestSubProcess:
    def test_it_is_chosen_with_what_goes_in_and_out(self, boss: Client) -> None:
        ship = build.process("Ship", {"Send": build.code("1")}, (1, "Send"))
        page = Draft(boss).set(name="Order").row(1, "Go")
        page.task("Go", subprocess=str(ship.pk), input='{"a": data["b"]}', output="data")
        assert page.press().status_code == 302
        task = Task.objects.get(name="Go")
        assert (task.subprocess, task.input, task.output) == (ship, '{"a": data["b"]}', "data")

    def test_a_mistake_stands_at_its_field_in_a_section_that_is_open(self, boss: Client) -> None:
        ship = build.process("Ship", {"Send": build.code("1")}, (1, "Send"))
        fields = {"subprocess": ship, "input": "oops("}
        process = build.process("Order", {"Go": fields, "Fine": {"subprocess": ship}}, (1, "Go"), (2, "Fine"))
        response = boss.get(process_url(process))
        assert "line 1, column" in found(response, "id_tasks-0-input_error")
        parts = response.content.decode().split('id="tasks-1"')[0].split('id="tasks-0"')[1]
        section = parts.split("Sub-process</h4>")[0].rpartition("<fieldset")[2]
        assert "<details>" not in section

    def test_a_task_can_not_be_manual_as_well(self, boss: Client) -> None:
        ship = build.process("Ship", {"Send": build.code("1")}, (1, "Send"))
        process = build.process("Order", {"Go": {"subprocess": ship, "manual": True}}, (1, "Go"))
        response = boss.get(process_url(process))
        assert "This task is manual and is the process 'Ship' as well." in found(
            response, "id_tasks-0-subprocess_error"
        )

    def test_many_tasks_and_processes_take_no_more_queries(
        self, boss: Client, django_assert_max_num_queries: pytest.FixtureRequest
    ) -> None:
        def queries(process: Process) -> int:
            with django_assert_max_num_queries(60) as counted:  # type: ignore[operator]
                boss.get(process_url(process))
            return len(counted)

        ship = build.process("Ship", {"Send": build.code("1")}, (1, "Send"))
        few = build.process("Few", {"Go": {"subprocess": ship}}, (1, "Go"))
        names = [f"Go {number}" for number in range(20)]
        others = [build.process(name, {"A": build.code("1")}, (1, "A")) for name in names]
        many = build.process(
            "Many",
            {name: {"subprocess": other} for name, other in zip(names, others, strict=True)},
            *enumerate(names),
        )
        queries(few)
        assert queries(many) == queries(few)


class TestForms:
    """The fields of forms: each names its task on the page, or none, where it is asked at the start."""

    def test_they_are_saved_with_tasks_that_are_new_on_the_page(self, boss: Client) -> None:
        draft = Draft(boss).set(name="P").task("Sign", manual="on", quorum="2", instructions="# Look").row(1, "Sign")
        draft.field("amount", kind="money", required="on").field(
            "price", task_name="Sign", kind="choice", choices="a\r\nb\u2028c\x0bd"
        )
        draft.field("first", task_name="Sign", position="0").set(form_fields__1__position="1")
        draft.press()
        definition = draft_of(ours(Process).get())
        assert (definition.fields, definition.tasks[0].fields) == (
            (Field(name="amount", kind=Kind.MONEY, required=True),),
            (Field(name="first"), Field(name="price", kind=Kind.CHOICE, choices=("a", "b\u2028c\x0bd"))),
        )
        task = ours(Task).get()
        assert (task.quorum, task.instructions) == (2, "# Look")

    def test_what_is_wrong_with_one_stands_at_it(self, boss: Client) -> None:
        draft = Draft(boss).set(name="P").task("Sign", manual="on").task("Work", code="1").row(1, "Sign").row(2, "Work")
        draft.field("a b").field("c", task_name="Sign", kind="choice").field("d", task_name="Work")
        response = draft.press("_check")
        assert "A field can't be named 'a b'" in found(response, "form_fields-0-found")
        assert "The field 'c' is a choice, and has no choices" in found(response, "form_fields-1-found")
        assert "this one is not manual" in found(response, "id_tasks-1-name_error")
        draft.set(form_fields__1__task_name="Sing")
        assert "This process has no task 'Sing'. Did you mean 'Sign'?" in text(draft.press())

    def test_who_starts_it_is_known(self, boss: Client) -> None:
        draft = Draft(boss).set(name="P", starters="boss, nobody")
        assert "No active user and no group has the name 'nobody'." in text(draft.press())
        Group.objects.create(name="boss")
        draft.set(starters="boss")
        assert "A user and a group are both named 'boss'. Write user:boss or group:boss." in text(draft.press())
        draft.set(starters="user:boss").press()
        assert ours(Process).get().starters == "user:boss"

    def test_one_whose_task_is_deleted_must_go_too(self, boss: Client) -> None:
        made = build.process("P", {"A": build.manual(), "B": build.manual()}, (1, "A"))
        build.form(made, "B", x="text")
        draft = Draft(boss, made).set(tasks__1__DELETE="on")
        assert "The task 'B' is to be deleted. Delete this row too" in text(draft.press())
        draft.set(form_fields__0__DELETE="on").press()
        assert not made.form_fields.exists()

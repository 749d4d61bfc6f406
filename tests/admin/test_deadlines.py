"""In the admin: calendars, deadlines of tasks, and what is overdue."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from tests.admin.conftest import VIEW, Login
from tests.admin.pages import Draft, text
from tests.build import manual, process
from tests.own import ours
from workflow import clock
from workflow.models import BusinessCalendar, Task, WaitingForApproval
from workflow.testing import Workflow

pytestmark = pytest.mark.django_db

CALENDARS = "/admin/workflow/businesscalendar/"
WAITING = "/admin/workflow/waitingforapproval/"
FRIDAY = datetime(2026, 1, 2, 15, tzinfo=UTC)


def filled(**fields: str) -> dict[str, str]:
    return {"name": "Vienna", "time_zone": "Europe/Vienna", "hours": "Mon-Fri 09:00-17:00", **fields}


class TestCalendars:
    def test_one_is_made_and_shows_what_comes_of_it(self, boss: Client) -> None:
        given = filled(country="AT", subdivision="9", days_off="2026-01-05 Moving house", is_default="on")
        assert boss.post(f"{CALENDARS}add/", given).status_code == 302
        with clock.stopped(FRIDAY):
            page = text(boss.get(f"{CALENDARS}{ours(BusinessCalendar).get().pk}/change/"))
        assert "Mon 2026-01-05 Moving house Tue 2026-01-06 Epiphany" in page
        assert (
            "4h of working time from Fri 2 Jan 2026 16:00, by the calendar 'Vienna' (Europe/Vienna): Wed 7 Jan" in page
        )

    @pytest.mark.parametrize(
        ("field", "given", "told"),
        [
            ("time_zone", "Vienna", "There is no time zone 'Vienna': give one such as Europe/Vienna."),
            ("hours", "Mon-Fri", "Friday has no hours. Write some, such as Mon-Fri 09:00-17:00."),
            ("country", "utils", "There is no code 'utils'."),
            ("country", "AU!", "There is no code 'AU!'. Did you mean 'AU'"),
            ("subdivision", "9", "It is a subdivision of which country?"),
            ("days_off", "Christmas", "'Christmas' in 'Christmas' is no date: write lines such as"),
        ],
    )
    def test_each_mistake_is_told_at_its_field(self, boss: Client, field: str, given: str, told: str) -> None:
        response = boss.post(f"{CALENDARS}add/", filled(**{field: given}))
        assert list(response.context["adminform"].form.errors) == [field]
        assert response.context["adminform"].form.errors[field][0].startswith(told)
        assert not ours(BusinessCalendar).exists()

    def test_a_subdivision_is_one_of_its_country(self, boss: Client) -> None:
        errors = boss.post(f"{CALENDARS}add/", filled(country="AT", subdivision="77")).context["adminform"].form.errors
        assert list(errors) == ["subdivision"]
        assert errors["subdivision"][0].startswith("There is no code '77'.")

    def test_public_holidays_need_a_package_that_may_be_missing(
        self, boss: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "holidays", None)
        errors = boss.post(f"{CALENDARS}add/", filled(country="NZ")).context["adminform"].form.errors
        assert errors["country"] == [
            "Public holidays need the package “holidays” (pip install holidays). Or write them as other days off."
        ]

    def test_one_that_somebody_has_spoilt_can_be_looked_at_and_mended(self, boss: Client) -> None:
        spoilt = BusinessCalendar.objects.create(name="Office", hours="never")
        page = text(boss.get(f"{CALENDARS}{spoilt.pk}/change/"))
        assert page.count("'never' is neither days nor hours") == 2
        assert boss.post(f"{CALENDARS}{spoilt.pk}/change/", filled()).status_code == 302

    def test_one_is_the_default(self, boss: Client) -> None:
        BusinessCalendar.objects.create(name="Other", is_default=True)
        errors = boss.post(f"{CALENDARS}add/", filled(is_default="on")).context["adminform"].form.errors
        assert errors["__all__"] == ["Another calendar is the default. Untick it there first."]

    def test_one_that_tasks_name_stays(self, boss: Client) -> None:
        calendar = BusinessCalendar.objects.create(name="Office")
        process("P", {"Sign": manual(due="1d", calendar=calendar)}, (1, "Sign"))
        boss.post(f"{CALENDARS}{calendar.pk}/delete/", {"post": "yes"})
        assert ours(BusinessCalendar).exists()


def test_deadlines_are_set_on_the_page_of_the_process(boss: Client) -> None:
    calendar = BusinessCalendar.objects.create(name="Office")
    made = process("P", {"Sign": manual()}, (1, "Sign"))
    given = {"due": "2d", "calendar": str(calendar.pk), "remind": "-4h, 0", "by_default": "reject"}
    page = Draft(boss, made).set(**{f"tasks__0__{field}": value for field, value in given.items()})
    assert page.press().status_code == 302
    task = ours(Task).get()
    assert (task.due, task.calendar, task.remind, task.by_default) == ("2d", calendar, "-4h, 0", "reject")
    page = Draft(boss, made).set(tasks__0__due="soon", tasks__0__remind="0")
    assert "Due after: 'soon' is no time span" in text(page.press("_check"))


class TestWaiting:
    @pytest.fixture
    def waiting(self, login: Login) -> WaitingForApproval:
        """Overdue since an hour, with more to come."""
        login(*VIEW)
        fields = {"due": "1h", "remind": "1h 30m", "escalate_to": "olga", "escalate_after": "2h"}
        process("P", {"Sign": manual(**fields, by_default="reject", by_default_after="1d")}, (1, "Sign"))
        process("Q", {"Sign": manual()}, (1, "Sign"))
        with Workflow(at=clock.now() - timedelta(hours=2)) as workflow:
            workflow.start("P")
            workflow.start("Q")
            return workflow.waiting("P", "Sign")

    def test_what_is_overdue_is_marked_and_found(self, client: Client, waiting: WaitingForApproval) -> None:
        assert "overdue" in client.get(WAITING).content.decode()
        listed = client.get(f"{WAITING}?due=over").context["cl"].result_list
        assert list(listed) == [waiting]

    def test_its_page_says_how_that_was_counted_and_what_comes(
        self, client: Client, waiting: WaitingForApproval
    ) -> None:
        page = text(client.get(f"{WAITING}{waiting.pk}/change/"))
        assert waiting.due_why in page
        assert "they are reminded" in page
        assert "olga are asked as well" in page
        assert "it is rejected by default" in page
        other = ours(WaitingForApproval).get(process_name="Q")
        assert "Deadlines" not in text(client.get(f"{WAITING}{other.pk}/change/"))

    def test_the_page_of_its_instance_says_so(self, client: Client, waiting: WaitingForApproval) -> None:
        page = text(client.get(f"/admin/workflow/runningprocesses/{waiting.rpid_id}/change/"))
        assert "“Sign” has been overdue since" in page

    def test_the_page_of_its_instance_tells_what_was_done(self, client: Client, waiting: WaitingForApproval) -> None:
        with Workflow(at=clock.now() + timedelta(days=2)) as workflow:
            workflow.run()
        page = text(client.get(f"/admin/workflow/runningprocesses/{waiting.rpid_id}/change/"))
        assert "decide by default 'Sign': reject : “1 day from" in page
        assert "by default, as nobody had decided in time" in page
        page = text(client.get(f"/admin/workflow/taskrun/{waiting.task_run_id}/change/"))
        assert "Nobody in time: by default" in page

"""Absences: who may enter them for whom, the audit trail, and the e-mail to the absent person."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail

from tests.mail.steps import run
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, give_address, rename, user_named
from workflow import operations
from workflow.errors import BadData, NotAllowed
from workflow.models import Absence, AbsenceChange, MailPreference, MailWish, Notice, NoticeState
from workflow.people.absences import described

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = {"first_day": date(2026, 3, 2), "last_day": date(2026, 3, 6)}


@pytest.fixture
def hr(people: People) -> Any:
    user = User.objects.create_user("hr", first_name="Hanna", last_name="Ruhe")
    user.user_permissions.add(Permission.objects.get(codename="manage_absences"))
    return User.objects.get(pk=user.pk)


@pytest.fixture(autouse=True)
def _addresses(people: People) -> None:
    for user in people:
        give_address(user.get_username(), f"{user.get_username()}@example.com")


def absence(user: Any, stand_in: Any, **days: date) -> Absence:
    return Absence(user=user, stand_in=stand_in, **{**DAYS, **days})


def kept() -> list[tuple[str, str, str, str]]:
    """The audit trail: by whom, what, and what it was before and after."""
    rows = AbsenceChange.objects.order_by("pk")
    return [(one.made.who, one.action, described(one.before), described(one.after)) for one in rows]


class TestWho:
    def test_everybody_for_themselves_and_nobody_is_told(self, people: People) -> None:
        own = absence(people.anna, people.bert)
        operations.save_absence(own, people.anna)
        own.stand_in = people.carl
        operations.save_absence(own, people.anna)
        operations.delete_absence(own, people.anna)
        assert not ours(Notice).exists()
        bert, carl = (f"{name} for anna, from March 2, 2026 to March 6, 2026" for name in ("bert", "carl"))
        assert kept() == [("anna", "ADDED", "", bert), ("anna", "CHANGED", bert, carl), ("anna", "DELETED", carl, "")]

    def test_for_others_it_takes_a_permission(self, people: People, hr: Any) -> None:
        of_anna = absence(people.anna, people.bert)
        with pytest.raises(
            NotAllowed, match="emil may not enter, change or delete an absence of anna: .*manage_absences"
        ):
            operations.save_absence(of_anna, people.emil)
        assert not ours(Absence).exists()
        change = operations.save_absence(of_anna, hr)
        assert (change.user, change.by) == (people.anna, hr)
        with pytest.raises(NotAllowed, match="emil may not"):
            operations.delete_absence(of_anna, people.emil)
        of_anna.user = people.emil
        with pytest.raises(NotAllowed, match="emil may not"):  # not by making it theirs either
            operations.save_absence(of_anna, people.emil)
        assert str(ours(Absence).get()) == "bert for anna"
        assert len(kept()) == 1

    def test_nobody_names_themselves(self, people: People, hr: Any) -> None:
        bystander = absence(people.dora, people.emil)
        operations.save_absence(bystander)
        for by in (hr, people.root):
            with pytest.raises(
                NotAllowed, match=f"{by} may not become the stand-in of anna by an absence that they enter"
            ):
                operations.save_absence(absence(people.anna, by), by)
            bystander.stand_in = by
            with pytest.raises(NotAllowed, match=f"{by} may not become the stand-in of dora"):
                operations.save_absence(bystander, by)
        assert str(ours(Absence).get()) == "emil for dora"

    def test_nor_by_way_of_others_who_are_away_on_one_of_the_days(self, people: People, hr: Any) -> None:
        operations.save_absence(
            absence(people.bert, hr, first_day=DAYS["last_day"], last_day=DAYS["last_day"]), people.bert
        )
        operations.save_absence(absence(people.carl, people.bert), people.carl)
        with pytest.raises(NotAllowed, match="hr may not become the stand-in of anna"):
            operations.save_absence(absence(people.anna, people.carl), hr)
        before = {"first_day": DAYS["first_day"], "last_day": DAYS["last_day"] - timedelta(days=1)}
        operations.save_absence(absence(people.anna, people.carl, **before), hr)

    def test_nor_by_more_days_of_one_that_names_them(self, people: People, hr: Any) -> None:
        of_anna = absence(people.anna, hr)
        operations.save_absence(of_anna, people.anna)
        of_anna.last_day += timedelta(days=300)
        with pytest.raises(NotAllowed, match="hr may not become"):
            operations.save_absence(of_anna, hr)
        operations.delete_absence(of_anna, hr)

    def test_the_program_may(self, people: People) -> None:
        operations.save_absence(absence(people.anna, people.bert))
        assert kept()[0][:2] == ("A program", "ADDED")

    def test_what_makes_no_sense_is_refused(self, people: People) -> None:
        with pytest.raises(BadData, match="The last day is before the first"):
            operations.save_absence(absence(people.anna, people.bert, last_day=date(2026, 3, 1)), people.anna)
        with pytest.raises(BadData, match="Nobody stands in for themselves"):
            operations.save_absence(absence(people.anna, people.anna), people.anna)
        assert kept() == []


class TestTold:
    def test_the_absent_person_in_their_language_whatever_they_wish(
        self, people: People, hr: Any, settings: Any
    ) -> None:
        settings.WORKFLOW = {"SITE_URL": "https://workflow.example.com"}
        MailPreference.objects.create(user=people.anna, wish=MailWish.NONE, language="de")
        of_anna = absence(people.anna, people.bert)
        operations.save_absence(of_anna, hr)
        run()
        (message,) = mail.outbox
        assert message.to == ["anna@example.com"]
        assert "2. März 2026" in message.body
        assert "bert" in message.body
        assert "Hanna Ruhe" not in message.subject
        assert ours(Notice).get().state == NoticeState.SENT

    def test_what_was_changed_and_what_was_deleted(self, people: People, hr: Any) -> None:
        of_anna = absence(people.anna, people.bert)
        operations.save_absence(of_anna, hr)
        of_anna.user, of_anna.stand_in = people.dora, people.carl
        operations.save_absence(of_anna, hr)
        operations.delete_absence(of_anna, hr)
        operations.delete_absence(of_anna, hr)  # twice: it is gone
        run()
        told = [(message.to[0].split("@")[0], message.body.splitlines()[0]) for message in mail.outbox]
        assert sorted(told) == [
            ("anna", "hr has changed an absence of yours."),
            ("anna", "hr has entered an absence for you."),
            ("dora", "hr has changed an absence of yours."),
            ("dora", "hr has deleted an absence of yours."),
        ]
        changed = next(message.body for message in mail.outbox if "has changed" in message.body)
        assert (
            changed.index("Before:")
            < changed.index("bert for anna")
            < changed.index("Now:")
            < changed.index("carl for dora")
        )
        assert any("This was deleted:" in message.body for message in mail.outbox)

    def test_html_in_a_name_is_text(self, people: People, hr: Any) -> None:
        rename("bert", "<b>B</b>\u2028")
        operations.save_absence(absence(people.anna, user_named("<b>B</b>\u2028")), hr)
        run()
        (message,) = mail.outbox
        assert "&lt;b&gt;B&lt;/b&gt;" in str(message.alternatives[0][0])

    def test_nothing_is_queued_for_what_was_refused_or_where_mail_is_off(
        self, people: People, hr: Any, settings: Any
    ) -> None:
        with pytest.raises(NotAllowed):
            operations.save_absence(absence(people.anna, hr), hr)
        settings.WORKFLOW = {"MAIL": False}
        operations.save_absence(absence(people.anna, people.bert), hr)
        assert not ours(Notice).exists()
        assert len(kept()) == 1


def test_it_is_kept_when_its_people_are_gone(people: People, hr: Any) -> None:
    operations.save_absence(absence(people.anna, people.bert), hr)
    before = kept()
    for user in (people.bert, hr, people.anna):
        user.delete()
    assert not ours(Absence).exists()
    assert kept() == before

"""Absences in the admin: one's own, and those of others."""

from datetime import date
from typing import Any

import pytest
from django.test import Client

from tests.admin.pages import text
from tests.own import ours
from tests.users import User
from workflow import operations
from workflow.models import Absence, AbsenceChange

pytestmark = pytest.mark.django_db
PAGES = "/admin/workflow/absence/"
DAYS = {"first_day": "2026-03-01", "last_day": "2026-03-02"}
OWN = ("add_absence", "change_absence", "delete_absence", "view_absence")


@pytest.fixture
def anna() -> Any:
    return User.objects.create_user("anna")


@pytest.fixture
def bert() -> Any:
    return User.objects.create_user("bert")


@pytest.fixture
def of_anna(anna: Any, bert: Any) -> Absence:
    one = Absence(user=anna, stand_in=bert, first_day=date(2026, 3, 1), last_day=date(2026, 3, 2))
    operations.save_absence(one)
    return one


def test_without_the_permission_it_is_ones_own(client: Client, login: Any, anna: Any, bert: Any) -> None:
    olga = login(*OWN)
    assert client.post(f"{PAGES}add/", {"user": anna.pk, "stand_in": bert.pk, **DAYS}).status_code == 302
    own = ours(Absence).get()
    assert (own.user, own.stand_in) == (olga, bert)
    assert "Nobody stands in for themselves." in text(client.post(f"{PAGES}add/", {"stand_in": olga.pk, **DAYS}))
    client.post(f"{PAGES}{own.pk}/change/", {"stand_in": anna.pk, **DAYS})
    client.post(f"{PAGES}{own.pk}/delete/", {"post": "yes"})
    done = [(one.action, one.by, one.made.details) for one in AbsenceChange.objects.order_by("pk")]
    assert done == [(action, olga, "in the admin") for action in ("ADDED", "CHANGED", "DELETED")]


@pytest.mark.usefixtures("of_anna")
def test_those_of_others_are_only_looked_at(client: Client, login: Any, of_anna: Absence) -> None:
    olga = login(*OWN)
    own = Absence(user=olga, stand_in=of_anna.user, first_day=of_anna.first_day, last_day=of_anna.last_day)
    operations.save_absence(own, olga)
    address = f"{PAGES}{of_anna.pk}/change/"
    assert client.get(address).status_code == 200
    assert client.post(address, {"stand_in": olga.pk, **DAYS}).status_code == 403
    assert client.post(f"{PAGES}{of_anna.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [own.pk, of_anna.pk], "post": "yes"}
    assert client.post(PAGES, chosen).status_code == 403
    assert ours(Absence).count() == 2


def test_with_it_anybody_but_never_with_oneself_as_the_stand_in(
    client: Client, login: Any, anna: Any, of_anna: Absence
) -> None:
    olga = login(*OWN, "manage_absences", "view_absencechange")
    told = text(client.post(f"{PAGES}add/", {"user": anna.pk, "stand_in": olga.pk, **DAYS}))
    assert "olga may not become the stand-in of anna" in told
    dora = User.objects.create_user("dora")
    assert (
        client.post(f"{PAGES}{of_anna.pk}/change/", {"user": anna.pk, "stand_in": dora.pk, **DAYS}).status_code == 302
    )
    chosen = {"action": "delete_selected", "_selected_action": [of_anna.pk], "post": "yes"}
    assert client.post(PAGES, chosen).status_code == 302
    assert not ours(Absence).exists()
    trail = text(client.get("/admin/workflow/absencechange/"))
    assert "dora for anna, from March 1, 2026 to March 2, 2026" in trail
    newest = AbsenceChange.objects.first()
    assert newest is not None
    page = f"/admin/workflow/absencechange/{newest.pk}/"
    assert "olga" in text(client.get(f"{page}change/"))
    for way in ("change", "delete"):
        assert client.post(f"{page}{way}/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("value", ["", "4711", "x", "9" * 30, "\0"])
def test_odd_input_is_an_error_on_the_page(boss: Client, value: str) -> None:
    assert boss.post(f"{PAGES}add/", {"user": value, "stand_in": value, **DAYS}).status_code == 200
    assert not ours(Absence).exists()

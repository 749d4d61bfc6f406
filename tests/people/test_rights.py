"""What waits for whom: an inbox has what one may decide and is asked, by a number of queries that does not grow."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.users import User, named, user_named
from workflow import clock, operations
from workflow.errors import AlreadyDecided
from workflow.models import Absence, Decision, Process, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def sign(approver: str = "", name: str = "Sign", **fields: Any) -> Process:
    return process(name, {"Sign": manual(approver, **fields), "End": code("1")}, (1, "Sign"), (2, "End"))


def away(user: Any, stand_in: Any, *, first: int = 0, last: int = 0) -> Absence:
    """So many days from `NOON`."""
    days = {"first_day": NOON.date() + timedelta(days=first), "last_day": NOON.date() + timedelta(days=last)}
    return Absence.objects.create(user=user, stand_in=stand_in, **days)


def asked(people: People) -> set[str]:
    """Whose inbox has something."""
    return {user.get_username() for user in people if operations.inbox(user).exists()}


@pytest.mark.parametrize(
    ("approver", "inboxes"),
    [
        ("", {"staff", "root"}),
        ("anna", {"anna"}),
        ("managers", {"carl", "dora"}),
        ("anna, managers", {"anna", "carl", "dora"}),
        ("=['anna', 'emil']", {"anna", "emil"}),
    ],
)
def test_an_inbox_has_what_the_user_is_asked(people: People, approver: str, inboxes: set[str]) -> None:
    sign(approver)
    waiting = waits("Sign")
    assert asked(people) == inboxes
    may = {user.get_username() for user in people if operations.may_decide(user, waiting)}
    assert may == inboxes | {"root"}
    assert {user.get_username() for user in people if not operations.why_not(user, waiting)} == may


def test_an_inbox_has_only_what_one_may_decide(people: People) -> None:
    sign("managers", "Own", not_starter=True)
    sign("managers", "Voted", quorum=2)
    sign("managers", "Held")
    own, voted, held = waits("Own", user=people.carl), waits("Voted"), waits("Held")
    operations.approve(voted, by=people.carl)
    operations.claim(held, people.dora)
    assert list(operations.inbox(people.carl)) == []
    assert set(operations.inbox(people.dora)) == {own, voted, held}


def test_who_joins_a_group_is_asked_and_who_leaves_it_no_more(people: People) -> None:
    sign("managers")
    waits("Sign")
    people.emil.groups.add(ours(Group).get())
    people.carl.groups.clear()
    assert asked(people) == {"dora", "emil"}


def test_what_somebody_holds_who_has_left_is_open_again(people: People) -> None:
    sign("managers")
    waiting = waits("Sign")
    operations.claim(waiting, people.dora)
    ours(User).filter(pk=people.dora.pk).update(is_active=False)
    assert list(operations.inbox(people.carl)) == [waiting]
    assert operations.approve(waiting, by=people.carl).state == "FINISHED"


class TestStandIns:
    @pytest.mark.parametrize(
        ("first", "last", "stands_in"), [(0, 0, True), (-3, 3, True), (1, 2, False), (-2, -1, False)]
    )
    def test_for_these_days(self, people: People, first: int, last: int, *, stands_in: bool) -> None:
        sign("anna")
        waiting = waits("Sign")
        away(people.anna, people.emil, first=first, last=last)
        with clock.stopped(NOON):
            assert asked(people) == ({"anna", "emil"} if stands_in else {"anna"})
            assert operations.may_decide(people.emil, waiting) is stands_in

    def test_it_is_kept_for_whom(self, people: People) -> None:
        sign("managers")
        waiting = waits("Sign")
        away(people.carl, people.emil)
        with clock.stopped(NOON):
            run = operations.approve(waiting, by=people.emil)
        vote = ours(Decision).get()
        assert (run.decided_by, vote.user, vote.on_behalf_of) == (people.emil, people.emil, people.carl)

    def test_one_vote_for_both(self, people: People) -> None:
        sign("managers", quorum=2)
        waiting = waits("Sign")
        away(people.carl, people.emil)
        with clock.stopped(NOON):
            operations.approve(waiting, by=people.emil)
            assert asked(people) == {"dora"}
            with pytest.raises(AlreadyDecided):
                operations.approve(waiting, by=people.carl)

    def test_of_a_stand_in(self, people: People) -> None:
        sign("anna")
        waits("Sign")
        away(people.anna, people.bert)
        away(people.bert, people.emil)
        away(people.emil, people.anna)
        with clock.stopped(NOON):
            assert asked(people) == {"anna", "bert", "emil"}

    def test_not_for_one_who_may_not_decide_it(self, people: People) -> None:
        sign("anna, bert", not_starter=True)
        waits("Sign", user=people.anna)
        away(people.anna, people.emil)
        with clock.stopped(NOON):
            assert asked(people) == {"bert"}

    def test_not_for_one_who_has_left(self, people: People) -> None:
        sign("anna, bert")
        waits("Sign")
        away(people.anna, people.emil)
        ours(User).filter(pk=people.anna.pk).update(is_active=False)
        with clock.stopped(NOON):
            assert asked(people._replace(anna=user_named("anna"))) == {"bert"}


class TestNobodyLeft:
    """What too few active people are left for is found, however that came."""

    def alerts(self) -> list[str]:
        return [one.process_name for one in ours(WaitingForApproval).undecidable().order_by("process_name")]

    def test_by_those_who_are_deactivated_later(self, people: People) -> None:
        for name, approver, quorum in [
            ("A", "anna", 1),
            ("B", "managers", 2),
            ("C", "anna, managers", 2),
            ("D", "", 1),
        ]:
            sign(approver, name, quorum=quorum)
            waits(name)
        assert self.alerts() == []
        named("anna", "dora").update(is_active=False)
        assert self.alerts() == ["A", "B", "C"]
        named("anna").update(is_active=True)
        assert self.alerts() == ["B"]
        ours(User).filter(is_staff=True).update(is_staff=False)
        assert self.alerts() == ["B", "D"]

    def test_those_who_are_barred_do_not_count(self, people: People) -> None:
        sign("anna", not_starter=True)
        waits("Sign", user=people.anna)
        assert self.alerts() == ["Sign"]

    def test_one_who_is_asked_in_two_ways_counts_once(self, people: People) -> None:
        sign("carl, managers", quorum=3)
        waits("Sign")
        assert self.alerts() == ["Sign"]

    def test_votes_that_were_cast_count(self, people: People) -> None:
        sign("managers", quorum=2)
        waiting = waits("Sign")
        operations.approve(waiting, by=people.carl)
        assert self.alerts() == []
        named("dora").update(is_active=False)
        assert self.alerts() == ["Sign"]

    def test_it_is_logged_when_it_is_queued(self, people: People, caplog: pytest.LogCaptureFixture) -> None:
        sign("managers", quorum=3)
        waiting = waits("Sign")
        (line,) = [record for record in caplog.records if record.levelname == "WARNING"]
        assert line.message == (
            f"Sign task Sign waits for too few active people: it asks managers (instance {waiting.rpid_id}). "
            "Delegate it, or have it resolved again."
        )


def test_an_inbox_takes_the_same_queries_for_one_as_for_many(people: People, django_assert_num_queries: Any) -> None:
    sign("managers")
    operations.start("Sign")
    run_until_idle()

    def look() -> int:
        return len(list(operations.inbox(people.carl)[:50]))

    with django_assert_num_queries(3):  # for whom one stands in, one's groups, and what waits
        assert look() == 1
    operations.start_many(["Sign"], count=30)
    run_until_idle()
    with django_assert_num_queries(3):
        assert look() == 31

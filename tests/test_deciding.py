"""Who may decide, and what the votes amount to: properties over arbitrary people, and a table of who gets which answer."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.deciding import (
    Bar,
    Circle,
    May,
    Person,
    Reason,
    Refused,
    Right,
    Verdict,
    Vote,
    asks,
    right,
    stood_in_for,
    verdict,
)

KEYS = st.integers(1, 4)
CIRCLES = st.builds(
    Circle,
    users=st.dictionaries(KEYS, st.sampled_from(Reason), max_size=2),
    groups=st.frozensets(st.integers(1, 2)),
    staff=st.booleans(),
    barred=st.dictionaries(KEYS, st.sampled_from(Bar), max_size=2),
)
PEOPLE = st.builds(
    Person,
    key=KEYS,
    is_active=st.booleans(),
    is_staff=st.booleans(),
    is_superuser=st.booleans(),
    groups=st.frozensets(st.integers(1, 2)),
)
AWAY = st.lists(PEOPLE, max_size=2)
VOTES = st.lists(st.builds(Vote, approved=st.booleans(), is_final=st.booleans()), max_size=6)


@given(CIRCLES, PEOPLE, AWAY, st.none() | KEYS)
def test_nobody_decides_who_is_barred_or_not_active(
    circle: Circle, person: Person, away: list[Person], claimed_by: int | None
) -> None:
    granted = right(circle, person, away=away, claimed_by=claimed_by)
    if not person.is_active:
        assert granted is Refused.INACTIVE
    elif person.key in circle.barred:
        assert granted is circle.barred[person.key]
    else:
        assert not isinstance(granted, Bar)


@given(CIRCLES, PEOPLE, AWAY)
def test_who_decides_is_asked_stands_in_for_one_who_is_or_is_a_superuser(
    circle: Circle, person: Person, away: list[Person]
) -> None:
    match right(circle, person, away=away):
        case May(on_behalf_of=None):
            assert asks(circle, person) or person.is_superuser
        case May(on_behalf_of=key):
            assert any(one.key == key and one.is_active and asks(circle, one) for one in away)
            assert key not in circle.barred
            assert not asks(circle, person)


@given(CIRCLES, PEOPLE, AWAY)
def test_standing_in_gives_nothing_that_the_absent_person_does_not_have(
    circle: Circle, person: Person, away: list[Person]
) -> None:
    alone = right(circle, person)
    granted = right(circle, person, away=away)
    if granted != alone:
        assert any(isinstance(right(circle, one), May) for one in away)


@given(CIRCLES, PEOPLE, AWAY, KEYS)
def test_a_claim_only_takes_rights_away(circle: Circle, person: Person, away: list[Person], holder: int) -> None:
    free, held = right(circle, person, away=away), right(circle, person, away=away, claimed_by=holder)
    assert held == free or (isinstance(free, May) and held is Refused.CLAIMED)
    if holder in {person.key, *(one.key for one in away)}:
        assert held == free


ANNA = Person(key=1)
BERT = Person(key=2, groups={7})
BOSS = Person(key=9, is_superuser=True)
NAMED = Circle(users={1: Reason.NAMED}, groups=(7,))


@pytest.mark.parametrize(
    ("circle", "person", "away", "claimed_by", "expected"),
    [
        (NAMED, ANNA, [], None, May()),
        (NAMED, BERT, [], None, May()),
        (NAMED, Person(key=3), [], None, Refused.NOT_ASKED),
        (NAMED, Person(key=3, is_staff=True), [], None, Refused.NOT_ASKED),
        (NAMED, BOSS, [], None, May()),
        (Circle(staff=True), Person(key=3, is_staff=True), [], None, May()),
        (Circle(staff=True), ANNA, [], None, Refused.NOT_ASKED),
        (NAMED, Person(key=3), [ANNA], None, May(on_behalf_of=1)),
        (NAMED, Person(key=3), [replace(ANNA, is_active=False)], None, Refused.NOT_ASKED),
        (NAMED, BERT, [ANNA], None, May()),
        (NAMED, ANNA, [], 2, Refused.CLAIMED),
        (NAMED, BOSS, [], 2, Refused.CLAIMED),
        (NAMED, Person(key=3), [], 2, Refused.NOT_ASKED),
        (NAMED, Person(key=3), [ANNA], 1, May(on_behalf_of=1)),
        (replace(NAMED, barred={1: Bar.STARTER}), ANNA, [], None, Bar.STARTER),
        (replace(NAMED, barred={9: Bar.DID}), BOSS, [], None, Bar.DID),
        (replace(NAMED, barred={1: Bar.VOTED}), Person(key=3), [ANNA], None, Refused.NOT_ASKED),
    ],
)
def test_a_right(circle: Circle, person: Person, away: list[Person], claimed_by: int | None, expected: Right) -> None:
    assert right(circle, person, away=away, claimed_by=claimed_by) == expected


@given(st.dictionaries(KEYS, st.frozensets(KEYS), max_size=4), KEYS)
def test_stand_ins_of_stand_ins_stand_in_and_nobody_for_themselves(
    stand_ins: dict[int, frozenset[int]], person: int
) -> None:
    found = stood_in_for(person, lambda people: {one for other in people for one in stand_ins.get(other, ())})
    assert person not in found
    assert set(stand_ins.get(person, ())) - {person} <= found
    for one in found:
        assert set(stand_ins.get(one, ())) - {person} <= found
        assert any(one in stand_ins.get(other, ()) for other in {person, *found} - {one})


@given(VOTES, st.integers(1, 4))
def test_the_verdict_is_that_of_the_first_vote_that_decides(votes: list[Vote], quorum: int) -> None:
    found = verdict(votes, quorum=quorum)
    for count in range(len(votes) + 1):
        earlier = verdict(votes[:count], quorum=quorum)
        if earlier is not Verdict.OPEN:
            assert earlier is found
            break
    approvals = sum(vote.approved for vote in votes)
    if found is Verdict.OPEN:
        assert approvals == len(votes) < quorum
        assert not any(vote.is_final for vote in votes)
    if found is Verdict.APPROVED:
        assert approvals >= quorum or any(vote.is_final for vote in votes)
    if found is Verdict.REJECTED:
        assert approvals < len(votes)

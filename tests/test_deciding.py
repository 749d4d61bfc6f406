"""Who may decide, and what the votes amount to: properties over arbitrary people, and a table of who gets which answer."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow.deciding import (
    MOST_CHAINS,
    Absent,
    Bar,
    Cast,
    Circle,
    Execution,
    May,
    Person,
    Reason,
    Refused,
    Right,
    Verdict,
    Vote,
    asks,
    bars,
    chains,
    newest_round,
    right,
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
AWAY = st.lists(st.builds(Absent, person=PEOPLE, through=st.lists(KEYS, max_size=2).map(tuple)), max_size=2)
VOTES = st.lists(st.builds(Vote, approved=st.booleans(), is_final=st.booleans()), max_size=6)


@given(CIRCLES, PEOPLE, AWAY, st.none() | KEYS)
def test_nobody_decides_who_is_barred_or_not_active(
    circle: Circle, person: Person, away: list[Absent], claimed_by: int | None
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
    circle: Circle, person: Person, away: list[Absent]
) -> None:
    match right(circle, person, away=away):
        case May(on_behalf_of=None):
            assert asks(circle, person) or person.is_superuser
        case May(on_behalf_of=key, through=through):
            meant = [one.person for one in away if (one.person.key, one.through) == (key, through)]
            assert any(one.is_active and asks(circle, one) for one in meant)
            assert circle.barred.keys().isdisjoint((key, *through)), "all who are between the two take part"
            assert not asks(circle, person)


@given(CIRCLES, PEOPLE, AWAY)
def test_standing_in_gives_nothing_that_the_absent_person_does_not_have(
    circle: Circle, person: Person, away: list[Absent]
) -> None:
    alone = right(circle, person)
    granted = right(circle, person, away=away)
    if isinstance(granted, May) and granted != alone:
        assert any(isinstance(right(circle, one.person), May) for one in away)


@given(CIRCLES, PEOPLE, AWAY, KEYS)
def test_a_claim_only_takes_rights_away(circle: Circle, person: Person, away: list[Absent], holder: int) -> None:
    free, held = right(circle, person, away=away), right(circle, person, away=away, claimed_by=holder)
    assert held == free or (isinstance(free, May) and held is Refused.CLAIMED)
    if holder in {person.key, *(one.person.key for one in away)}:
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
        (replace(NAMED, barred={1: Bar.VOTED}), Person(key=3), [ANNA], None, Refused.FOR_BARRED),
    ],
)
def test_a_right(circle: Circle, person: Person, away: list[Person], claimed_by: int | None, expected: Right) -> None:
    assert right(circle, person, away=[Absent(person=one) for one in away], claimed_by=claimed_by) == expected


@pytest.mark.parametrize(
    ("barred", "expected"),
    [
        (set(), May(on_behalf_of=1, through=(4,))),
        ({4}, May(on_behalf_of=1, through=(5, 6))),
        ({4, 6}, Refused.FOR_BARRED),
        ({1}, Refused.FOR_BARRED),
        ({3}, Bar.DID),
    ],
)
def test_a_chain_holds_only_if_all_on_it_may_decide(barred: set[int], expected: Right) -> None:
    away = [Absent(person=ANNA, through=(4,)), Absent(person=ANNA, through=(5, 6))]
    circle = replace(NAMED, barred=dict.fromkeys(barred, Bar.DID))
    assert right(circle, Person(key=3), away=away) == expected


@given(st.dictionaries(KEYS, st.frozensets(KEYS), max_size=4), KEYS, st.frozensets(KEYS))
def test_stand_ins_of_stand_ins_stand_in_and_nobody_for_themselves(
    stand_ins: dict[int, frozenset[int]], person: int, barred: frozenset[int]
) -> None:
    """`stand_ins` maps users to the people they stand in for. A person who is reached past no barred user ends some chain."""
    asked: list[int] = []

    def away(people: Collection[int]) -> list[tuple[int, int]]:
        asked.extend(people)
        return [(one, absent) for one in people for absent in stand_ins.get(one, ())]

    found = chains(person, away)
    assert len(asked) == len(set(asked)), "each is looked up once"
    for chain in found:
        assert len({person, *chain}) == len(chain) + 1
        assert all(absent in stand_ins.get(one, ()) for one, absent in pairwise((person, *chain)))
        assert not any(set(other) < set(chain) for other in found if other[-1] == chain[-1])
    reached, level = set(), {person}
    while level:
        level = {one for other in level for one in stand_ins.get(other, ())} - barred - reached - {person}
        reached |= level
    assert {chain[-1] for chain in found if barred.isdisjoint(chain)} == reached


def test_of_very_many_ways_between_two_people_some_are_found() -> None:
    """Absences overlap so that each of 12 levels has four ways to the next: 16 million in all."""
    stand_ins = {(level, one): [(level + 1, other) for other in range(4)] for level in range(12) for one in range(4)}
    found = chains((0, 0), lambda people: [(one, absent) for one in people for absent in stand_ins.get(one, ())])
    by_last = Counter(chain[-1] for chain in found)
    assert len(by_last) == 12 * 4
    assert max(by_last.values()) == MOST_CHAINS


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


TASKS = "abc"
PERSONS = [Person(key=key, is_superuser=key == 5) for key in range(1, 6)]
RELATIONS = st.frozensets(st.sampled_from([("a", "b"), ("a", "c"), ("b", "c")]), min_size=1)
STEPS = st.lists(st.frozensets(st.sampled_from(TASKS), min_size=1), min_size=2, max_size=4)
"""The tasks of the steps that an instance enters, one after the other: so also in a loop."""
EVENTS = st.lists(
    # Somebody decides, or an operator has the task tried again.
    st.tuples(st.integers(0, 2), st.sampled_from([*PERSONS, *PERSONS, None])),
    min_size=3,
    max_size=8,
)
STAND_INS = st.dictionaries(st.integers(1, 4), st.integers(1, 5), min_size=1, max_size=3) | st.permutations(
    range(1, 6)
).map(lambda keys: dict(pairwise(keys[:4])))
"""Who is away, and who stands in for them: often a chain, in which each stands in for the next."""
STARTERS = st.tuples(st.none() | st.integers(1, 5), st.frozensets(st.sampled_from(TASKS)))


@settings(max_examples=200)
@given(
    st.data(), RELATIONS, STEPS, STAND_INS, STARTERS, st.integers(1, 3), st.frozensets(st.integers(1, 4), min_size=1)
)
def test_no_accepted_votes_violate_a_relation(
    data: st.DataObject,
    apart: frozenset[tuple[str, str]],
    steps: list[frozenset[str]],
    stand_ins: dict[int, int],
    starters: tuple[int | None, frozenset[str]],
    quorum: int,
    asked: frozenset[int],
) -> None:
    """Told here from the rounds as they happen, and there from all votes that the instance has ever seen."""
    starter, not_starter = starters
    cast: list[Cast] = []
    rounds: dict[str, list[frozenset[int]]] = {}
    for visit, step in enumerate(steps, 1):
        now = {task: Execution(task=task, visit=visit, row=TASKS.index(task)) for task in step}
        rounds |= {task: [] for task in step}
        for number, person in data.draw(EVENTS):
            task = sorted(step)[number % len(step)]
            if person is None:
                now[task] = replace(now[task], attempt=now[task].attempt + 1)
                rounds[task] = []
                continue
            away = chains(
                person.key, lambda level: [(other, absent) for absent, other in stand_ins.items() if other in level]
            )
            barred = bars(
                now[task],
                apart_from={one for pair in apart if task in pair for one in pair if one != task},
                cast=cast,
                open_now=list(now.values()),
                starter=starter if task in not_starter else None,
            )
            circle = Circle(users=dict.fromkeys(asked, Reason.NAMED), barred=barred)
            absent = [Absent(person=PERSONS[chain[-1] - 1], through=chain[:-1]) for chain in away]
            granted = right(circle, person, away=absent)
            if isinstance(granted, May) and len(rounds[task]) < quorum:
                by = frozenset(_between(person.key, granted.on_behalf_of, stand_ins))
                cast.append(Cast(execution=now[task], by=by))
                rounds[task].append(by)
                if task in not_starter:
                    assert starter not in by
        for one, other in apart:
            assert not _everybody(rounds.get(one, [])) & _everybody(rounds.get(other, []))
        for votes in rounds.values():
            assert sum(map(len, votes)) == len(_everybody(votes)), "of one person, one vote counts"


def _between(person: int, absent: int | None, stand_ins: dict[int, int]) -> Iterator[int]:
    """All who take part in a decision: from the absent person to their stand-in, and on to who decides."""
    while absent is not None and absent != person:
        yield absent
        absent = stand_ins[absent]
    yield person


def _everybody(votes: list[frozenset[int]]) -> frozenset[int]:
    return frozenset().union(*votes)


def test_what_counts_is_the_last_round_or_the_one_under_way() -> None:
    def vote(key: int, **fields: int) -> Cast:
        return Cast(execution=Execution(task="a", **{"visit": 1, "row": 0, **fields}), by=frozenset({key}))

    cast = [vote(1), vote(2, visit=3), vote(3, visit=3, attempt=2), vote(4, visit=3, row=1)]
    assert newest_round("a", cast=cast, open_now=()) == cast[2:]
    again = Execution(task="a", visit=3, row=0, attempt=3)
    assert newest_round("a", cast=cast, open_now=[again]) == cast[3:]
    assert newest_round("a", cast=cast, open_now=[replace(again, visit=5)]) == []
    assert newest_round("a", cast=cast, open_now=[replace(again, task="b")]) == cast[2:]


def test_each_is_barred_for_what_they_did() -> None:
    now, other = Execution(task="Sign", visit=1, row=0, attempt=2), Execution(task="Check", visit=1, row=1)
    cast = [
        Cast(execution=now, by=frozenset({1, 2})),
        Cast(execution=replace(now, attempt=1), by=frozenset({3})),
        Cast(execution=other, by=frozenset({4})),
    ]
    assert bars(now, apart_from=["Check"], cast=cast, open_now=[now], starter=5) == {
        1: Bar.VOTED,
        2: Bar.VOTED,
        4: Bar.DID,
        5: Bar.STARTER,
    }

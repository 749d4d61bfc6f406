"""Who may decide what waits, and what the votes amount to (DESIGN.md 6).

Pure: `(circle, person) -> right`, with no database, clock or I/O. A `Circle` is whom a task asks, and who is barred from
it; users and groups are known by their keys.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

UserKey = Any
"""The primary key of a user: a number, a UUID, or what else a project's users have. It can be hashed and compared."""


class Reason(StrEnum):
    """Why a task asks somebody."""

    NAMED = "named"  # by the task's approver, also where that is blank: any member of staff
    SAME = "same"  # who decided the task that this one names
    DELEGATED = "delegated"  # somebody handed it on to them
    ESCALATED = "escalated"  # it was late


class Bar(StrEnum):
    """Why somebody may not decide, although the task may ask them."""

    STARTER = "starter"  # they started the instance
    DID = "did"  # they, or a stand-in of theirs, decided another task, and different people must decide the two
    VOTED = "voted"  # their vote is counted already, by themselves or by a stand-in
    DELEGATED = "delegated"  # they handed it on


@dataclass(frozen=True, kw_only=True)
class Circle:
    """Whom a task asks: users, members of groups, where `staff` any member of staff; and who is `barred` from it.

    `text` says it in words. `too_few` is whether that leaves fewer active people than have to approve. `escalate_to` are the
    names of whom it asks as well, once it is late.
    """

    text: str = ""
    users: Mapping[UserKey, Reason] = field(default_factory=dict)
    groups: Collection[int] = ()
    staff: bool = False
    barred: Mapping[UserKey, Bar] = field(default_factory=dict)
    too_few: bool = False
    escalate_to: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Person:
    """What of a user counts here."""

    key: UserKey
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False
    groups: Collection[int] = ()


@dataclass(frozen=True, kw_only=True)
class Absent:
    """Somebody who is away, and `through` whom another person stands in for them: that person stands in for the first of these,
    the first for the second, and the last for the absent person. Nobody is between the two where it is empty.
    """

    person: Person
    through: Sequence[UserKey] = ()


@dataclass(frozen=True, kw_only=True)
class May:
    """The person may decide; for somebody who is away, where `on_behalf_of` is one, and `through` these, as `Absent` has it."""

    on_behalf_of: UserKey | None = None
    through: Sequence[UserKey] = ()


class Refused(Enum):
    """The person may not, and why, where nothing bars them."""

    INACTIVE = "inactive"
    NOT_ASKED = "not asked"
    # Every chain to an approver contains a barred user: the approver, or somebody in between.
    FOR_BARRED = "for barred"
    CLAIMED = "claimed"


Right = May | Bar | Refused


def right(circle: Circle, person: Person, *, away: Sequence[Absent] = (), claimed_by: UserKey | None = None) -> Right:
    """Whether the person may decide, and in whose right.

    `away` are those for whom they stand in, each once for each way in which they do; the first that gives a right counts. All who
    are on that way take part in the decision, so none of them may be barred. `claimed_by` is an active user who holds the task. A superuser is asked
    like everybody, but what bars people bars superusers too.
    """
    if not person.is_active:
        return Refused.INACTIVE
    if person.key in circle.barred:
        return circle.barred[person.key]
    granted = _granted(circle, person, away)
    if isinstance(granted, May) and claimed_by not in {None, person.key, *(one.person.key for one in away)}:
        return Refused.CLAIMED
    return granted


def _granted(circle: Circle, person: Person, away: Sequence[Absent]) -> Right:
    if asks(circle, person):
        return May()
    asked = [absent for absent in away if absent.person.is_active and asks(circle, absent.person)]
    for absent in asked:
        key = absent.person.key
        if circle.barred.keys().isdisjoint((key, *absent.through)):
            return May(on_behalf_of=key, through=absent.through)
    if person.is_superuser:
        return May()
    return Refused.FOR_BARRED if asked else Refused.NOT_ASKED


def asks(circle: Circle, person: Person) -> bool:
    """Whether the circle has the person in it."""
    is_member = not set(circle.groups).isdisjoint(person.groups)
    return person.key in circle.users or is_member or (circle.staff and person.is_staff)


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One time that a manual task was put to people: by which row, in which visit of its instance, at which attempt."""

    task: str
    visit: int
    row: int
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class Cast:
    """A vote that was cast, and the keys of all `by` whom: of the decider, of the person for whom they stood in, and of those
    between the two. `user` is the decider's, if there is such a user still.
    """

    execution: Execution
    by: frozenset[Any]
    user: Any = None


def bars(
    execution: Execution,
    *,
    apart_from: Collection[str],
    cast: Collection[Cast],
    open_now: Collection[Execution],
    starter: Any = None,
) -> dict[Any, Bar]:
    """Who may not decide a task that is put to people, by their keys.

    That is whoever decided a task that it is `apart_from`, or has voted on one; the `starter`, if it is not for them; and
    whoever has voted on it already. `cast` are the votes on all these tasks, and `open_now` what the instance puts to people
    at the moment.
    """
    found: dict[Any, Bar] = {}
    for task in apart_from:
        for vote in newest_round(task, cast=cast, open_now=open_now):
            found |= dict.fromkeys(vote.by, Bar.DID)
    if starter is not None:
        found[starter] = Bar.STARTER
    for vote in cast:
        if vote.execution == execution:
            found |= dict.fromkeys(vote.by, Bar.VOTED)
    return found


def newest_round(task: str, *, cast: Collection[Cast], open_now: Collection[Execution]) -> list[Cast]:
    """The votes on a task when it was put to people last: so far, where it is put to them now.

    A loop puts it to them again, and so does an operator who has it tried again. The step can have several rows of it,
    and all of them are one round.
    """
    votes = [vote for vote in cast if vote.execution.task == task]
    put = [vote.execution for vote in votes] + [one for one in open_now if one.task == task]
    visit = max((one.visit for one in put), default=0)
    newest: dict[int, int] = {}
    for one in put:
        if one.visit == visit:
            newest[one.row] = max(one.attempt, newest.get(one.row, 0))
    rounds = {Execution(task=task, visit=visit, row=row, attempt=attempt) for row, attempt in newest.items()}
    return [vote for vote in votes if vote.execution in rounds]


Chain = tuple[UserKey, ...]
"""Keys of people who are away: somebody stands in for the first, the first for the second, and so on."""

MOST_CHAINS = 10
"""Of ways in which a person stands in for another. Who does so in more of them, by absences that overlap, can use the shortest."""


def chains(person: UserKey, away: Callable[[Collection[UserKey]], Iterable[tuple[UserKey, UserKey]]]) -> list[Chain]:
    """For whom a person stands in, and through whom, the shortest first: each chain ends with one of those people.

    There are several for one of them where absences overlap. One that needs all the people of another one, and more, is left
    out. `away` tells of some people for whom they stand in today, as pairs of the two; it is asked once more than there are
    levels of stand-ins.
    """
    found: dict[UserKey, list[Chain]] = {}
    stands_in_for: dict[UserKey, list[UserKey]] = {}
    level: list[Chain] = [()]
    while level:
        last = {chain[-1] if chain else person for chain in level}
        new = last - stands_in_for.keys()
        stands_in_for |= {key: [] for key in new}
        for stand_in, absent in away(new) if new else ():
            stands_in_for[stand_in].append(absent)
        longer = [(*chain, key) for chain in level for key in stands_in_for[chain[-1] if chain else person]]
        level = [chain for chain in longer if person not in chain and _adds(chain, found.setdefault(chain[-1], []))]
    return [chain for each in found.values() for chain in each]


def _adds(chain: Chain, known: list[Chain]) -> bool:
    """Whether it is a new way to its last person; if so, it is known from now on."""
    is_new = chain[-1] not in chain[:-1] and not any(set(one) <= set(chain) for one in known)
    if is_new and len(known) < MOST_CHAINS:
        known.append(chain)
        return True
    return False


@dataclass(frozen=True, kw_only=True)
class Vote:
    """What one person decided. That of nobody, at the command line or by a program, is final."""

    approved: bool
    is_final: bool = False


class Verdict(Enum):
    """What the votes on a task amount to."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


def verdict(votes: Iterable[Vote], *, quorum: int) -> Verdict:
    """One rejection decides at once, and so many approvals as are needed."""
    approvals = 0
    for vote in votes:
        if not vote.approved:
            return Verdict.REJECTED
        approvals = quorum if vote.is_final else approvals + 1
        if approvals >= quorum:
            return Verdict.APPROVED
    return Verdict.OPEN

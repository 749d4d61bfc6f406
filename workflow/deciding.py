"""Who may decide what waits, and what the votes amount to (DESIGN.md 6).

Pure: `(circle, person) -> right`, with no database, clock or I/O. A `Circle` is whom a task asks, and who is barred from
it; users and groups are known by their numbers.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Reason(StrEnum):
    """Why a task asks somebody."""

    NAMED = "named"  # by the task's approver, also where that is blank: any member of staff
    SAME = "same"  # who decided the task that this one names
    DELEGATED = "delegated"  # somebody handed it on to them
    ESCALATED = "escalated"  # it was late


class Bar(StrEnum):
    """Why somebody may not decide, although the task may ask them."""

    STARTER = "starter"  # they started the instance
    DID = "did"  # they decided the task that this one must not share its decider with
    VOTED = "voted"  # their vote is counted already, by themselves or by a stand-in
    DELEGATED = "delegated"  # they handed it on


@dataclass(frozen=True, kw_only=True)
class Circle:
    """Whom a task asks: users, members of groups, where `staff` any member of staff; and who is `barred` from it.

    `text` says it in words. `too_few` is whether that leaves fewer active people than have to approve. `escalate_to` are the
    names of whom it asks as well, once it is late.
    """

    text: str = ""
    users: Mapping[int, Reason] = field(default_factory=dict)
    groups: Collection[int] = ()
    staff: bool = False
    barred: Mapping[int, Bar] = field(default_factory=dict)
    too_few: bool = False
    escalate_to: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Person:
    """What of a user counts here."""

    key: int
    is_active: bool = True
    is_staff: bool = False
    is_superuser: bool = False
    groups: Collection[int] = ()


@dataclass(frozen=True, kw_only=True)
class May:
    """The person may decide; for somebody who is away, where `on_behalf_of` is one."""

    on_behalf_of: int | None = None


class Refused(Enum):
    """The person may not, and why, where nothing bars them."""

    INACTIVE = "inactive"
    NOT_ASKED = "not asked"
    CLAIMED = "claimed"


Right = May | Bar | Refused


def right(circle: Circle, person: Person, *, away: Sequence[Person] = (), claimed_by: int | None = None) -> Right:
    """Whether the person may decide, and in whose right.

    `away` are those for whom they stand in. `claimed_by` is an active user who holds the task. A superuser is asked
    like everybody, but what bars people bars superusers too.
    """
    if not person.is_active:
        return Refused.INACTIVE
    if person.key in circle.barred:
        return circle.barred[person.key]
    granted = _granted(circle, person, away)
    if isinstance(granted, May) and claimed_by not in {None, person.key, *(one.key for one in away)}:
        return Refused.CLAIMED
    return granted


def _granted(circle: Circle, person: Person, away: Sequence[Person]) -> Right:
    if asks(circle, person):
        return May()
    for absent in away:
        if absent.is_active and absent.key not in circle.barred and asks(circle, absent):
            return May(on_behalf_of=absent.key)
    return May() if person.is_superuser else Refused.NOT_ASKED


def asks(circle: Circle, person: Person) -> bool:
    """Whether the circle has the person in it."""
    is_member = not set(circle.groups).isdisjoint(person.groups)
    return person.key in circle.users or is_member or (circle.staff and person.is_staff)


def stood_in_for(person: int, away: Callable[[Collection[int]], Iterable[int]]) -> set[int]:
    """For whom a person stands in: also for those for whom one of these does.

    `away` tells for whom any of some people stands in today; it is asked once more than there are such levels.
    """
    found: set[int] = set()
    level = {person}
    while level:
        level = set(away(level)) - found - {person}
        found |= level
    return found


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

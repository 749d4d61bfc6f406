"""Separation of duties, through the operations: in both directions, for stand-ins too, in loops, and for deleted users."""

from datetime import date, timedelta
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.build import code, manual, process, run_until_idle, waits
from tests.own import ours
from tests.people.conftest import People
from tests.people.test_decide import refused
from tests.users import User
from workflow import operations
from workflow.deciding import Bar
from workflow.errors import NotAllowed, WorkflowError
from workflow.models import Absence, Barred, Decision, Intervention, RunningProcesses, WaitingForApproval

pytestmark = pytest.mark.django_db(transaction=True)

OTHERS = "they, or a stand-in of theirs, decided another task, and different people must decide the two."
EVERYBODY = "anna, bert, managers"


def away(user: Any, stand_in: Any) -> Absence:
    today = date.today()  # noqa: DTZ011 - both days around it are included
    day = timedelta(days=1)
    return Absence.objects.create(user=user, stand_in=stand_in, first_day=today - day, last_day=today + day)


def beside(**b: Any) -> dict[str, WaitingForApproval]:
    """Two tasks in one step, of which the second says that others decide it than the first; by name."""
    tasks = {"A": manual(EVERYBODY), "B": manual(EVERYBODY, **{"not_same_as": "A", **b}), "End": code("1")}
    process("Beside", tasks, (1, "A"), (1, "B"), (2, "End"))
    of = waits("Beside", task="A").rpid
    return {one.task_name: one for one in of.waiting.all()}


def one_after_the_other(first: dict[str, Any], second: dict[str, Any]) -> None:
    """And back to the first, where the second is rejected."""
    asked = {"approver": EVERYBODY}
    tasks = {"First": manual(**{**asked, **first}), "Second": manual(**{**asked, **second}), "End": code("1")}
    process("Two", tasks, (1, "First"), (2, "Second", {"on_reject": 1}), (3, "End"))


def next_task(waiting: WaitingForApproval) -> WaitingForApproval:
    run_until_idle()
    return ours(WaitingForApproval).get(rpid=waiting.rpid_id)


class TestBothDirections:
    @pytest.mark.parametrize(("first", "second"), [({"not_same_as": "Second"}, {}), ({}, {"not_same_as": "First"})])
    def test_one_after_the_other(self, people: People, first: dict[str, Any], second: dict[str, Any]) -> None:
        one_after_the_other(first, second)
        other = waits("Two")
        waiting = waits("Two")
        operations.approve(waiting, by=people.carl)
        waiting = next_task(waiting)
        assert refused(NotAllowed, waiting, people.carl).endswith(OTHERS)
        assert list(operations.inbox(people.carl)) == [other], "what is of another instance is still theirs"
        assert operations.approve(waiting, by=people.dora).state == "FINISHED"

    @pytest.mark.parametrize(("first", "second"), [("A", "B"), ("B", "A")])
    def test_side_by_side(self, people: People, first: str, second: str) -> None:
        tasks = beside()
        operations.approve(tasks[first], by=people.carl)
        assert list(operations.inbox(people.carl)) == []
        assert refused(NotAllowed, tasks[second], people.carl).endswith(OTHERS)
        assert operations.approve(tasks[second], by=people.dora).state == "FINISHED"

    @pytest.mark.parametrize(("first", "second"), [("A", "B"), ("B", "A")])
    def test_one_of_several_votes_counts_at_once(self, people: People, first: str, second: str) -> None:
        tasks = beside(quorum=2)
        operations.approve(tasks[first], by=people.carl)
        assert refused(NotAllowed, tasks[second], people.carl).endswith(OTHERS)

    def test_what_an_earlier_version_has_written_is_not_trusted(self, people: People) -> None:
        tasks = beside()
        operations.approve(tasks["B"], by=people.carl)
        ours(Barred).all().delete()  # it knew a relation from one side only
        assert refused(NotAllowed, tasks["A"], people.carl).endswith(OTHERS)


class TestStandIns:
    @pytest.mark.parametrize("who", ["carl", "emil"])
    def test_neither_they_nor_for_whom_they_stood_in(self, people: People, who: str) -> None:
        one_after_the_other({}, {"not_same_as": "First", "approver": f"{EVERYBODY}, emil"})
        absence = away(people.carl, people.emil)
        waiting = waits("Two")
        vote = operations.approve(waiting, by=people.emil).decisions.get()
        assert vote.on_behalf_of == people.carl
        absence.delete()
        waiting = next_task(waiting)
        assert refused(NotAllowed, waiting, getattr(people, who)).endswith(OTHERS)
        assert list(operations.inbox(getattr(people, who))) == []
        assert {(one.user_id, one.why) for one in waiting.barred.all()} == {
            (people.carl.pk, Bar.DID),
            (people.emil.pk, Bar.DID),
        }

    def test_none_stands_in_for_somebody_who_is_barred(self, people: People) -> None:
        one_after_the_other({}, {"not_same_as": "First"})
        waiting = waits("Two")
        operations.approve(waiting, by=people.carl)
        away(people.carl, people.emil)
        waiting = next_task(waiting)
        told = refused(NotAllowed, waiting, people.emil)
        assert told.endswith(
            "nobody stands in for a person who may not decide it themselves, nor through such a person."
        )
        assert list(operations.inbox(people.emil)) == []

    def test_nor_for_the_starter_nor_as_the_starter(self, people: People) -> None:
        one_after_the_other({"not_starter": True, "approver": "anna, carl"}, {})
        waiting = waits("Two", user=people.carl)
        away(people.carl, people.emil)
        away(people.anna, people.carl)
        refused(NotAllowed, waiting, people.carl)
        refused(NotAllowed, waiting, people.emil)
        assert list(operations.inbox(people.emil)) == [], "they would stand in for Anna through the starter"
        away(people.anna, people.root)
        vote = operations.approve(waiting, by=people.root).decisions.get()
        assert vote.on_behalf_of == people.anna

    @pytest.mark.parametrize("who", ["anna", "bert", "emil"])
    def test_all_who_are_on_a_chain_have_taken_part(self, people: People, who: str) -> None:
        one_after_the_other({"approver": "anna"}, {"not_same_as": "First", "approver": "anna, bert, carl, emil"})
        absences = [away(people.anna, people.bert), away(people.bert, people.emil)]
        waiting = waits("Two")
        assert list(operations.inbox(people.emil)) == [waiting]
        vote = operations.approve(waiting, by=people.emil).decisions.get()
        assert (vote.on_behalf_of, [one.username for one in vote.made.through]) == (people.anna, ["bert"])
        for absence in absences:
            absence.delete()
        waiting = next_task(waiting)
        assert refused(NotAllowed, waiting, getattr(people, who)).endswith(OTHERS)
        assert list(operations.inbox(getattr(people, who))) == []
        assert operations.approve(waiting, by=people.carl).state == "FINISHED"

    def test_none_stands_in_through_somebody_who_is_barred(self, people: People) -> None:
        one_after_the_other({"approver": "bert"}, {"not_same_as": "First", "approver": "anna"})
        waiting = waits("Two")
        operations.approve(waiting, by=people.bert)
        away(people.anna, people.bert)
        away(people.bert, people.emil)
        waiting = next_task(waiting)
        assert refused(NotAllowed, waiting, people.emil).endswith("nor through such a person.")
        assert list(operations.inbox(people.emil)) == []
        assert not operations.may_see(people.emil, waiting.rpid)
        away(people.anna, people.carl)
        away(people.carl, people.emil)
        assert list(operations.inbox(people.emil)) == [waiting], "the other chain contains no barred user"
        vote = operations.approve(waiting, by=people.emil).decisions.get()
        assert [one.username for one in vote.made.through] == ["carl"]

    def test_who_was_on_a_chain_has_no_other_vote(self, people: People) -> None:
        one_after_the_other({"quorum": 2}, {})
        waiting = waits("Two")
        absences = [away(people.anna, people.bert), away(people.bert, people.emil)]
        # Emil stands in for Bert, who is also an approver, and through Bert for Anna. The shortest chain counts.
        vote = operations.approve(waiting, by=people.emil).decisions.get()
        assert (vote.on_behalf_of, vote.made.through) == (people.bert, ())
        for absence in absences:
            absence.delete()
        assert "already" in refused(WorkflowError, waiting, people.bert)  # type: ignore[type-abstract]
        assert operations.approve(waiting, by=people.anna).state == "FINISHED"

    def test_who_was_on_a_chain_is_barred_after_they_were_deleted(self, people: People) -> None:
        one_after_the_other({"approver": "anna"}, {"not_same_as": "First", "approver": ""})
        away(people.anna, people.bert)
        away(people.bert, people.emil)
        waiting = waits("Two")
        operations.approve(waiting, by=people.emil)
        back = TestDeleted().come_back(people.bert)
        assert refused(NotAllowed, next_task(waiting), back).endswith(OTHERS)

    def test_one_person_has_one_vote(self, people: People) -> None:
        one_after_the_other({"quorum": 3}, {})
        waiting = waits("Two")
        absence = away(people.carl, people.emil)
        operations.approve(waiting, by=people.emil)
        absence.delete()
        away(people.anna, people.carl)  # whose vote Emil has given
        away(people.bert, people.emil)  # who has voted
        ours(Barred).all().delete()
        for user in (people.carl, people.emil):
            assert "already" in refused(WorkflowError, waiting, user)  # type: ignore[type-abstract]


class TestClaims:
    def test_what_somebody_holds_who_is_barred_now_is_given_back(self, people: People) -> None:
        tasks = beside()
        operations.claim(tasks["B"], people.carl)
        operations.approve(tasks["A"], by=people.carl)
        assert ours(WaitingForApproval).get().claimed_by is None
        note = ours(Intervention).get(action="release")
        assert (note.by, note.reason) == (people.carl, "They may not decide it any more: carl has decided 'A'.")
        assert operations.approve(tasks["B"], by=people.dora).state == "FINISHED"

    def test_and_what_a_stand_in_holds_for_them(self, people: People) -> None:
        tasks = beside()
        away(people.carl, people.emil)
        operations.claim(tasks["B"], people.emil)
        operations.approve(tasks["A"], by=people.carl)
        assert ours(WaitingForApproval).get().claimed_by is None

    def test_but_not_what_others_hold(self, people: People) -> None:
        tasks = beside()
        operations.claim(tasks["B"], people.dora)
        operations.approve(tasks["A"], by=people.carl)
        assert ours(WaitingForApproval).get().claimed_by == people.dora


class TestRounds:
    def test_side_by_side_in_a_loop_the_round_under_way_counts(self, people: People) -> None:
        tasks = {"A": manual(EVERYBODY), "B": manual(EVERYBODY, not_same_as="A"), "Again": manual()}
        process("Loop", tasks, (1, "A"), (1, "B"), (2, "Again", {"on_reject": 1}))
        of = waits("Loop", task="A").rpid
        operations.approve(of.waiting.get(task_name="A"), by=people.carl)
        operations.approve(of.waiting.get(task_name="B"), by=people.dora)
        run_until_idle()
        operations.reject(of.waiting.get(), by=people.root)
        run_until_idle()
        operations.approve(of.waiting.get(task_name="B"), by=people.carl)
        assert refused(NotAllowed, of.waiting.get(task_name="A"), people.carl).endswith(OTHERS)
        operations.approve(of.waiting.get(task_name="A"), by=people.dora)

    def test_going_back_who_did_the_other_task_last_counts(self, people: People) -> None:
        one_after_the_other({}, {"not_same_as": "First"})
        waiting = waits("Two")
        operations.approve(waiting, by=people.carl)
        waiting = next_task(waiting)
        operations.reject(waiting, by=people.dora)
        waiting = next_task(waiting)
        assert refused(NotAllowed, waiting, people.dora).endswith(OTHERS)
        operations.approve(waiting, by=people.anna)
        waiting = next_task(waiting)
        assert operations.approve(waiting, by=people.carl).state == "FINISHED"

    def test_asked_again_whom_the_approver_names_the_same_are_barred(self, people: People) -> None:
        tasks = beside(quorum=2)
        operations.approve(tasks["B"], by=people.carl)
        operations.resolve_again(tasks["A"])
        operations.resolve_again(tasks["B"])
        assert refused(NotAllowed, tasks["A"], people.carl).endswith(OTHERS)
        assert "already" in refused(WorkflowError, tasks["B"], people.carl)  # type: ignore[type-abstract]


class TestDeleted:
    """Who comes back, with the key that they had."""

    def come_back(self, user: Any, name: str = "new") -> Any:
        key = user.pk
        user.delete()
        return User.objects.create(pk=key, **{User.USERNAME_FIELD: name}, is_staff=True)

    def test_who_decided_the_other_task(self, people: People) -> None:
        one_after_the_other({}, {"not_same_as": "First", "approver": ""})
        waiting = waits("Two")
        operations.approve(waiting, by=people.carl)
        back = self.come_back(people.carl)
        waiting = next_task(waiting)
        assert refused(NotAllowed, waiting, back).endswith(OTHERS)
        assert operations.approve(waiting, by=people.staff).state == "FINISHED"

    def test_a_name_alone_is_nobody(self, people: People) -> None:
        one_after_the_other({}, {"not_same_as": "First"})
        waiting = waits("Two")
        operations.approve(waiting, by=people.carl)
        people.carl.delete()
        other = User.objects.create_user("carl")
        other.groups.set(people.dora.groups.all())
        assert operations.approve(next_task(waiting), by=other).state == "FINISHED"

    def test_what_only_they_could_decide_nobody_can(self, people: People) -> None:
        one_after_the_other({}, {"same_as": "First", "approver": ""})
        waiting = waits("Two")
        operations.approve(waiting, by=people.carl)
        back = self.come_back(people.carl)
        waiting = next_task(waiting)
        assert list(ours(WaitingForApproval).undecidable()) == [waiting]
        refused(NotAllowed, waiting, back)  # a key is no proof of who somebody is
        assert operations.approve(waiting, by=people.root).state == "FINISHED"


PAIRS = list(combinations("ABC", 2))
EVENTS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["anna", "bert", "carl", "emil", "root"]), st.integers(0, 3)),
    min_size=4,
    max_size=10,
)
STAND_INS = st.dictionaries(
    st.sampled_from(["anna", "bert", "carl", "emil"]), st.sampled_from(["bert", "carl", "emil", "root"]), max_size=4
) | st.permutations(["anna", "bert", "carl", "emil"]).map(lambda names: dict(pairwise(names)))
"""Who is away, and who stands in for them: often a chain, in which each stands in for the next."""
CHAIN = {"anna": "bert", "bert": "emil"}


class Rounds:
    """Who has voted in the last round of each task, told from what waits."""

    def __init__(self, instance: RunningProcesses) -> None:
        self.instance = instance
        self.last: dict[str, tuple[int, set[int]]] = {}

    def of(self, task: str) -> set[int]:
        open_now = self.instance.waiting.filter(task_name=task).first()
        if open_now is not None and self.last.get(task, (0,))[0] != open_now.pk:
            self.last[task] = (open_now.pk, set())
        return self.last.get(task, (0, set()))[1]


def decided(waiting: WaitingForApproval, by: Any, stand_ins: dict[Any, Any], *, rejects: bool) -> set[int]:
    """The keys of all who take part in the vote, as the absences tell; nobody, where it was refused."""
    is_offered = operations.inbox(by).filter(pk=waiting.pk).exists()
    try:
        (operations.reject if rejects else operations.approve)(waiting, by=by)
    except WorkflowError:
        assert not is_offered, "an inbox offers what can be decided"
        return set()
    vote = ours(Decision).latest("pk")
    found, absent = {vote.user_id}, vote.on_behalf_of_id
    while absent is not None and absent not in found:
        found.add(absent)
        absent = stand_ins[absent]
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.frozensets(st.sampled_from(PAIRS), min_size=1, max_size=2),
    STAND_INS,
    EVENTS,
    st.integers(1, 2),
    st.none() | st.sampled_from(["bert", "emil"]),
)
@example(frozenset({("A", "B")}), CHAIN, [("A", "bert", 1), ("B", "emil", 1)], 1, None)
@example(frozenset({("A", "B")}), CHAIN, [("A", "emil", 1), ("B", "bert", 1)], 1, None)
@example(frozenset({("A", "B")}), CHAIN, [("A", "carl", 1), ("B", "dora", 1), ("C", "emil", 1)], 1, "bert")
def test_no_accepted_votes_violate_a_relation(
    people: People,
    apart: frozenset[tuple[str, str]],
    stand_ins: dict[str, str],
    events: list[tuple[str, str, int]],
    quorum: int,
    starter: str | None,
) -> None:
    ours(Absence).all().delete()
    known = {getattr(people, user).pk: getattr(people, other).pk for user, other in stand_ins.items()}
    for user, other in stand_ins.items():
        if user != other:
            away(getattr(people, user), getattr(people, other))
    says = {first: second for second, first in apart}
    needed = {"B": quorum}
    tasks = {
        task: manual(
            "anna, bert, carl",
            not_same_as=says.get(task, ""),
            quorum=needed.get(task, 1),
            not_starter=task == "C",
        )
        for task in "ABC"
    }
    name = f"Loop {ours(RunningProcesses).count()}"
    process(name, tasks, (1, "A"), (1, "B"), (2, "C", {"on_reject": 1}))
    instance = operations.start(name, user=getattr(people, starter) if starter else None)
    run_until_idle()
    rounds = Rounds(instance)
    for task, user, number in events:
        waiting = instance.waiting.filter(task_name=task).first()
        if waiting is None:
            continue
        before = rounds.of(task)
        did = decided(waiting, getattr(people, user), known, rejects=task == "C" and number == 0)
        assert task != "C" or instance.started_by_id not in did
        assert not did & before, "one person has one vote"
        before.update(did)
        for one, other in says.items():
            assert not rounds.of(one) & rounds.of(other)
        run_until_idle()

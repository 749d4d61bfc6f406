"""What is written in bulk is what the ORM would have written, and what is read in bulk is what the ORM reads."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build import code, process
from tests.test_values import kept, keys, same_types, text
from workflow import operations, values
from workflow.models import ActionCall, InstanceState, RunningProcesses, RunState, TaskRun, bulk

pytestmark = pytest.mark.django_db

EDGES: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**300, 0.1, -0.0, 1e16, 1e23, 1e-7, 5e-324, 1.7976931348623157e308,
    "", " ", "null", "\\", "\\u0000", '"', "'", "%s", "%(a)s", "\n\r\t\x01\x7f", "\u2028\u2029", "é", "e\u0301", "\U0001f600", "\ufeff", "\uffff",
    [], {}, [[]], [{}], [None], {"": ""}, {"a": None}, {"$": 1}, {"$dates": 1}, {"b": 1, "a": 2, "A": 3, "é": 4},
    date(1, 1, 1), date(9999, 12, 31), datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 1, 9, 30, tzinfo=UTC), timedelta(0), timedelta.min, timedelta.max, timedelta(microseconds=-1),
    Decimal(0), Decimal("-0"), Decimal("0.00"), Decimal("12.50"), Decimal("1E+30"), Decimal("1E-30"), Decimal("9" * 60),
]  # fmt: skip
"""Values at which one way to write might differ from another."""

moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))
content = kept.map(values.check)
contents = st.dictionaries(keys, kept, max_size=4).map(values.check)
plain = st.dictionaries(keys, st.none() | st.integers() | text | st.lists(text, max_size=2), max_size=3)
wide = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def instance() -> RunningProcesses:
    process("P", {"A": code("1")}, (1, "A"))
    return operations.start("P")


@pytest.fixture
def run(instance: RunningProcesses) -> TaskRun:
    at = instance.started_at
    return TaskRun.objects.create(
        instance=instance, task_name="A", visit=1, row=0, sequence=1, state="RUNNING", started_at=at
    )


def written(one: Model) -> dict[str, Any]:
    """All of a row but its key, as it stands in the database."""
    (found,) = type(one)._default_manager.filter(pk=one.pk).values()
    return {
        name: bytes(value) if isinstance(value, memoryview) else value for name, value in found.items() if name != "id"
    }


def read_in_bulk(one: Model) -> dict[str, Any]:
    model = type(one)
    (found,) = bulk.objects(model, f"SELECT {bulk.columns(model)} FROM {model._meta.db_table} WHERE id = %s", [one.pk])
    assert found == one
    assert not found._state.adding
    return {name: value for name, value in vars(found).items() if name not in {"id", "_state"}}


def assert_alike(in_bulk: Model, by_orm: Model, *, but: tuple[str, ...]) -> None:
    """Two rows hold the same, but for what tells them apart; also in type, and in what is NULL."""
    one, other = written(in_bulk), written(by_orm)
    for name in but:
        del one[name], other[name]
    assert one == other
    assert all(same_types(one[name], other[name]) for name in one), (one, other)
    read = read_in_bulk(in_bulk)
    assert {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in read.items()
        if name not in but
    } == one
    assert nulls(in_bulk, *one) == nulls(by_orm, *one)


def nulls(one: Model, *names: str) -> list[bool]:
    """Which columns are NULL: JSON has a null of its own, which reads the same."""
    columns = ", ".join(
        f'"{type(one)._meta.get_field(name.removesuffix("_id")).column}" IS NULL'
        if name.endswith("_id") and name != "subject_id"
        else f'"{name}" IS NULL'
        for name in names
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {type(one)._meta.db_table} WHERE id = %s", [one.pk])
        return [bool(value) for value in cursor.fetchone()]


@given(
    data=contents,
    results=contents,
    error=st.none() | plain,
    due_at=st.none() | moments,
    name=text.map(lambda one: one[:200]),
    number=st.integers(0, 2**31 - 1),
)
@wide
def test_instances(instance: RunningProcesses, number: int, name: str, **given: Any) -> None:
    fields = {
        "process_id": instance.process_id,
        "version_id": instance.version_id,
        "process_name": name,
        "state": InstanceState.WAITING,
        "step": number,
        "started_at": instance.started_at,
        "fence": 2**62 + number,
        **given,
    }
    with transaction.atomic():
        by_orm = RunningProcesses.objects.create(**fields)
        in_bulk = bulk.fresh(RunningProcesses, **fields, place=1)
        bulk.insert([in_bulk], unique=("place",), are_new=True)
        assert_alike(in_bulk, by_orm, but=("place",))


@given(
    result=content,
    changes=st.none() | contents,
    error=st.none() | plain,
    log=text,
    snapshot=st.binary(),
    ended_at=st.none() | moments,
)
@wide
def test_task_runs(run: TaskRun, **given: Any) -> None:
    fields = {
        "instance_id": run.instance_id,
        "task_name": "A",
        "row": 0,
        "sequence": 1,
        "state": RunState.FINISHED,
        "started_at": run.started_at,
    }
    with transaction.atomic():
        by_orm = TaskRun.objects.create(**fields, **given, visit=2)
        in_bulk = bulk.fresh(TaskRun, **fields, **given, visit=3)
        bulk.insert([in_bulk], unique=("instance_id", "visit", "row"))
        assert_alike(in_bulk, by_orm, but=("visit",))
        changed = TaskRun.objects.create(**fields, visit=4)
        for name, value in given.items():
            setattr(changed, name, value)
        bulk.update(TaskRun, [vars(changed)], tuple(given))
        assert_alike(changed, by_orm, but=("visit",))
        TaskRun.objects.exclude(pk=run.pk).delete()


@pytest.mark.parametrize("value", EDGES, ids=repr)
def test_values_at_the_edges(run: TaskRun, value: Any) -> None:
    value = values.check(value)
    for number, held in enumerate((value, [value], {"a": value}), start=1):
        arguments = {"args": [held], "kwargs": {}}
        fields = {
            "run_id": run.pk,
            "number": number,
            "name": "f",
            "arguments": arguments,
            "result": held,
            "started_at": run.started_at,
        }
        by_orm = ActionCall.objects.create(**fields, attempt=1)
        in_bulk = bulk.fresh(ActionCall, **fields, attempt=2)
        bulk.insert([in_bulk], unique=("run_id", "number", "attempt"))
        assert_alike(in_bulk, by_orm, but=("attempt",))
        if not isinstance(value, float):  # of which PostgreSQL gives back large ones as integers
            assert written(in_bulk)["result"] == held


def test_more_rows_than_one_statement_takes_and_each_gets_its_own_key(run: TaskRun) -> None:
    count = bulk.ROWS * 2 + 1
    calls = [
        bulk.fresh(
            ActionCall, run_id=run.pk, number=number, name="f", arguments={"n": number}, started_at=run.started_at
        )
        for number in range(1, count + 1)
    ]
    bulk.insert(calls, unique=("run_id", "number", "attempt"))
    assert dict(ActionCall.objects.values_list("pk", "number")) == {call.pk: call.number for call in calls}
    for call in calls:
        call.result = {"n": call.number}
    bulk.update(ActionCall, [vars(call) for call in calls], ("result",))
    assert all(result == arguments for result, arguments in ActionCall.objects.values_list("result", "arguments"))
    assert ActionCall.objects.count() == count


def test_what_is_there_already_is_left_and_its_key_is_found(run: TaskRun) -> None:
    fields = {"run_id": run.pk, "name": "f", "arguments": {}, "started_at": run.started_at}
    there = ActionCall.objects.create(**fields, number=1, result="kept")
    again, new = bulk.fresh(ActionCall, **fields, number=1, result="other"), bulk.fresh(ActionCall, **fields, number=2)
    bulk.insert([again, new], unique=("run_id", "number", "attempt"))
    assert again.pk == there.pk
    assert sorted(ActionCall.objects.values_list("number", "result")) == [(1, "kept"), (2, None)]
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert([bulk.fresh(ActionCall, **fields, number=1)], unique=("number",), are_new=True)


def test_nothing_is_written_for_nothing() -> None:
    bulk.insert([], unique=("id",))
    bulk.update(TaskRun, [], ("log",))


def test_a_new_object_shares_nothing_with_the_next(instance: RunningProcesses) -> None:
    first, second = bulk.fresh(RunningProcesses), bulk.fresh(RunningProcesses)
    first.data["a"] = 1
    assert (second.data, RunningProcesses().data) == ({}, {})
    assert vars(second).keys() == vars(RunningProcesses()).keys()

"""Answers to forms: what each kind takes, what it makes of it, and what it says of anything else."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.people.conftest import People
from workflow import operations
from workflow.definition import Field, Kind
from workflow.errors import BadData

RAW = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.decimals()
    | st.dates()
    | st.lists(st.text())
)
FIELDS = st.builds(
    Field,
    name=st.just("x"),
    kind=st.sampled_from([kind for kind in Kind if kind not in {Kind.USER, Kind.FILE}]),
    required=st.booleans(),
    choices=st.just(("a", "b")),
)


def answer(kind: Kind, raw: Any, **fields: Any) -> Any:
    return operations.answers_from([Field(name="x", kind=kind, **fields)], {"x": raw})["x"]


def message(kind: Kind, raw: Any, **fields: Any) -> str:
    with pytest.raises(BadData) as raised:
        answer(kind, raw, **fields)
    assert str(raised.value) == f"X: {raised.value.by_field['x']}"
    return raised.value.by_field["x"]


@given(FIELDS, RAW)
def test_what_was_read_is_read_again_as_it_is(field: Field, raw: Any) -> None:
    try:
        found = operations.answers_from([field], {"x": raw})
    except BadData as error:
        assert set(error.by_field) == {"x"}
    else:
        again = operations.answers_from([field], found)
        assert again == found
        assert [type(value) for value in again.values()] == [type(value) for value in found.values()]


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (Kind.TEXT, "  Lisbon ", "Lisbon"),
        (Kind.LONG_TEXT, "a\r\nb", "a\nb"),
        (Kind.NUMBER, "12", 12),
        (Kind.NUMBER, "-1.5", -1.5),
        (Kind.NUMBER, 3, 3),
        (Kind.NUMBER, 0.5, 0.5),
        (Kind.MONEY, "12.50", Decimal("12.50")),
        (Kind.MONEY, 12.5, Decimal("12.5")),
        (Kind.MONEY, Decimal("0.1"), Decimal("0.1")),
        (Kind.DATE, "2026-03-01", date(2026, 3, 1)),
        (Kind.DATE, date(2026, 3, 1), date(2026, 3, 1)),
        (Kind.YES_NO, "on", True),
        (Kind.YES_NO, "No", False),
        (Kind.YES_NO, True, True),
        (Kind.TEXT, "", ""),
        (Kind.NUMBER, "", None),
        (Kind.DATE, None, None),
        (Kind.YES_NO, "", False),
    ],
)
def test_an_answer(kind: Kind, raw: Any, expected: Any) -> None:
    found = answer(kind, raw)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (Kind.TEXT, 1, "Give a text, not int."),
        (Kind.TEXT, "a\nb", "Give one line."),
        (Kind.TEXT, "x" * 1001, "This has 1001 characters; up to 1000 can be given."),
        (Kind.TEXT, "a\0b", "This holds a NUL character, which can't be kept."),
        (Kind.NUMBER, "a dozen", "Give a number, such as 12 or 12.50."),
        (Kind.NUMBER, "nan", "Give a number, such as 12 or 12.50."),
        (Kind.NUMBER, "1e999", "This number is too large."),
        (Kind.NUMBER, True, "Give a number, not bool."),
        (Kind.NUMBER, "9" * 30, "This number has too many digits. Give up to 15."),
        (Kind.NUMBER, 10**30 + 1, "This number has too many digits. Give up to 15."),
        (Kind.NUMBER, "0.12345678901234567890", "This number has too many digits. Give up to 15."),
        (Kind.MONEY, "1e30", "This amount is too large. Give up to 15 digits before the decimals."),
        (Kind.MONEY, "9" * 30, "This amount is too large. Give up to 15 digits before the decimals."),
        (Kind.MONEY, "0.00001", "Give an amount with up to 4 decimals, such as 12.50."),
        (Kind.MONEY, [], "Give a number, not list."),
        (Kind.DATE, "1.3.2026", "Give a date, such as 2026-03-01."),
        (Kind.DATE, 7, "Give a date, such as 2026-03-01."),
        (Kind.YES_NO, "perhaps", "Answer yes or no."),
    ],
)
def test_a_wrong_answer(kind: Kind, raw: Any, expected: str) -> None:
    assert message(kind, raw) == expected


def test_a_choice_is_one_of_its_choices() -> None:
    assert answer(Kind.CHOICE, "b", choices=("a", "b")) == "b"
    assert message(Kind.CHOICE, "c", choices=("a", "b")) == "Choose one of: a, b."
    assert answer(Kind.CHOICE, "", choices=("a", "b")) is None


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.YES_NO])
def test_what_is_needed_must_be_there(kind: Kind) -> None:
    assert message(kind, " ", required=True) == "This is needed."


def test_what_is_needed_may_be_blank_where_nothing_need_be_there() -> None:
    form = [Field(name="x", kind=Kind.TEXT, required=True)]
    assert operations.answers_from(form, {"x": ""}, partial=True) == {"x": ""}


def test_very_much_is_refused() -> None:
    form = [Field(name="x", kind=Kind.LONG_TEXT)]
    with override_settings(WORKFLOW={"MAX_DATA_BYTES": 100}):
        assert operations.answers_from(form, {"x": "y" * 80}) == {"x": "y" * 80}
        with pytest.raises(BadData, match=r"^The answers take 108 bytes; the limit \(MAX_DATA_BYTES\) is 100.$"):
            operations.answers_from(form, {"x": "y" * 100})


def test_a_yes_or_no_that_is_needed_must_be_said() -> None:
    assert message(Kind.YES_NO, None, required=True) == "Answer yes or no."
    assert answer(Kind.YES_NO, False, required=True) is False


def test_each_field_has_its_message() -> None:
    form = [Field(name="a", required=True), Field(name="b", kind=Kind.DATE), Field(name="c")]
    with pytest.raises(BadData) as raised:
        operations.answers_from(form, {"b": "x", "c": "fine"})
    assert raised.value.by_field == {"a": "This is needed.", "b": "Give a date, such as 2026-03-01."}


def test_what_is_not_given_is_not_there_and_what_is_not_asked_is_passed_over() -> None:
    form = [Field(name="a"), Field(name="b", kind=Kind.YES_NO)]
    assert operations.answers_from(form, {"csrf": "x"}) == {"b": False}
    assert operations.answers_from(form, {"csrf": "x"}, partial=True) == {}


@pytest.mark.django_db(transaction=True)
def test_a_user_is_an_active_one(people: People) -> None:
    assert answer(Kind.USER, "anna") == "anna"
    assert answer(Kind.USER, people.anna) == "anna"
    assert message(Kind.USER, "gone") == "There is no active user 'gone'."

"""Values: what is kept is read back equal, and what can't be kept is refused with a reason."""

import json
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow import values
from workflow.values import ValueProblem

text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
keys = text.filter(lambda key: not key.startswith("$"))
decimals = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=100).map(tuple),
    st.integers(-1_000, 1_000),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**4000), 2**4000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | st.dates()
    | st.datetimes(timezones=st.timezones(), min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1))
    | st.timedeltas()
    | decimals
)
kept = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)
anything = kept | st.recursive(
    scalars | st.floats() | st.decimals() | st.text() | st.datetimes() | st.binary() | st.complex_numbers(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers())
    ),
    max_leaves=10,
)


def same_types(one: Any, other: Any) -> bool:
    match one:
        case list():
            return isinstance(other, list) and all(map(same_types, one, other))
        case dict():
            return isinstance(other, dict) and all(same_types(value, other[key]) for key, value in one.items())
    return type(one) is type(other)


@given(kept)
def test_what_is_kept_is_read_back_equal_and_of_the_same_type(value: Any) -> None:
    checked = values.check(value)
    read = values.loads(values.dumps(checked))
    assert read == checked
    assert same_types(read, checked)


@given(kept)
def test_checking_twice_changes_nothing(value: Any) -> None:
    checked = values.check(value)
    assert values.check(checked) == checked


@given(anything)
def test_any_value_is_either_kept_as_strict_json_or_refused(value: Any) -> None:
    try:
        checked = values.check(value)
    except ValueProblem:
        return
    json.dumps(checked, cls=values.Encoder, allow_nan=False).encode()


@given(st.booleans(), st.text("0123456789", min_size=1, max_size=1_300), st.integers(-2_000, 2_000) | st.integers())
def test_a_decimal_is_kept_if_it_is_short_when_it_is_written_out(negative: bool, digits: str, exponent: int) -> None:  # noqa: FBT001
    number = Decimal((negative, tuple(map(int, digits)), max(min(exponent, 10**9), -(10**9))))
    try:
        assert values.check(number) == number
    except ValueProblem:
        length = max(len(digits.lstrip("0")) + exponent, 1) + max(-exponent, 0)
        assert length > values.MAX_DIGITS or not digits.strip("0")
    else:
        assert len(f"{number:f}".strip("-").replace(".", "")) <= values.MAX_DIGITS
    assert values.loads(values.dumps(number)) == number, "what was kept before there was a limit can be read"


@given(st.text())
def test_any_text_is_either_read_or_refused(typed: str) -> None:
    with suppress(ValueProblem):
        values.loads(typed)


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (OrderedDict(a=1), {"a": 1}),
        (Colour.RED, "red"),
        (Size.LARGE, 3),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 3, 1, tzinfo=UTC)),
        (True, True),
    ],
)
def test_values_become_plain(value: Any, expected: Any) -> None:
    checked = values.check(value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [{1}]}, "value['a'][0] is of type set, which can't be kept; use text, numbers"),
        (b"x", "value is of type bytes"),
        (object(), "value is of type object"),
        ({1: 2}, "value has the key 1 of type int; keys must be text."),
        ({"$date": 1}, "value has the key '$date', which is reserved"),
        (float("nan"), "value is nan: only finite numbers can be kept."),
        (float("inf"), "value is inf"),
        (Decimal("NaN"), "value is NaN"),
        (Decimal("sNaN"), "value is sNaN"),
        (Decimal("-Infinity"), "value is -Infinity"),
        (2**5000, "value is a number of more than 1234 digits when written in full; longer ones can't be kept."),
        (-(10**1234), "value is a number of more than 1234 digits"),
        ({"a": Decimal("1e999999999")}, "value['a'] is a number of more than 1234 digits"),
        (Decimal("-1e-999999999"), "value is a number of more than 1234 digits"),
        (Decimal("0e999999999"), "value is a number of more than 1234 digits"),
        (Decimal(f"1.{'0' * 1234}"), "value is a number of more than 1234 digits"),
        ("a\x00b", "value holds a NUL character"),
        ("\ud800", "value holds text that is not valid Unicode"),
        ({"\x00": 1}, "value holds a NUL character"),
        (datetime(2026, 3, 1), "value is a datetime without a time zone"),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "which has no equal in UTC."),
    ],
)
def test_what_cannot_be_kept_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        values.check(value)
    assert message in str(caught.value)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    values.check(nested(values.MAX_DEPTH))
    with pytest.raises(ValueProblem, match=r"value.* is nested more than 64 levels deep"):
        values.check(nested(values.MAX_DEPTH + 1))


def test_a_list_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueProblem, match="nested more than 64 levels"):
        values.check(loop)


def test_what_is_small_only_by_sharing_is_refused() -> None:
    shared: list[Any] = []
    for _ in range(40):
        shared = [shared, shared]
    with pytest.raises(ValueProblem, match=r"value is too large: more than about 10000000 characters\."):
        values.check(shared)


def test_text_counts_as_often_as_it_is_written() -> None:
    with pytest.raises(ValueProblem, match="too large"):
        values.check(["x" * 1_000_000] * 11)


def test_the_four_types_are_written_as_tagged_objects() -> None:
    value = [date(2026, 3, 1), datetime(2026, 3, 1, 9, 30, tzinfo=UTC), timedelta(1, 2, 3), Decimal("12.50")]
    assert json.loads(values.dumps(value)) == [
        {"$date": "2026-03-01"},
        {"$datetime": "2026-03-01T09:30:00+00:00"},
        {"$timedelta": [1, 2, 3]},
        {"$decimal": "12.50"},
    ]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("{", "This is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        ('{"a": 1,\n "b" 2}', "line 2, column 6"),
        ('{"$date": "soon"}', '{"$date": \'soon\'} is not right: write {"$date": "2026-03-01"}.'),
        ('{"$date": 1}', "is not right"),
        ('{"$datetime": "2026-03-01T09:30:00"}', "is not right"),
        ('{"$timedelta": [1, 2]}', 'write {"$timedelta": [days, seconds, microseconds]}.'),
        ('{"$timedelta": [999999999999, 0, 0]}', "is not right"),
        ('{"$timedelta": "abc"}', "is not right"),
        ('{"$decimal": 12.5}', "is not right"),
        ('{"$decimal": "NaN"}', "is not right"),
        ('{"$decimal": "abc"}', "is not right"),
        ("NaN", "NaN can't be kept"),
        ("1e999", "1e999 can't be kept"),
        ("9" * 5000, "This can't be kept"),
        ("[" * 200_000, "This is nested too deep"),
    ],
)
def test_bad_json_is_refused_with_a_reason(typed: str, message: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        values.loads(typed)
    assert message in str(caught.value)


def test_a_tag_beside_other_keys_is_no_tag() -> None:
    assert values.loads('{"$date": "x", "b": 1}') == {"$date": "x", "b": 1}

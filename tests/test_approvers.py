"""Approvers as text: names, and expressions that give names."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow import approvers

NAMES = st.lists(st.text("abc ", min_size=1).filter(str.strip), min_size=1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("  ", ()),
        (" , ,", ()),
        ("anna", ("anna",)),
        ("anna, managers", ("anna", "managers")),
        (" b ,a,,b", ("b", "a")),
        ("Sales north, Sales south", ("Sales north", "Sales south")),
        ("Anna, anna", ("Anna", "anna")),
    ],
)
def test_names_are_stripped_unique_and_in_order(text: str, names: tuple[str, ...]) -> None:
    assert approvers.names(text) == names


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ('=data["manager"]', 'data["manager"]'),
        (' = data["manager"] ', 'data["manager"]'),
        ("=", ""),
        ("==a", "=a"),
    ],
)
def test_an_expression_starts_with_an_equals_sign(text: str, expression: str) -> None:
    assert approvers.is_expression(text)
    assert approvers.expression(text) == expression


@pytest.mark.parametrize("text", ["", "anna", "a=b"])
def test_other_text_is_no_expression(text: str) -> None:
    assert not approvers.is_expression(text)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("anna", ("anna",)),
        ("anna, managers", ("anna", "managers")),
        (["anna", " managers ", "anna"], ("anna", "managers")),
        (["anna, berta", "carla"], ("anna", "berta", "carla")),
        (("anna",), ("anna",)),
    ],
)
def test_an_expression_may_give_text_or_a_list_of_texts(value: Any, names: tuple[str, ...]) -> None:
    assert approvers.names_from_value(value) == names


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "The approver must be a name, or a list of names; the expression gave None."),
        (7, "The approver must be a name, or a list of names; the expression gave a value of type int."),
        ({"a": 1}, "The approver must be a name, or a list of names; the expression gave a value of type dict."),
        (
            timedelta(1),
            "The approver must be a name, or a list of names; the expression gave a value of type timedelta.",
        ),
        (["anna", 7], "Each approver must be a name; the expression gave a list that holds a value of type int."),
        ([None], "Each approver must be a name; the expression gave a list that holds None."),
    ],
)
def test_other_values_are_refused_by_what_they_are(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        approvers.names_from_value(value)
    assert str(refused.value) == message


@pytest.mark.parametrize("value", ["", " , ", [], [""]])
def test_an_expression_that_gives_no_name_does_not_open_the_task_to_all_staff(value: Any) -> None:
    with pytest.raises(ValueError, match="names nobody"):
        approvers.names_from_value(value)


@given(NAMES)
def test_names_survive_being_joined_to_text(names: list[str]) -> None:
    found = approvers.names_from_value(names)
    assert approvers.names(", ".join(found)) == found == approvers.names(",".join(names))

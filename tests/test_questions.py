"""Forms that code makes up: what comes of them, and what is said of wrong ones."""

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given

from tests.definitions import form
from workflow.definition import Field, Kind
from workflow.questions import faults, form_from_value


@given(form())
def test_a_form_without_errors_and_only_that_is_taken(fields: tuple[Field, ...]) -> None:
    wrong = [fault for fault in faults(fields) if fault.level == "error"]
    given_by_code = [{**asdict(field), "kind": field.kind.value, "choices": list(field.choices)} for field in fields]
    if wrong:
        with pytest.raises(ValueError) as raised:
            form_from_value(given_by_code)
        assert str(raised.value) == wrong[0].message
    else:
        assert form_from_value(given_by_code) == fields


def test_all_but_the_name_can_be_left_out() -> None:
    assert form_from_value([{"name": "x"}, {"name": "y", "kind": "money"}]) == (
        Field(name="x"),
        Field(name="y", kind=Kind.MONEY),
    )


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"name": "x"}, TypeError, "fields must be a list of dicts, not dict"),
        ([{"name": f"x{n}"} for n in range(101)], ValueError, "a form has up to 100 fields, not 101"),
        (["x"], TypeError, 'each field must be a dict, such as {"name": "amount"}, not str'),
        ([{}], ValueError, 'each field needs a name, such as {"name": "amount"}'),
        ([{"name": 1}], TypeError, "the name of a field must be text, not int"),
        ([{"name": "x", "lable": "X"}], ValueError, "a field has no 'lable'. Did you mean 'label'?"),
        ([{"name": "x", "required": "no"}], TypeError, "required must be True or False, not 'no'"),
        ([{"name": "x", "choices": "ab"}], TypeError, "the choices of the field 'x' must be a list of texts"),
        ([{"name": "x", "kind": "mony"}], ValueError, "there is no kind 'mony' of field. Did you mean 'money'?"),
        ([{"name": "x", "kind": ["a"]}], ValueError, "there is no kind ['a'] of field. There are:"),
    ],
)
def test_what_is_no_form_is_refused(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        form_from_value(value)
    assert str(raised.value).startswith(message)

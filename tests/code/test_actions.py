"""Granting functions: what `@action` accepts, what the stub says, and which arguments fit."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, TypedDict

import pytest
from django.core.exceptions import ImproperlyConfigured

from workflow.code.actions import Action, action, actions
from workflow.code.stubs import stubs

if TYPE_CHECKING:
    from nowhere import Unknown

Sku = NewType("Sku", str)


class Address(TypedDict):
    street: str


@action
def granted_for_test(sku: str, quantity: int = 1) -> bool:
    """Reserve goods.

    More about it.
    """
    return quantity < 10


def test_a_granted_function_stays_callable_and_is_known_by_its_name() -> None:
    assert granted_for_test("A", quantity=10) is False
    found = actions()["granted_for_test"]
    assert found.function is granted_for_test
    assert found.doc == "Reserve goods.\n\nMore about it."
    assert found.stub == "def granted_for_test(sku: str, quantity: int = 1) -> bool: ..."
    assert found.stub in stubs()


def test_the_registry_cannot_be_changed_from_outside() -> None:
    with pytest.raises(TypeError):
        actions()["other"] = actions()["granted_for_test"]  # type: ignore[index]


def test_granting_the_same_function_again_changes_nothing() -> None:
    assert action(granted_for_test) is granted_for_test


def refusal(function: Any) -> str:
    before = dict(actions())
    with pytest.raises(ImproperlyConfigured) as caught:
        action(function)
    assert dict(actions()) == before
    return str(caught.value)


def test_two_actions_of_one_name_are_refused_with_both_places() -> None:
    def granted_for_test() -> None: ...

    message = refusal(granted_for_test)
    assert message.startswith("Two actions are called granted_for_test(): at ")
    assert message.count("test_actions.py:") == 2


def test_names_that_code_has_already_are_refused() -> None:
    def print() -> None: ...  # noqa: A001
    def data() -> None: ...
    def sleep() -> None: ...
    def _hidden() -> None: ...

    assert "has the name of a built-in of Python (print)" in refusal(print)
    assert "has a name that the workflow engine gives to code itself" in refusal(data)
    assert "has a name that the workflow engine gives to code itself" in refusal(sleep)
    assert "is called '_hidden'; give it a name that code can call" in refusal(_hidden)
    assert "is called '<lambda>'" in refusal(lambda: None)


def test_async_functions_are_refused() -> None:
    async def fetch_later() -> None: ...

    async def fetch_many() -> Any:
        yield 1

    assert "The action fetch_later() at " in refusal(fetch_later)
    assert "is async, which code can't call; write a plain function" in refusal(fetch_many)


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="is atomic without a checkpoint"):
        action(atomic=True, checkpoint=False)(granted_for_test)


def many(
    plain: str,
    loose,  # type: ignore[no-untyped-def]
    number: float | None,
    rows: list[dict[str, Decimal]],
    table: Mapping[str, Sequence[int]],
    kind: Literal["a", "b"],
    sku: Sku,
    where: Address,
    noted: Annotated[date, "due"],
    odd: set[int],
    absent: "Unknown",
    *rest: int,
    when: datetime = datetime(2026, 1, 1),
    short: str = "x",
    long: str = "x" * 100,
    **more: bool,
) -> tuple[int, int]: ...


def test_the_stub_says_what_can_be_said() -> None:
    signature = inspect_stub(many)
    assert signature == (
        "def many(plain: str, loose: Any, number: float | None, rows: list[dict[str, Decimal]], "
        "table: Mapping[str, Sequence[int]], kind: Literal['a', 'b'], sku: str, where: dict[str, Any], noted: date, "
        "odd: Any, absent: Any, *rest: int, when: datetime = ..., short: str = 'x', long: str = ..., **more: bool) -> Any: ..."
    )


def inspect_stub(function: Any) -> str:
    return Action(function.__name__, function).stub


def test_a_function_whose_annotations_cannot_be_read_still_has_a_stub() -> None:
    def lost(a: "Unknown", b: "int") -> "Unknown": ...

    assert inspect_stub(lost) == "def lost(a: Any, b: Any) -> Any: ..."
    assert Action("lost", lost).call((1, "x"), {}) is None


def take(
    text: str = "",
    number: int = 0,
    rate: float = 0,
    amount: Decimal = Decimal(0),
    day: date | None = None,
    names: list[str] | None = None,
    kind: Literal["a", "b"] = "a",
    anything: Any = None,
    **flags: bool,
) -> Any:
    return {key: value for key, value in locals().items() if value not in ("", 0, None, "a", {})}


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "x"},
        {"number": 3},
        {"rate": 3},
        {"rate": 2.5},
        {"amount": Decimal("1.5")},
        {"day": date(2026, 3, 1)},
        {"names": ["a", "b"]},
        {"kind": "b"},
        {"anything": {"a": [1]}},
        {"flags": {"urgent": True}},
    ],
)
def test_arguments_that_fit_pass(arguments: dict[str, Any]) -> None:
    given = arguments.pop("flags", arguments) if "flags" in arguments else arguments
    expected = {"flags": given} if given is not arguments else arguments
    assert Action("take", take).call((), given) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": 1}, "take() takes text as str, but got 1 (of type int)"),
        ({"text": None}, "take() takes text as str, but got None (of type NoneType)"),
        ({"number": "1"}, "take() takes number as int, but got '1' (of type str)"),
        ({"number": 1.0}, "take() takes number as int, but got 1.0 (of type float)"),
        ({"rate": "1"}, "take() takes rate as float, but got '1' (of type str)"),
        ({"amount": 1.5}, "take() takes amount as Decimal, but got 1.5 (of type float)"),
        ({"day": "2026-03-01"}, "take() takes day as date | None, but got '2026-03-01' (of type str)"),
        ({"names": ["a", 1]}, "take() takes names as list[str] | None, but got ['a', 1] ("),
        ({"kind": "c"}, "take() takes kind as Literal['a', 'b'], but got 'c' (of type str)"),
        ({"urgent": 1}, "take() takes flags as bool, but got 1 (of type int)"),
        ({"anything": {1}}, "take(): anything is of type set, which can't be kept"),
        (
            {"text": "x" * 1000, "number": "y" * 1000},
            "take() takes number as int, but got 'yyyyyyyyyyyy...yyyyyyyyyyyyy'",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        Action("take", take).call((), arguments)
    assert str(caught.value).startswith(message)


def test_each_of_many_positional_arguments_is_checked() -> None:
    def total(*numbers: int) -> int:
        return sum(numbers)

    assert Action("total", total).call((1, 2), {}) == 3
    with pytest.raises(TypeError, match=r"total\(\) takes numbers as int, but got 'x'"):
        Action("total", total).call((1, "x"), {})


@pytest.fixture(autouse=True)
def _registry_is_left_as_it_was() -> Iterator[None]:
    before = dict(actions())
    yield
    assert dict(actions()) == before

"""What is found in code before it runs: each finding at its place, in words that its owner understands."""

from time import monotonic

import pytest

from tests.code.granted import GRANTED
from tests.code.test_runners import PROGRAMS
from workflow.code.actions import Action, _actions
from workflow.code.check import Checks, _checked, check_code
from workflow.code.job import Problem
from workflow.code.sandbox import SandboxRunner
from workflow.code.stubs import stubs
from workflow.code.trusted import TrustedRunner


def problems(runner: SandboxRunner | TrustedRunner, code: str, *, expression: bool = False) -> list[Problem]:
    return runner.check(code, expression=expression, stubs=stubs(expression=expression, granted=GRANTED))


def test_a_form_that_is_none_is_found(sandbox: SandboxRunner) -> None:
    (problem,) = problems(sandbox, "approval('anna', 'How much?', fields={'name': 'price'})")
    assert "fields" in problem.message or "Sequence" in problem.message


@pytest.mark.parametrize("code", PROGRAMS)
def test_sound_code_has_no_problems(sandbox: SandboxRunner, trusted: TrustedRunner, code: str) -> None:
    assert problems(sandbox, code) == problems(trusted, code) == []


@pytest.mark.parametrize(
    "code",
    [
        "data['a']['b'].c(1) + data['d']",
        "data['x'] = results['Check']['ok'] > 1",
        "data.get('n', 0) > 3",
        "data = {**data, 'a': 1}",
        "total = 0\nfor line in data['lines']:\n    total += line['price'] * line['quantity']\ntotal",
        "if not reserve_stock('A'):\n    raise ValueError('none')",
        "reserve_stock(data['sku'], by=data['day'])",
        "from datetime import date\nreserve_stock('A', by=date(2026, 3, 1))",
        "max(data['lines'], key=lambda line: line['price'])",
        "run.started_by",
        "print('x', data)",
        "approval('anna', 'How much?', fields=[{'name': 'price', 'kind': 'money', 'required': True}])['data']['price']",
        "form = [{'name': name} for name in data['asked']]\napproval(['anna'], 'Well?', form)['approved']",
        "import json, math, re, random, datetime, decimal, itertools, collections",
    ],
)
def test_ordinary_code_is_not_suspected(sandbox: SandboxRunner, code: str) -> None:
    assert problems(sandbox, code) == []


@pytest.mark.parametrize(
    ("code", "line", "column", "message"),
    [
        ("x = = 1", 1, 5, "Expected an expression."),
        ("x = 1\nif x\n    x = 2", 2, 5, "Expected `:`, found newline."),
        ("print(1", 1, 8, "Unexpected EOF while parsing."),
        ("'abc", 1, 1, "Missing closing quote in string literal."),
        ("  x = 1", 1, 1, "Unexpected indentation."),
        ("return 1", 1, 1, "`return` statement outside of a function."),
        ("x = 1\ndel x", 2, 1, "The sandbox does not support the 'del' statement"),
        ("class A(Exception):\n    pass", 1, 1, "The sandbox does not support class inheritance"),
        ("x = lambda: (yield)", 1, 14, "The sandbox does not support yield expressions"),
        ("x = 1\nreserve_stok('A')", 2, 1, "There is no 'reserve_stok' here; did you mean 'reserve_stock'?"),
        ("nothing_like_it", 1, 1, "There is no 'nothing_like_it' here."),
        ("open('/etc/passwd')", 1, 1, "There is no 'open' here"),
        ("import numpy", 1, 8, "The module 'numpy' can't be imported here."),
        ("from django.db import models", 1, 6, "The module 'django.db' can't be imported here."),
        ("import os\nos.system('id')", 2, 1, "Module `os` has no member `system`."),
        ("reserve_stock(1)", 1, 15, "Argument to function `reserve_stock` is incorrect: Expected `str`, found `1`."),
        ("reserve_stock()", 1, 1, "No argument provided for required parameter `sku` of function `reserve_stock`."),
        ("reserve_stock('A', 1, 2)", 1, 23, "Too many positional arguments to function `reserve_stock`"),
        ("reserve_stock('A', amount=1)", 1, 20, "Argument `amount` does not match any known parameter"),
        (
            "reserve_stock('A', by='soon')",
            1,
            20,
            "Argument to function `reserve_stock` is incorrect: Expected `date | ",
        ),
        ("reserve_stock('A').upper()", 1, 1, "Object of type `bool` has no attribute `upper`."),
        ("run.nam", 1, 1, "Object of type `_Run` has no attribute `nam`."),
        ("'a' + 1", 1, 1, 'Operator `+` is not supported between objects of type `"a"` and `1`.'),
        (
            "data.get('n') > 3",
            1,
            1,
            "Operator `>` is not supported between objects of type `Any | None` and `3`; it may be",
        ),
        ("Decimal('1')", 1, 1, "There is no 'Decimal' here"),
        ("'é'; undefined_name", 1, 6, "There is no 'undefined_name' here."),
        ("(" * 20_000 + ")" * 20_000, 1, None, "Source is too deeply nested"),
    ],
)
def test_a_problem_names_place_and_reason(
    sandbox: SandboxRunner, code: str, line: int, column: int | None, message: str
) -> None:
    first = problems(sandbox, code)[0]
    assert first.message.startswith(message)
    assert first.line == line
    assert column is None or first.column == column


def test_all_problems_are_found_in_order_of_place(sandbox: SandboxRunner) -> None:
    code = "reserve_stock(1)\nnot_there()\n\nrun.nam\n[1].push(2)"
    assert [problem.line for problem in problems(sandbox, code)] == [1, 2, 4, 5]


def test_checking_runs_nothing(sandbox: SandboxRunner) -> None:
    assert problems(sandbox, "while True:\n    print('x')") == []


@pytest.mark.parametrize(
    "expression", ["data['n'] > 1", " data['n'] ", "(1 +\n 2)", "1 # one", "'a', 'b'", "results['Check']"]
)
def test_an_expression_is_sound(sandbox: SandboxRunner, trusted: TrustedRunner, expression: str) -> None:
    assert problems(sandbox, expression, expression=True) == problems(trusted, expression, expression=True) == []


@pytest.mark.parametrize(
    "code", ["x = 1", "1; 2", "1\n2", "", "  ", "pass", "if True:\n    1", "1) or (2", "# nothing", "import re"]
)
def test_statements_are_no_expression(sandbox: SandboxRunner, trusted: TrustedRunner, code: str) -> None:
    assert problems(sandbox, code, expression=True)
    assert problems(trusted, code, expression=True)


def test_statements_are_told_from_an_expression_in_words(sandbox: SandboxRunner) -> None:
    (problem,) = problems(sandbox, "x = 1", expression=True)
    assert str(problem.message) == 'This must be one expression, such as data["amount"] > 100, not statements.'


@pytest.mark.parametrize("expression", ["reserve_stock('A')", "run.id", "undefined"])
def test_an_expression_has_only_data_and_results(sandbox: SandboxRunner, expression: str) -> None:
    (problem,) = problems(sandbox, expression, expression=True)
    assert problem.message.startswith("There is no ")


def test_trusted_python_is_checked_for_its_syntax(trusted: TrustedRunner) -> None:
    assert problems(trusted, "import numpy\nx = = 1") == [Problem(line=2, column=5, message="Invalid syntax.")]
    assert problems(trusted, "import numpy\nnumpy.array(1)") == []
    assert len(problems(trusted, "x\x00")) == 1


def test_what_was_checked_is_remembered_until_what_is_granted_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "remembered_or_not(1)"
    (problem,) = check_code(code)
    assert problem.message.startswith("There is no 'remembered_or_not' here")
    before = _checked.cache_info().hits
    check_code(code)
    assert _checked.cache_info().hits == before + 1

    def remembered_or_not(number: int) -> None: ...

    monkeypatch.setitem(_actions, "remembered_or_not", Action("remembered_or_not", remembered_or_not))
    assert check_code(code) == []


def swapped(count: int) -> str:
    """Variables that take their values from one another in a loop: what the checker finds hardest."""
    turns = "\n".join(f"    a, b, c = (b, c, a) if data.get('{n}') else ([a], [b], [c])" for n in range(count))
    return f"a, b, c = 1, 2, 'x'\nwhile data:\n{turns}"


HARD = {
    "loops": swapped(60),
    "conditions": " or ".join(f"(data.get('{n}') and isinstance(data, dict))" for n in range(1_500)),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_what_is_too_complicated_is_said_in_a_few_seconds_and_not_looked_at_again_each_time(text: str) -> None:
    began = monotonic()
    (problem,) = check_code(text)
    took = monotonic() - began
    assert problem.message == (
        "The code is too complicated to be checked: that takes more than 3 s or 256 MiB. Split it into several tasks, or have its "
        "loops and conditions change fewer variables."
    )
    began = monotonic()
    for _ in range(400):
        assert check_code(text) == [problem]
    assert monotonic() - began < took, "400 tasks with the same code take no longer than one"
    assert check_code("1 +") != [problem]
    assert check_code("data['a']") == []


@pytest.mark.parametrize(
    "text", ["'\ud800'", "'\x00'", "x = '\u2028'", "\N{PILE OF POO} = 1", "1" * 10_000, "x" * 100_000]
)
@pytest.mark.parametrize("expression", [False, True])
def test_odd_text_is_a_problem_or_none_and_never_an_error(text: str, expression: bool) -> None:
    assert all(problem.message for problem in check_code(text, expression))


@pytest.mark.slow
def test_many_that_are_too_complicated_take_no_longer_together_than_a_few() -> None:
    texts = [swapped(70 + number) for number in range(10)]
    checks = Checks(longest=0.1)
    first, *others = [checks(text) for text in texts]
    assert first[0].message.startswith("The code is too complicated")
    assert {one[0].message for one in others} == {
        "The code could not be checked yet: other code takes too long. Mend what is too complicated first, and look again."
    }
    again = Checks(longest=0.1)
    assert again(texts[0]) == first
    assert again("data['a']") == [], "what is known already takes no time"

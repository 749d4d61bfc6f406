"""What both runners do alike: one suite for the sandbox and for trusted Python."""

import textwrap
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.code.granted import job, run
from tests.test_values import kept
from workflow import values
from workflow.code.job import Call, Completed, Errored, Raised, Returned
from workflow.code.runner import Runner
from workflow.code.sandbox import SandboxRunner
from workflow.code.trusted import TrustedRunner

PROGRAMS: dict[str, Any] = {
    "1 + 1": 2,
    "": None,
    "# nothing": None,
    "x = 1": None,
    "x = 1\nx": 1,
    "for i in range(3):\n    x = i": None,
    "if True:\n    5": None,
    "data['n'] * 2": 6,
    "results['Check']['ok']": True,
    "[run.id, run.process, run.task, run.attempt, run.started_by, run.subject]": [7, "Order", "Pick", 2, "ann", None],
    "(1, 2), {'a': (3,)}": [[1, 2], {"a": [3]}],
    "def double(x):\n    return 2 * x\ndouble(4)": 8,
    "sum(x * x for x in range(4))": 14,
    "sorted({'b': 1, 'a': 2}.items(), key=lambda pair: pair[1])": [["b", 1], ["a", 2]],
    "class P:\n    def __init__(self, x):\n        self.x = x\nP(3).x": 3,
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    text = str(error)\ntext": "division by zero",
    "f'{data[\"n\"]:>4}|{1.5:.2f}'": "   3|1.50",
    "import math\nmath.floor(2.5)": 2,
    "import re\nre.sub('a+', 'b', 'caat')": "cbt",
    "import json\njson.loads('[1, null]')": [1, None],
    "from datetime import date, timedelta\ndate(2026, 2, 28) + timedelta(days=1)": date(2026, 3, 1),
    "from datetime import datetime, timezone\ndatetime(2026, 3, 1, tzinfo=timezone.utc)": datetime(
        2026, 3, 1, tzinfo=UTC
    ),
    "from decimal import Decimal\nDecimal('1.10') + 1": Decimal("2.10"),
    "import datetime\ndatetime.timedelta(hours=1)": timedelta(hours=1),
    "total = 0\nwhile total < 10:\n    total += 3\n    if total == 6:\n        break\ntotal": 6,
    "[a, *b] = [1, 2, 3]\nb": [2, 3],
    "(n := 4) + n": 8,
    "'é' * 2": "éé",
    "reserve_stock('A')": True,
    "reserve_stock('A', quantity=10)": False,
    "price('A') * 2": Decimal("25.00"),
    "f = reserve_stock\nf('A', 20)": False,
    "[reserve_stock(sku) for sku in ['A', 'B']]": [True, True],
    " \n": None,
    "echo({'a': [1, {'b': None}]})": {"a": [1, {"b": None}]},
    "data == {'n': 3}": True,
    "2 ** 100": 2**100,
}


@pytest.mark.parametrize("code", PROGRAMS)
def test_the_value_of_the_last_expression_is_the_result(runner: Runner, code: str) -> None:
    outcome = run(runner, code, n=3)
    assert outcome == Completed(result=PROGRAMS[code], data={"n": 3}, log="")
    assert isinstance(outcome, Completed)
    assert type(outcome.result) is type(PROGRAMS[code])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("data['n'] += 1", {"n": 4}),
        ("data.pop('n')", {}),
        ("data = {**data, 'm': (1,)}", {"n": 3, "m": [1]}),
        ("data['d'] = price('A')", {"n": 3, "d": Decimal("12.50")}),
        ("def change():\n    data['n'] = 0\nchange()", {"n": 0}),
        ("results['Check']['ok'] = False", {"n": 3}),
    ],
)
def test_changes_of_data_are_kept(runner: Runner, code: str, expected: dict[str, Any]) -> None:
    outcome = run(runner, code, n=3)
    assert isinstance(outcome, Completed)
    assert outcome.data == expected


def test_a_job_is_not_changed_by_its_run(runner: Runner) -> None:
    task = job("data['list'].append(1)\nresults.clear()", list=[])
    with pytest.raises(StopIteration):
        next(runner.run(task))
    assert task == job("data['list'].append(1)\nresults.clear()", list=[])


@given(value=kept)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_values_go_in_and_come_out_unchanged(runner: Runner, value: Any) -> None:
    checked = values.check(value)
    outcome = run(runner, "data['value']", value=checked)
    assert outcome == Completed(result=checked, data={"value": checked})


@given(value=kept)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_values_pass_through_an_action_unchanged(runner: Runner, value: Any) -> None:
    checked = values.check(value)
    outcome = run(runner, "echo(data['value'])", value=checked)
    assert outcome == Completed(result=checked, data={"value": checked})


def test_print_goes_to_the_log(runner: Runner) -> None:
    outcome = run(runner, "print('a', 1, sep='-')\nprint('b', end='')\n1 / 0")
    assert outcome.log == "a-1\nb"


def test_the_log_is_bounded(runner: Runner) -> None:
    outcome = run(runner, "for i in range(100):\n    print('x' * 99)")
    assert isinstance(outcome, Completed)
    assert outcome.log == ("x" * 99 + "\n") * 10 + "\n… 9000 more characters were not kept.\n"


def test_the_log_can_be_stored_anywhere(runner: Runner) -> None:
    assert run(runner, r"print('a\x00b')").log == "a\N{REPLACEMENT CHARACTER}b\n"


@pytest.mark.parametrize(
    ("code", "error", "message", "line", "column"),
    [
        ("x = 1\n1 / 0", "ZeroDivisionError", "division by zero", 2, 1),
        ("def f(n):\n    return 1 / n\n\nf(0)", "ZeroDivisionError", "division by zero", 2, 12),
        ("raise KeyError('k')", "KeyError", "'k'", 1, None),
        ("data['missing']", "KeyError", "'missing'", 1, 1),
        ("assert False, 'no'", "AssertionError", "no", 1, None),
        ("x = 1\nundefined_name", "NameError", "name 'undefined_name' is not defined", 2, 1),
        ("reserve_stok('A')", "NameError", "name 'reserve_stok' is not defined; did you mean 'reserve_stock'?", 1, 1),
        ("f = reserve_stok", "NameError", "name 'reserve_stok' is not defined; did you mean 'reserve_stock'?", 1, None),
        ("prnt(1)", "NameError", "name 'prnt' is not defined; did you mean 'print'?", 1, 1),
        ("import no_such_module", "ModuleNotFoundError", "No module named 'no_such_module'", 1, 1),
        ("x = = 1", "SyntaxError", None, 1, 5),
        (
            "reserve_stock(1)",
            "TypeError",
            "reserve_stock() takes sku as str, but got 1 (of type int)",
            1,
            1,
        ),
        (
            "reserve_stock()",
            "TypeError",
            (
                "reserve_stock(): missing a required argument: 'sku'; "
                "it is reserve_stock(sku: str, quantity: int = 1, *, by: date | None = None) -> bool"
            ),
            1,
            1,
        ),
        ("decline(1)", "TypeError", "decline(): too many positional arguments; it is decline() -> None", 1, 1),
        ("a_set()", "TypeError", "What a_set() returned is of type set, which can't be kept", 1, 1),
        ("echo({1})", "TypeError", "echo(): value is of type set, which can't be kept", 1, 1),
        ("raise SystemExit", "SystemExit", "", None, None),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "", 1, None),
    ],
)
def test_an_error_names_its_type_and_place(
    runner: Runner, code: str, error: str, message: str | None, line: int | None, column: int | None
) -> None:
    outcome = run(runner, code)
    assert isinstance(outcome, Errored)
    assert outcome.error.type == error
    assert message is None or outcome.error.message.startswith(message)
    assert line is None or outcome.error.line == line
    assert column is None or outcome.error.column == column


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("{1, 2}", "The result is of type set, which can't be kept"),
        ("b'x'", "The result is of type bytes"),
        ("float('nan')", "The result is nan"),
        ("{1: 2}", "The result has the key 1 of type int; keys must be text."),
        ("class Point:\n    pass\nPoint()", "The result is of type Point"),
        ("data['when'] = 1j", "data['when'] is of type complex"),
        ("from datetime import datetime\ndatetime(2026, 3, 1)", "The result is a datetime without a time zone"),
        ("data = [1]", "data must stay a dict; the code has made it list."),
        ("def data():\n    pass", "data must stay a dict"),
        (
            "2 ** 5000",
            "The result is a number of more than 1234 digits when written in full; longer ones can't be kept.",
        ),
        ("'a\\x00'", "The result holds a NUL character"),
        ("def f():\n    pass\nf", "The result "),
        ("class C:\n    pass\nC", "The result "),
        ("print", "The result is of type "),
        ("int", "The result is of type type"),
        ("reserve_stock", "The result "),
        ("range(3)", "The result "),
        ("iter([1])", "The result "),
        ("data['f'] = [reserve_stock]", "data"),
    ],
)
def test_a_value_that_cannot_be_kept_is_an_error(runner: Runner, code: str, message: str) -> None:
    outcome = run(runner, f"print('before')\n{code}")
    assert isinstance(outcome, Errored)
    assert outcome.error.type == "BadValue"
    assert outcome.error.message.startswith(message)
    assert outcome.log == "before\n"


def test_the_traceback_is_the_codes_own(runner: Runner) -> None:
    code = "def pick(sku):\n    reserve_stock(sku)\n\npick('none left')"
    outcome = run(runner, code)
    assert isinstance(outcome, Errored)
    assert 'File "Pick", line 4, in <module>\n    pick(' in outcome.error.traceback
    assert 'File "Pick", line 2, in pick\n    reserve_stock(sku)' in outcome.error.traceback
    assert "workflow/code" not in outcome.error.traceback
    assert outcome.error.line == 2


def test_a_projects_exception_is_caught_by_its_base(runner: Runner) -> None:
    code = textwrap.dedent("""
        caught = []
        try:
            reserve_stock("none left")
        except LookupError as error:
            caught.append(str(error)[-9:])
        try:
            decline()
        except Exception as error:
            caught.append(str(error)[-12:])
        caught
        """)
    outcome = run(runner, code)
    assert isinstance(outcome, Completed)
    assert outcome.result == ["none left", "card expired"]


def test_what_stops_the_engine_goes_through_the_code(runner: Runner) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(runner, "try:\n    stop('interrupt')\nexcept BaseException:\n    pass")
    assert run(runner, "1") == Completed(result=1, data={})


def test_an_action_that_exits_ends_its_call_and_not_the_engine(runner: Runner) -> None:
    outcome = run(runner, "try:\n    stop('exit')\nexcept RuntimeError as error:\n    x = str(error)\nx")
    assert isinstance(outcome, Completed)
    assert outcome.result == "stop() wanted to end the program (SystemExit)"


def test_calls_are_yielded_and_answered(runner: Runner) -> None:
    running = runner.run(
        job("x = echo(1, value=2)\ntry:\n    echo()\nexcept OSError as error:\n    y = str(error)\n[x, y]")
    )
    assert next(running) == Call(name="echo", args=(1,), kwargs={"value": 2})
    assert running.send(Returned([3])) == Call(name="echo")
    with pytest.raises(StopIteration) as end:
        running.send(Raised(OSError("gone")))
    assert end.value.value == Completed(result=[[3], "gone"], data={})


def test_closing_abandons_the_job(runner: Runner) -> None:
    for _ in range(5):  # more than there are workers
        running = runner.run(job("try:\n    echo()\nexcept Exception:\n    pass\nwhile True:\n    echo()"))
        next(running)
        running.close()
    assert run(runner, "1") == Completed(result=1, data={})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("data['n'] > 2", True),
        ("results['Check']['ok'] and not data.get('m')", True),
        (" data['n']  ", 3),
        ("(data['n'] >\n 2)", True),
        ("[x for x in range(3) if x]  # why", [1, 2]),
        ("data['n'], 1", [3, 1]),
    ],
)
def test_an_expression_has_a_value(runner: Runner, expression: str, expected: Any) -> None:
    assert evaluate(runner, expression) == Completed(result=expected, data={"n": 3})


@pytest.mark.parametrize(
    ("expression", "error", "message"),
    [
        ("reserve_stock('A')", "CallRefused", "reserve_stock() can't be called here: an expression looks at data"),
        ("data['m']", "KeyError", "'m'"),
        ("x = 1", "SyntaxError", ""),
        ("1; 2", "SyntaxError", ""),
        ("", "SyntaxError", ""),
        ("# all of it is a comment\u2028True", "SyntaxError", ""),
        ("run.id", "NameError", "name 'run' is not defined"),
        ("{1}", "BadValue", "The result is of type set"),
    ],
)
def test_an_expression_that_is_not_one_is_refused(runner: Runner, expression: str, error: str, message: str) -> None:
    outcome = evaluate(runner, expression)
    assert isinstance(outcome, Errored)
    assert outcome.error.type == error
    assert outcome.error.message.startswith(message)


def test_the_column_of_an_expressions_error_is_as_typed(runner: Runner) -> None:
    outcome = evaluate(runner, "1 and undefined")
    assert isinstance(outcome, Errored)
    assert (outcome.error.line, outcome.error.column) == (1, 7)


def evaluate(runner: Runner, expression: str) -> Completed | Errored:
    return runner.evaluate(expression, data={"n": 3}, results={"Check": {"ok": True}}, time_limit=5, memory_limit=64)


def test_both_run_the_same_programs(sandbox: SandboxRunner, trusted: TrustedRunner) -> None:
    for code in PROGRAMS:
        assert run(sandbox, code, n=3) == run(trusted, code, n=3)

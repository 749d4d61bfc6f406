"""Code of several instances that runs by one feed does what it does by itself, and sees nothing of the rest."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_monty import MontySession

from tests.code.granted import job, run
from tests.code.test_runners import PROGRAMS
from tests.code.test_shared import LOOKS
from workflow.code.job import Completed, Errored, Job, Outcome
from workflow.code.runner import Runner
from workflow.code.sandbox import SandboxRunner, _given
from workflow.code.text import text_of
from workflow.code.together import AGAIN, LONGEST, SHORT, ShortCode, Together

COUNT = 'data["n"] = data.get("n", 0) + 1'
ENDLESS = "while data:\n    pass"
LARGE = "[0] * 10 ** 9 if data else 0"

FIT = [
    *(COUNT, "data['x'] = 1; data['x'] + 1", "for x in range(3):\n    data[f'n{x}'] = x\nelse:\n    x = 9\nx"),
    *("if data:\n\tx = 1\nelse:\n\tx = 2\nx", "sorted([3, 1], key=lambda x: -x)", "[y := 1 for _ in [1]]\ny"),
    *("run.process, run.id, results['Check']", "'é' + data.get('ü', 'ß')  # ñ", "(1 +\n 2)", "x = 1 + \\\n  2\nx"),
    *("del data['n']", "data = {'a': 1}", "data = 5", "{1, 2}", "assert data", "raise ValueError('x')", "missing"),
    *("1 / 0", "x, *y = [1, 2, 3]\ny", "while True:\n    break", "''.join(c for c in 'abc')", "'''one line'''"),
    *(
        "range(3)",
        "lambda: 1",
        "data['self'] = data",
        "results.clear()",
        "data['n'] + undefined",
        "'<int object>'",
        " ",
    ),
]
"""Code that may run together with other code, some of which raises or can't be kept."""

UNFIT = {
    "it imports": "import math\nmath.pi",
    "it may name anything": "eval('1')",
    "it prints": "print('x')",
    "it defines a function": "def f():\n    return 1\nf()",
    "it defines a class": "class A:\n    x = 1\nA.x",
    "it replaces a built-in": "max = max([1, 2])",
    "it catches what it may raise only there": "try:\n    x\nexcept NameError:\n    y = 1",
    "it changes a global": "global data\ndata['n'] = 1",
    "its text has several lines": "x = '''a\nb'''\nx",
    "its text has several lines and values": "x = f'''a\n{data}'''\nx",
    "it names what could be ours": "__given",
    "it would end the function": "return 1",
    "it would be a generator": "yield 1",
    "it is no Python": "1 +",
    "it is annotated": "x: int = 1\nx",
}


@pytest.fixture
def known() -> ShortCode:
    return ShortCode()


@pytest.fixture
def together(sandbox: SandboxRunner, known: ShortCode) -> Iterator[Together]:
    with closing(new(sandbox, known)) as opened:
        yield opened


def new(sandbox: SandboxRunner, known: ShortCode) -> Together:
    def checkout(memory_limit: int) -> AbstractContextManager[MontySession]:
        return sandbox.session(time_limit=LONGEST, memory_limit=memory_limit)

    return Together(checkout, known=known)


@pytest.mark.parametrize("code", FIT)
def test_code_does_together_what_it_does_by_itself(sandbox: SandboxRunner, together: Together, code: str) -> None:
    assert text_of(code).body
    alone = run(sandbox, code, n=3)
    for found in outcomes(together, [job(code, n=3), job(COUNT), job(code, n=3)])[::2]:
        assert found is None or told(found) == told(alone)
        assert (found is None) == (isinstance(alone, Errored) and alone.error.type != "BadValue")


@pytest.mark.parametrize("why", UNFIT)
def test_code_is_left_to_run_by_itself(why: str) -> None:
    assert not text_of(UNFIT[why]).body


@pytest.mark.parametrize("how", LOOKS)
def test_code_finds_nothing_of_other_code(sandbox: SandboxRunner, together: Together, how: str) -> None:
    fitting = [text for text in LOOKS[how] if text_of(text).body]
    alone = [run(sandbox, text, n=3) for text in fitting]
    for _ in range(2):
        given = [job(text, n=3) for text in (*fitting, COUNT)]
        for found, expected in zip(outcomes(together, given), alone, strict=False):
            assert found is None or told(found) == told(expected)


@given(st.lists(st.sampled_from([*FIT, *PROGRAMS, *(code for pair in LOOKS.values() for code in pair)]), max_size=12))
@settings(max_examples=60)
def test_whatever_runs_together_does_alike(sandbox: SandboxRunner, programs: list[str]) -> None:
    fitting = [code for code in programs if text_of(code).body]
    with closing(new(sandbox, ShortCode())) as together:
        for _ in range(2 if fitting else 0):
            for code, found in zip(fitting, outcomes(together, [job(code, n=3) for code in fitting]), strict=True):
                assert found is None or told(found) == told(run(sandbox, code, n=3)), code


@pytest.mark.parametrize("code", [ENDLESS, LARGE])
def test_code_that_takes_too_much_is_found_out_and_leaves_the_others_alone(
    sandbox: SandboxRunner, together: Together, known: ShortCode, code: str
) -> None:
    known.took(code, 0.0)
    jobs = [job(COUNT), job(code, n=1), job(COUNT)]
    assert together.run(jobs) == [None, None, None]
    assert not known.is_short(code)
    assert outcomes(together, [job(COUNT), job(COUNT)]) == [run(sandbox, COUNT)] * 2


def test_what_is_too_large_for_one_limit_is_not_run_by_another(together: Together) -> None:
    jobs = [job(COUNT, memory_limit=64), job(COUNT, memory_limit=32), job(COUNT, memory_limit=64)]
    assert [found is None for found in outcomes(together, jobs)] == [False, True, False]
    assert [found is None for found in outcomes(together, jobs[1:])] == [False, True]


def test_a_worker_that_was_told_to_end_says_nothing_of_the_code(together: Together, known: ShortCode) -> None:
    known.took(COUNT, 0.0)
    jobs = [job(COUNT), job(COUNT)]
    assert None not in outcomes(together, jobs)
    worker: Any = together._kept.worker_pid
    os.kill(worker, signal.SIGTERM)
    assert outcomes(together, jobs) == [None, None]
    assert known.is_short(COUNT)
    assert None not in outcomes(together, jobs)


SEPARATORS = "\u2028\u2029\x85\x0b\x1c\x1d\x1e\x1f"
"""What `str.splitlines` takes for line ends and Python does not; form feeds and carriage returns keep code from running together."""

LITERALS = st.text(
    st.sampled_from(SEPARATORS) | st.sampled_from(" \t#;ab\"'{}\\\\\f\r") | st.characters(codec="utf-8"), max_size=8
)


def quoted(text: str, *, quote: str, prefix: str) -> str:
    """A literal with this text in it as it is, as far as the kind of literal permits."""
    for char in ("\\", quote[0], "\n"):
        text = text.replace(char, "" if "r" in prefix or char == "\n" else f"\\{char}")
    if "f" in prefix:
        text = "{len(data)}" + text.replace("{", "{{").replace("}", "}}")
    if "b" in prefix:
        text = "".join(char for char in text if char.isascii())
    return f"{prefix}{quote}{text}{quote}"


@st.composite
def literals(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["", "", "f", "r", "rf", "b"]))
    quote = draw(st.sampled_from(["'", '"', "'''", '"""']))
    literal = quoted(draw(LITERALS), quote=quote, prefix=prefix)
    return f"{literal}.decode()" if prefix == "b" else literal


INDENTS = st.sampled_from(["  ", "    ", "\t", " \t", "       "])


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Code that puts texts into data: in blocks, over continued lines, with comments behind them, and as its value."""
    indent, one, other = draw(INDENTS), draw(literals()), draw(literals())
    comment = draw(LITERALS.filter(lambda text: "\r" not in text))
    lines = [
        f"data['x'] = {one}",
        f"if data: # {comment}\n{indent}data['y'] = {one}\n\n{indent}data['z'] = \\\n{other}",
        f"for x in [{one},\n{other}]:\n{indent}if x:\n{indent}{indent}data[x] = 1\n{indent}# {comment}\n{indent}else:\n{indent}\tdata['w'] = x",
        f"data[{one}] = [{other}, len({one})]; data['q'] = {one} == {other}",
        f"data['f'] = (lambda x: x + {one})({other})",
        f"# {comment}",
        f"[{one} {other!s} for _ in range(2)]" if one[0] in "'\"" and other[0] in "'\"" else one,
        f"{{{one}: {other}}}",
        "   ",
    ]
    return "\n".join(draw(st.lists(st.sampled_from(lines), min_size=1, max_size=5)))


@given(st.lists(programs(), min_size=1, max_size=5))
@settings(max_examples=150)
def test_no_text_is_changed_by_running_together(sandbox: SandboxRunner, programs: list[str]) -> None:
    fitting = [code for code in programs if text_of(code).body]
    with closing(new(sandbox, ShortCode())) as together:
        if fitting:
            found = outcomes(together, [job(code, n=3) for code in fitting])
            for code, outcome in zip(fitting, found, strict=True):
                assert outcome == run(sandbox, code, n=3), code


class TestShortCode:
    """What is known of code by how it ran by itself."""

    def test_it_is_short_once_it_was(self, known: ShortCode) -> None:
        assert not known.is_short("1")
        known.took("1", SHORT * 2)
        assert not known.is_short("1")
        known.took("1", SHORT / 2)
        known.took("1", SHORT * 2)
        assert known.is_short("1")

    def test_it_is_not_any_more_once_it_takes_long(self, known: ShortCode) -> None:
        known.took("1", SHORT / 2)
        known.took("1", LONGEST * 2)
        assert not known.is_short("1")

    def test_what_was_refused_has_to_show_that_it_is_short_more_often_each_time(self, known: ShortCode) -> None:
        """A machine that stands still for a moment must not make an engine slow for good, nor hostile code so again and again."""
        known.took("1", SHORT / 2)
        for needed in (AGAIN, 2 * AGAIN, 4 * AGAIN):
            known.refuse(["1", "1"])
            for _ in range(needed - 1):
                known.took("1", SHORT / 2)
                known.took("1", SHORT * 2)
            assert not known.is_short("1")
            known.took("1", SHORT / 2)
            assert known.is_short("1")

    def test_code_that_is_not_known_can_be_refused(self, known: ShortCode) -> None:
        known.refuse(["1"])
        known.took("1", SHORT / 2)
        assert not known.is_short("1")

    def test_only_so_much_is_remembered(self, known: ShortCode) -> None:
        for number in range(5_000):
            known.took(str(number), 0.0)
        assert not known.is_short("0")
        assert known.is_short("4999")
        assert len(known._trials) == 4_000


class TestJoining:
    """What an engine's runner knows of the code that has run by it."""

    @pytest.fixture
    def shared(self) -> Iterator[Runner]:
        runner = SandboxRunner(workers=3, names=lambda: ["echo"])
        with runner.shared() as opened:
            yield opened
        runner.close()

    @pytest.mark.parametrize(
        ("code", "joins"),
        [
            (COUNT, True),
            ("data.get('n')", True),
            ("print(1)", False),
            ("echo(1)", False),
            ("data.get('n') or echo(1)", False),
            ("1 / data['n']", True),
            ("1 / 0", False),
            ("import math", False),
        ],
    )
    def test_code_joins_that_was_short_called_nothing_and_printed_nothing(
        self, shared: Runner, code: str, joins: bool
    ) -> None:
        assert not shared.may_join(job(code))
        for _ in range(20):  # on a busy machine, short code may take long now and then
            run(shared, code, n=1)
        assert shared.may_join(job(code)) == joins

    def test_code_with_less_time_than_all_together_does_not(self, shared: Runner) -> None:
        for _ in range(20):
            run(shared, COUNT)
        assert shared.may_join(job(COUNT, time_limit=LONGEST))
        assert not shared.may_join(job(COUNT, time_limit=LONGEST / 2))

    def test_it_runs_together_in_order(self, shared: Runner) -> None:
        found = shared.run_together([job(COUNT, n=number) for number in range(40)])
        assert found == [Completed(result=None, data={"n": number + 1}) for number in range(40)]

    def test_its_session_is_its_own_and_given_back_at_the_end(self) -> None:
        runner: Any = SandboxRunner(workers=3)
        with runner.shared() as opened:
            opened.run_together([job(COUNT), job(COUNT)])
            worker = opened.together._kept.worker_pid
            run(opened, "import math")  # begins another session, of those that run by themselves
            opened.run_together([job(COUNT), job(COUNT)])
            assert opened.together._kept.worker_pid == worker
            assert worker in runner._busy
        assert not runner._busy
        runner.close()

    def test_expressions_are_short_once_they_were(self, shared: Runner) -> None:
        expressions = ['data["n"] > 1', ' data["n"] < 1 ']
        assert not shared.are_short(expressions)
        for _ in range(20):
            for one in expressions:
                shared.evaluate(one, data={"n": 1}, results={}, time_limit=1, memory_limit=32)
        assert shared.are_short(expressions)
        assert not shared.are_short([*expressions, "data"])


def told(outcome: Outcome) -> str:
    """All of an outcome, but for where in memory something lay, which depends on what ran before."""
    return re.sub(r"0x[0-9a-f]+", "0x…", repr(outcome))


def outcomes(together: Together, jobs: list[Job]) -> list[Outcome | None]:
    return [_given(pair, one) for pair, one in zip(together.run(jobs), jobs, strict=True)]

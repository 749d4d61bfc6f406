"""Code that runs in the session of other code sees nothing of it, and is not held liable for it."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.code.granted import job, run
from tests.code.test_runners import PROGRAMS
from workflow.code.job import Completed, Errored, Outcome, Returned, WorkerStopped
from workflow.code.runner import Runner
from workflow.code.sandbox import SandboxRunner

SECRET = "'SECRET'"
LEFT = f"left = {SECRET}"

LOOKS: dict[str, tuple[str, str]] = {
    # By a name that other code has bound, in whatever way.
    "a variable": (LEFT, "left"),
    "a variable of the same name": (LEFT, "if False:\n    left = 1\nleft"),
    "in a text": (LEFT, "f'{left}'"),
    "in a nested text": (LEFT, "f'{1:{left}}'"),
    "in a function": (LEFT, "def f():\n    return left\nf()"),
    "in a function's default": (LEFT, "def f(x=left):\n    return x\nf()"),
    "in a lambda's default": (LEFT, "f = lambda left=left: left\nf()"),
    "in a class": (LEFT, "class A:\n    left = left\nA.left"),
    "in a comprehension": (f"left = [{SECRET}]", "[x for x in left]"),
    "in a condition of a comprehension": (LEFT, "[x for x in [1] if left]"),
    "as a global": (LEFT, "def f():\n    global left\n    return left\nf()"),
    "in a decorator": ("def left(f):\n    return lambda: 'SECRET'", "@left\ndef f():\n    return 1\nf()"),
    "in an annotation": (LEFT, "x: left = 1\n__annotations__"),
    "in a pattern": ("class left:\n    x = 'SECRET'", "match 1:\n    case left.x:\n        y = 1\n    case _:\n        y = 2\ny"),
    "added to": ("left = 1000", "left += 1\nleft"),
    "what a loop counted": (f"for left in [{SECRET}]:\n    pass", "left"),
    "a function": ("def left():\n    return 'SECRET'", "left()"),
    "a function's default": (f"def left(x={SECRET}):\n    return x", "left()"),
    "an async function": ("async def left():\n    return 'SECRET'", "await left()"),
    "a class that was left": (f"class left:\n    x = {SECRET}", "left.x"),
    "a walrus": (f"(left := {SECRET})", "left"),
    "a walrus in a comprehension": (f"[left := {SECRET} for _ in [1]]", "left"),
    "a walrus in a function": (f"def f(x=(left := {SECRET})):\n    return x", "left"),
    "an exception": ("try:\n    raise ValueError('SECRET')\nexcept ValueError as left:\n    kept = left", "str(kept)"),
    "a pattern's name": (f"match [{SECRET}]:\n    case [left]:\n        pass", "left"),
    "a pattern's rest": (f"match [1, {SECRET}]:\n    case [1, *left]:\n        pass", "left"),
    "a pattern's other keys": (f"match {{'a': {SECRET}}}:\n    case {{**left}}:\n        pass", "left"),
    "a pattern as a whole": (f"match {SECRET}:\n    case str() as left:\n        pass", "left"),
    "unpacked": (f"a, (left, *b) = 1, ({SECRET}, 2)", "left"),
    "a context": ("class C:\n    def __enter__(self):\n        return 'SECRET'\n    def __exit__(self, *a):\n        pass\nwith C() as left:\n    pass", "left"),
    "a global of a function": (f"def f():\n    global left\n    left = {SECRET}\nf()", "left"),
    "a global of a class": (f"class A:\n    global left\n    left = {SECRET}", "left"),
    "a private name": (f"class A:\n    def f(self):\n        global __left\n        __left = {SECRET}\nA().f()", "_A__left"),
    "a private name, looked up": (f"_A__left = {SECRET}", "class A:\n    def f(self):\n        return __left\nA().f()"),
    "another spelling": (f"ſ = {SECRET}", "s"),
    "the other way round": (f"s = {SECRET}", "ſ"),
    "an import": ("import math", "math.pi"),
    "an import by another name": ("import math as left", "left.pi"),
    "an import from": ("from math import pi", "pi"),
    "an import of all": ("from math import *", "pi"),
    "what ran as text": (f'exec("left = {SECRET}")', "left"),
    "what ran as an expression": (f'eval("(left := {SECRET})")', "left"),
    # Without the name.
    "by eval": (LEFT, "eval('le' + 'ft')"),
    "by exec": (LEFT, "exec('kept = le' + 'ft')\nkept"),
    "by eval under another name": (LEFT, "f = [eval][0]\nf('left')"),
    "by eval that was left": ("f = eval\nleft = 'SECRET'", "f('left')"),
    "by globals": (LEFT, "globals()['left']"),
    "by vars": (LEFT, "vars()['left']"),
    "by locals": (LEFT, "locals()['left']"),
    "by dir": (LEFT, "'left' in dir()"),
    "by a function's globals": (LEFT, "def f():\n    pass\nf.__globals__['left']"),
    "by the main module": (LEFT, "import sys\nsys.modules['__main__'].left"),
    "by the built-ins": (LEFT, "__builtins__"),
    "by what was said last": (SECRET, "_"),
    "by annotations": (f"left: {SECRET} = 1", "__annotations__"),
    "by a docstring": (f"{SECRET}\n1", "__doc__"),
    "by a suggestion": (f"lefty = {SECRET}", "left"),
    # By what the two have in common.
    "data": ("data['left'] = 'SECRET'", "data"),
    "data under another name": ("d = data\nd['left'] = 'SECRET'", "data"),
    "data, anew": ("data = {'left': 'SECRET'}", "data"),
    "results": ("results['left'] = 'SECRET'", "results"),
    "results, deep down": ("results['Check']['ok'] = 'SECRET'", "results"),
    "the run": ("run = 'SECRET'", "run.process"),
    "the run's class": ("try:\n    type(run).left = 'SECRET'\nexcept Exception:\n    pass", "type(run).left"),
    "a built-in type": ("try:\n    dict.left = 'SECRET'\nexcept Exception:\n    pass", "dict.left"),
    "a type of exceptions": ("try:\n    ValueError.left = 'SECRET'\nexcept Exception:\n    pass", "ValueError.left"),
    "a built-in function": ("try:\n    len.left = 'SECRET'\nexcept Exception:\n    pass", "len.left"),
    "an action's attribute": ("try:\n    echo.left = 'SECRET'\nexcept Exception:\n    pass", "echo.left"),
    "a module's attribute": ("import math\ntry:\n    math.pi = 3\nexcept Exception:\n    pass", "import math\nmath.pi"),
    "chance": ("import random\nrandom.seed(1)", "import random\nrandom.seed(2)\nrandom.random()"),
    # By what code relies on without naming it.
    "a built-in, replaced": ("def len(x):\n    return 'SECRET'", "len('a')"),
    "a built-in that a built-in uses": ("def iter(x):\n    return 'SECRET'", "list(range(2))"),
    "an assertion": ("AssertionError = KeyError", "try:\n    assert False\nexcept Exception as e:\n    x = repr(e)\nx"),
    "the end of a loop": ("StopIteration = KeyError", "[x for x in (y for y in [1])]"),
    "how classes are made": ("def __build_class__(*x):\n    return 'SECRET'", "class A:\n    x = 1\nA.x"),
    "how modules are imported": ("def __import__(*x):\n    return 'SECRET'", "import math\nmath.pi"),
    "how text is made": ("def str(x):\n    return 'SECRET'\ndef repr(x):\n    return 'SECRET'", "f'{1}{2!r}'"),
    "an action, replaced": ("def echo(x):\n    return 'SECRET'", "echo(1)"),
    "an action under another name": ("price = echo", "price('A')"),
    "a finalizer": ("class A:\n    def __del__(self):\n        data['x'] = echo('SECRET')\ndata['a'] = 1\nleft = A()", "a = [1] * 1000\ndata"),
    "a coroutine nobody awaits": ("async def f():\n    data['x'] = echo('SECRET')\nleft = f()\n1", "data"),
    # What was left by code that failed, or was abandoned.
    "after an error": (f"{LEFT}\n1 / 0", "left"),
    "after too much memory": (f"{LEFT}\n[0] * 10 ** 9", "left"),
    "after what can't be kept": (f"{LEFT}\n{{1}}", "left"),
}  # fmt: skip
"""Code that leaves something, and code that looks for it."""


@pytest.fixture
def shared(sandbox: SandboxRunner) -> Iterator[Runner]:
    """A session in which code runs after other code."""
    with sandbox.shared() as opened:
        yield opened


@pytest.mark.parametrize("how", LOOKS)
def test_code_finds_nothing_of_what_other_code_has_left(sandbox: SandboxRunner, shared: Runner, how: str) -> None:
    leaves, looks = LOOKS[how]
    alone = run(sandbox, looks, n=3)
    for _ in range(2):
        run(shared, leaves, n=2)
        assert run(shared, looks, n=3) == alone
    assert evaluated(shared, "[data, results]") == Completed(result=[{"n": 4}, {}], data={"n": 4})
    assert "SECRET" not in str(alone)


@pytest.mark.parametrize(
    ("leaves", "expression"),
    [
        ("left = 1", "left"),
        ("left = 1", "[left for _ in [1]]"),
        ("left = 1", "(lambda left=left: left)()"),
        ("1", "run.id"),
        ("run = {'id': 5}", "run['id']"),
        ("results['Check'] = 1", "results['Check']"),
        ("data['left'] = 1", "data['left']"),
        ("def len(x):\n    return 5", "len([1])"),
    ],
)
def test_a_condition_finds_nothing_of_what_code_has_left(
    sandbox: SandboxRunner, shared: Runner, leaves: str, expression: str
) -> None:
    alone = evaluated(sandbox, expression)
    run(shared, leaves)
    assert evaluated(shared, expression) == alone


@pytest.mark.parametrize("expression", ["(left := 5)", "[left := 5 for _ in [1]]", "(data := {'left': 5})"])
def test_code_finds_nothing_of_what_a_condition_has_left(
    sandbox: SandboxRunner, shared: Runner, expression: str
) -> None:
    alone = run(sandbox, "[data, left]")
    evaluated(shared, expression)
    assert run(shared, "data") == Completed(result={}, data={})
    assert run(shared, "[data, left]") == alone


@given(st.lists(st.sampled_from([*PROGRAMS, *(code for pair in LOOKS.values() for code in pair)]), max_size=8))
@settings(max_examples=40)
def test_programs_do_alike_whatever_ran_before(sandbox: SandboxRunner, programs: list[str]) -> None:
    alone = [told(run(sandbox, code, n=3)) for code in programs]
    with sandbox.shared() as shared:
        assert [told(again(shared, code, n=3)) for code in programs] == alone


def test_a_snapshot_holds_nothing_of_what_other_code_has_left(sandbox: SandboxRunner, shared: Runner) -> None:
    """It would be kept with an instance that it is not of, and be as large as all that ran before."""
    alone = snapshot(sandbox)
    run(shared, f"left = [{SECRET} * 1000, data]", secret="SECRET")
    run(shared, "def f():\n    x = ['x' * 100_000]\n    x.append(x)\nf()")
    for number in range(50):
        run(shared, f"data['n'] = {number}")
    found = snapshot(shared)
    assert b"SECRET" not in found
    assert len(found) < len(alone) + 100


def snapshot(runner: Runner) -> bytes:
    running = runner.run(job("echo(1)"))
    call = next(running)
    taken: bytes = call.dump()
    running.close()
    return taken


class TestLimits:
    """What other code has taken is not counted."""

    HALF = "x = []\nfor n in range(20):\n    x.append('y' * 2 ** 20 + str(n))\nlen(x)"

    def test_of_memory(self, shared: Runner) -> None:
        assert again(shared, self.HALF.replace("x", "left"), memory_limit=32) == Completed(result=20, data={})
        assert again(shared, self.HALF, memory_limit=32) == Completed(result=20, data={})

    def test_of_memory_in_conditions(self, shared: Runner) -> None:
        expression = "len(['y' * 2 ** 20 + str(n) for n in range(40)])"
        again(shared, self.HALF.replace("x", "left").replace("20)", "40)"))
        assert evaluated(shared, expression) == Completed(result=40, data={"n": 4})

    def test_own_limits_are_each_their_own(self, shared: Runner) -> None:
        assert run(shared, "1", time_limit=5) == Completed(result=1, data={})
        slow = run(shared, "while True:\n    pass", time_limit=0.2)
        assert isinstance(slow, Errored)
        assert slow.error.type == "TimeLimit"
        large = run(shared, "[0] * 10 ** 7", memory_limit=16)
        assert isinstance(large, Errored)
        assert large.error.type == "MemoryLimit"
        assert run(shared, "1") == Completed(result=1, data={})

    def test_a_worker_that_died_meanwhile_fails_nobody(self, shared: Runner) -> None:
        run(shared, "1")
        session: Any = shared.kept._session  # type: ignore[attr-defined]
        os.kill(session.worker_pid, signal.SIGKILL)
        assert again(shared, "2") == Completed(result=2, data={})


def test_a_call_abandoned_midway_leaves_nothing(sandbox: SandboxRunner, shared: Runner) -> None:
    alone = run(sandbox, "left")
    running = shared.run(job("left = 'SECRET'\necho(1)"))
    next(running)
    running.close()
    assert run(shared, "left") == alone


def test_code_that_goes_on_from_a_snapshot_leaves_nothing(sandbox: SandboxRunner, shared: Runner) -> None:
    text = "left = 'SECRET'\necho(1)\nleft"
    running = sandbox.run(job(text))
    taken = next(running).dump()
    running.close()
    alone = run(sandbox, "left")
    running = shared.run(job(text), snapshot=taken)
    next(running)
    with pytest.raises(StopIteration) as end:
        running.send(Returned(1))
    assert end.value.value == Completed(result="SECRET", data={})
    assert run(shared, "left") == alone


def evaluated(runner: Runner, expression: str) -> Completed | Errored:
    return runner.evaluate(expression, data={"n": 4}, results={}, time_limit=5, memory_limit=64)


def again(runner: Runner, code: str, **options: Any) -> Outcome:
    """As an engine does, where code may have failed by what other code has left."""
    try:
        return run(runner, code, **options)
    except WorkerStopped:
        return run(runner, code, **options)


def told(outcome: Outcome) -> str:
    return str(outcome.error) if isinstance(outcome, Errored) else repr(outcome)

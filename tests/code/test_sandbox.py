"""The sandbox holds: attacks are contained, limits are kept, a dead worker harms nobody else."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from tests.code.granted import job, run
from workflow.code.crossing import as_reply
from workflow.code.job import Call, Completed, Errored, Raised, Returned
from workflow.code.sandbox import SandboxRunner

MEMORY, TIME = "MemoryLimit", "TimeLimit"

ATTACKS: dict[str, str] = {
    # The world outside.
    "import socket": "ModuleNotFoundError",
    "import subprocess": "ModuleNotFoundError",
    "import ctypes": "ModuleNotFoundError",
    "import builtins": "ModuleNotFoundError",
    "import django": "ModuleNotFoundError",
    "exec('import socket')": "ModuleNotFoundError",
    "__import__('socket')": "NameError",
    "open('/etc/passwd').read()": "PermissionError",
    "open('/tmp/written-by-code', 'w').write('x')": "PermissionError",
    "import pathlib\npathlib.Path('/etc/passwd').read_text()": "PermissionError",
    "import pathlib\nlist(pathlib.Path('/').iterdir())": "PermissionError",
    "import os\nos.listdir('/')": "PermissionError",
    "import os\nos.environ['PATH']": "RuntimeError",
    "import os\nos.getenv('PATH')": "RuntimeError",
    "import os\nos.system('id')": "AttributeError",
    "import os\nos.fork()": "AttributeError",
    "import sys\nsys.modules": "AttributeError",
    "import time\ntime.sleep(1000)": "RuntimeError",
    "input()": "NameError",
    "globals()": "NameError",
    # Walks through Python's insides.
    "().__class__.__bases__[0].__subclasses__()": "AttributeError",
    "getattr(data, '__class__')": "AttributeError",
    "(lambda: 0).__globals__": "AttributeError",
    "reserve_stock.__globals__": "AttributeError",
    "'{0.__class__}'.format(run)": "AttributeError",
    "run.__class__": "AttributeError",
    "run._replace(id=1).__reduce__()": "AttributeError",
    # Too much.
    "while True:\n    pass": TIME,
    "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass": TIME,
    "while True:\n    print('x' * 1000)": TIME,
    "sum(range(10 ** 12))": TIME,
    "[0] * 10 ** 9": MEMORY,
    "'x' * 10 ** 9": MEMORY,
    "9 ** 9 ** 9": MEMORY,
    "f'{1:1000000000}'": MEMORY,
    "'%1000000000d' % 1": MEMORY,
    "list(range(10 ** 9))": MEMORY,
    "''.join(['x' * 10 ** 6] * 1000)": MEMORY,
    "x = []\nwhile True:\n    x.append('y' * 1000 + str(len(x)))": MEMORY,
    "x = []\ntry:\n    while True:\n        x.append('y' * 1000 + str(len(x)))\nexcept MemoryError:\n    pass": MEMORY,
    "class A:\n    def __repr__(self):\n        return 'x' * 10 ** 9\nrepr(A())": MEMORY,
    "def f(n):\n    return f(n + 1)\nf(0)": "RecursionError",
    "(lambda f: f(f))(lambda f: f(f))": "RecursionError",
    "(" * 20_000 + ")" * 20_000: "SyntaxError",
    "-" * 200_000 + "1": "SyntaxError",
    "eval('1+' * 100000 + '1')": "SyntaxError",
    "x = []\nfor i in range(40):\n    x = [x, x]\nx": "BadValue",
    "x = []\nfor i in range(40):\n    x = [x, x]\ndata['x'] = x": "BadValue",
    "x = []\nfor i in range(40):\n    x = [x, x]\necho(x)": "TypeError",
    "x = []\nfor i in range(40):\n    x = [x, x]\necho(*[1], **{'value': x})": "TypeError",
    "x = []\nfor i in range(100000):\n    x = [x]\nx": "BadValue",
    "['x' * 10 ** 6] * 20": "BadValue",
    "raise ValueError('x' * 10 ** 7)": "ValueError",
    "raise ValueError('\\x00')": "ValueError",
}


@pytest.mark.parametrize("code", ATTACKS, ids=lambda code: code[:60])
def test_an_attack_is_contained(sandbox: SandboxRunner, code: str) -> None:
    outcome = run(sandbox, code, time_limit=1, memory_limit=32)
    assert isinstance(outcome, Errored), outcome
    assert outcome.error.type == ATTACKS[code], outcome.error
    assert len(outcome.error.message) < 5_000
    assert len(outcome.error.traceback) < 25_000
    assert "\x00" not in outcome.error.message + outcome.error.traceback
    assert len(outcome.log) < 2_000
    assert run(sandbox, "data['n'] + 1", n=1) == Completed(result=2, data={"n": 1})


def test_limits_are_told_in_the_owners_words(sandbox: SandboxRunner) -> None:
    out_of_time = run(sandbox, "while True:\n    pass", time_limit=0.2)
    out_of_memory = run(sandbox, "x = 1\n[0] * 10 ** 9", memory_limit=16)
    assert isinstance(out_of_time, Errored)
    assert isinstance(out_of_memory, Errored)
    assert str(out_of_time.error) == "TimeLimit: The code computed for longer than its limit of 0.2 s."
    assert str(out_of_memory.error) == "MemoryLimit: The code needs more memory than its limit of 16 MiB. (line 2)"


def test_time_that_an_answer_takes_does_not_count(sandbox: SandboxRunner) -> None:
    running = sandbox.run(job("echo(1)", time_limit=0.2))
    next(running)
    time.sleep(0.5)
    with pytest.raises(StopIteration) as end:
        running.send(Returned(2))
    assert end.value.value == Completed(result=2, data={})


def test_time_between_calls_adds_up(sandbox: SandboxRunner) -> None:
    outcome = run(sandbox, "while True:\n    sum(range(100000))\n    echo(1)", time_limit=0.5)
    assert isinstance(outcome, Errored)
    assert outcome.error.type == TIME


def test_more_calls_than_monty_allows_by_default(sandbox: SandboxRunner) -> None:
    assert run(sandbox, "sum([echo(1) for _ in range(1500)])") == Completed(result=1500, data={})


def workers(runner_of: int | None = None) -> list[psutil.Process]:
    children = psutil.Process(runner_of).children()
    return [child for child in children if "monty" in child.name()]


def strike(number: signal.Signals) -> threading.Thread:
    """Send a signal to the worker that computes most, once it does."""

    def wait_and_strike() -> None:
        before = {worker.pid: sum(worker.cpu_times()[:2]) for worker in workers()}
        time.sleep(0.5)
        busiest = max(workers(), key=lambda worker: sum(worker.cpu_times()[:2]) - before.get(worker.pid, 0))
        os.kill(busiest.pid, number)

    thread = threading.Thread(target=wait_and_strike)
    thread.start()
    return thread


def test_a_worker_that_is_killed_fails_only_its_own_job(sandbox: SandboxRunner) -> None:
    striker = strike(signal.SIGKILL)
    outcome = run(sandbox, "print('begun')\nwhile True:\n    pass", time_limit=10)
    striker.join()
    assert isinstance(outcome, Errored)
    assert outcome.error.type == "SandboxCrashed"
    assert "SIGKILL" in outcome.error.message
    assert run(sandbox, "1") == Completed(result=1, data={})


def test_a_worker_that_hangs_is_killed_after_its_limit(sandbox: SandboxRunner) -> None:
    striker = strike(signal.SIGSTOP)
    begun = time.monotonic()
    outcome = run(sandbox, "while True:\n    pass", time_limit=1.5)
    striker.join()
    assert isinstance(outcome, Errored)
    assert str(outcome.error) == (
        "TimeLimit: The code computed for longer than its limit of 1.5 s. It did not stop by itself and was killed."
    )
    assert time.monotonic() - begun < 6
    assert run(sandbox, "1") == Completed(result=1, data={})


def test_many_threads_share_the_pool(sandbox: SandboxRunner) -> None:
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda n: run(sandbox, "echo(data['n']) * 2", n=n), range(200)))
    assert outcomes == [Completed(result=2 * n, data={"n": n}) for n in range(200)]


def test_one_run_leaves_nothing_to_the_next(sandbox: SandboxRunner) -> None:
    for _ in range(4):
        outcome = run(sandbox, "try:\n    left\nexcept NameError:\n    left = 'clean'\nleft")
        assert outcome == Completed(result="clean", data={})


def test_honest_text_that_looks_like_a_function_is_kept(sandbox: SandboxRunner) -> None:
    text = "<function 'f' at 0xc>"
    assert run(sandbox, "data['text']", text=text) == Completed(result=text, data={"text": text})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f():\n    pass\nf", "The result holds <function 'f' at 0x"),
        ("[print]", "The result[0] is of type function (print), which"),
        ("reserve_stock", "The result holds <action reserve_stock>, which can't be kept; is a call's () missing"),
        ("range(1, 5, 2)", "The result holds range(1, 5, 2), which"),
        ("data['f'] = {'a': [lambda: 1]}", "data holds <function '<lambda>' at 0x"),
    ],
)
def test_what_monty_hands_out_as_text_is_no_text(sandbox: SandboxRunner, code: str, message: str) -> None:
    outcome = run(sandbox, code)
    assert isinstance(outcome, Errored)
    assert outcome.error.message.startswith(message)


def test_a_built_in_cannot_call_an_action(sandbox: SandboxRunner) -> None:
    outcome = run(sandbox, "list(map(reserve_stock, ['A']))")
    assert isinstance(outcome, Errored)
    assert outcome.error.type == "NotImplementedError"
    assert "'reserve_stock'" in outcome.error.message


def test_async_code_runs_but_awaits_no_call(sandbox: SandboxRunner) -> None:
    assert run(sandbox, "async def f():\n    return 3\nawait f()") == Completed(result=3, data={})
    outcome = run(sandbox, "await echo(1)")
    assert isinstance(outcome, Errored)
    assert outcome.error.type == "TypeError"


def test_local_time_is_the_projects(sandbox: SandboxRunner) -> None:
    outcome = run(sandbox, "import datetime\ndatetime.datetime(2026, 7, 1, 12).astimezone()")
    assert isinstance(outcome, Completed)
    assert outcome.result.isoformat() == "2026-07-01T10:00:00+00:00"


class Refused(PermissionError):
    """An exception that Monty does not know."""


class Unprintable(ValueError):
    """An exception that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("exception", "kind", "message"),
    [
        (ValueError("bad"), "ValueError", "bad"),
        (KeyError("k"), "KeyError", "'k'"),
        (ValueError(1, {"a": 2}), "ValueError", "(1, {'a': 2})"),
        (OSError(2, "gone"), "FileNotFoundError", "[Errno 2] gone"),
        (TimeoutError("slow"), "TimeoutError", "slow"),
        (MemoryError("full"), "MemoryError", "full"),
        (Refused(13, "no"), "PermissionError", "Refused: [Errno 13] no"),
        (ConnectionResetError("peer"), "OSError", "ConnectionResetError: peer"),
        (Unprintable(), "ValueError", "Unprintable"),
        (BufferError(), "Exception", "BufferError"),
        (StopIteration(3), "StopIteration", "3"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"), "UnicodeDecodeError", "'utf-8' codec can't decode"),
        (ExceptionGroup("several", [ValueError("a")]), "Exception", "ExceptionGroup: several (1 sub-exception)"),
    ],
)
def test_exceptions_cross_as_their_nearest_kin(
    sandbox: SandboxRunner, exception: Exception, kind: str, message: str
) -> None:
    code = f"try:\n    echo()\nexcept {kind} as error:\n    caught = str(error)\ncaught"
    running = sandbox.run(job(code))
    assert next(running) == Call(name="echo")
    with pytest.raises(StopIteration) as end:
        running.send(Raised(exception))
    outcome: Any = end.value.value
    assert isinstance(outcome, Completed), outcome
    assert outcome.result.startswith(message)


def test_every_builtin_exception_has_kin() -> None:
    def kinds(kind: type[Exception]) -> list[type[Exception]]:
        return [kind, *(found for each in kind.__subclasses__() for found in kinds(each))]

    for kind in kinds(Exception):
        if kind.__module__ == "builtins" and not issubclass(kind, UnicodeError | BaseExceptionGroup):
            assert as_reply(Raised(kind()))

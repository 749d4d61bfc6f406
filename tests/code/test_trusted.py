"""What only the trusted runner does."""

import threading
import time

from tests.code.granted import job, run
from workflow.code.job import Completed, Errored
from workflow.code.trusted import TrustedRunner


def test_all_of_python_is_there(trusted: TrustedRunner) -> None:
    code = "import socket\nclass Odd(Exception):\n    pass\ntry:\n    raise Odd\nexcept Odd:\n    x = socket.AF_INET > 0\nx"
    assert run(trusted, code) == Completed(result=True, data={})


def test_time_limits_are_not_kept(trusted: TrustedRunner) -> None:
    assert run(trusted, "import time\ntime.sleep(0.3)\n1", time_limit=0.1) == Completed(result=1, data={})


def test_exit_does_not_end_the_engine(trusted: TrustedRunner) -> None:
    outcome = run(trusted, "x = 1\nexit(3)")
    assert isinstance(outcome, Errored)
    assert (outcome.error.type, outcome.error.line) == ("SystemExit", 2)


def test_the_traceback_shows_the_libraries_but_not_us(trusted: TrustedRunner) -> None:
    outcome = run(trusted, "import json\njson.loads('{')")
    assert isinstance(outcome, Errored)
    assert (outcome.error.type, outcome.error.line) == ("JSONDecodeError", 2)
    assert "json/decoder.py" in outcome.error.traceback
    assert "trusted.py" not in outcome.error.traceback


def test_the_traceback_shows_the_line_whatever_characters_come_before_it(trusted: TrustedRunner) -> None:
    outcome = run(trusted, "x = 'a\u2028b\x0bc'\n1 / 0  # here\n2")
    assert isinstance(outcome, Errored)
    assert "1 / 0" in outcome.error.traceback


def test_functions_see_the_names_of_the_code(trusted: TrustedRunner) -> None:
    assert run(trusted, "def f():\n    return data['n'] + len(results)\nf()", n=1) == Completed(result=2, data={"n": 1})


def test_abandoned_code_ends(trusted: TrustedRunner) -> None:
    def threads() -> int:
        return sum(thread.name == "trusted code" for thread in threading.enumerate())

    before = threads()
    running = trusted.run(job("while True:\n    try:\n        echo()\n    except Exception:\n        pass"))
    next(running)
    assert threads() == before + 1
    running.close()
    for _ in range(100):
        if threads() == before:
            break
        time.sleep(0.02)
    assert threads() == before

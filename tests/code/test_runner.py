"""The runner of an OS process: one of a kind, not shared over a fork, gone at exit."""

import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pytest_django.fixtures import Settings

from workflow.code.check import check_code
from workflow.code.runner import get_runner
from workflow.code.sandbox import SandboxRunner
from workflow.code.trusted import TrustedRunner

START = """
import django, os, sys, threading, time
django.setup()
from workflow.code.job import Job, RunInfo
from workflow.code.runner import get_runner
from workflow.code.execute import execute
def run(code, time_limit=60):
    job = Job(code=code, data={}, results={}, run=RunInfo(1, "P", "T", 1), time_limit=time_limit, memory_limit=64)
    return execute(job, get_runner())
"""


def python(program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment,
        check=False,
    )


def test_there_is_one_runner_of_a_kind(settings: Settings) -> None:
    settings.WORKFLOW = {}
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: get_runner(), range(50)))
    assert len(found) == 1
    assert isinstance(found.pop(), SandboxRunner)
    settings.WORKFLOW = {"RUNNER": "trusted"}
    assert isinstance(get_runner(), TrustedRunner)


def test_code_is_checked_by_the_runner_of_the_setting(settings: Settings) -> None:
    settings.WORKFLOW = {}
    assert len(check_code("import numpy")) == 1
    assert check_code("data['n'] > 1", True) == []
    settings.WORKFLOW = {"RUNNER": "trusted"}
    assert check_code("import numpy") == []


def test_a_fork_before_the_first_code_has_a_runner_of_its_own() -> None:
    done = python(
        """
        child = os.fork()
        result = run("1 + 1").result
        if not child:
            sys.exit(result)
        print(result, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert done.stdout == "2 2\n", done.stderr


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_fork_after_the_first_code_is_told_and_harms_nobody() -> None:
    done = python(
        """
        run("1")
        busy = threading.Thread(target=lambda: print(run("n = 0\\nwhile n < 3000000:\\n    n += 1\\nn").result))
        busy.start()
        time.sleep(0.1)
        child = os.fork()
        if not child:
            try:
                get_runner()
            except RuntimeError as error:
                print(error, flush=True)
            sys.exit(0)
        os.waitpid(child, 0)
        busy.join()
        print(run("2").result)
        """
    )
    told, *results = done.stdout.splitlines()
    assert "was forked from one that had already run code, and the sandbox can't follow." in told
    assert results == ["3000000", "2"], done.stderr


def test_a_process_exits_while_code_runs() -> None:
    begun = time.monotonic()
    done = python(
        """
        threading.Thread(target=run, args=("while True: pass",), daemon=True).start()
        time.sleep(0.3)
        print("over", flush=True)
        """
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "over\n"
    assert time.monotonic() - begun < 15

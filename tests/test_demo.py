"""The demo as a person meets it: one command, a site that answers, an engine that works, and Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from config.demo.environment import prepare
from tests.conftest import Manage, Spawn
from workflow.models import InstanceState, RunningProcesses, WaitingForApproval

pytestmark = pytest.mark.slow

SITE = {"DJANGO_SETTINGS_MODULE": "config.settings"}
START_UP = 60.0
GROUPS = {"managers", "hr", "it", "sales", "warehouse"}


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
        return free


@pytest.fixture
def demo(spawn: Spawn, port: int) -> Iterator[Callable[[], "Demo"]]:
    started: list[Demo] = []

    def start() -> Demo:
        started.append(Demo(spawn("demo", "--port", str(port), **SITE), port))
        return started[-1]

    yield start
    for each in started:
        each.end()


class Demo:
    """A demo that runs."""

    def __init__(self, process: Any, port: int) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{port}"

    @property
    def output(self) -> str:
        text: str = self.process.log.read_text()
        return text

    @property
    def engine(self) -> int:
        """The engine's process id, which is part of its name."""
        self.wait_for(r"Engine \S+ started")
        (found,) = re.findall(r"Engine [^:]+:(\d+):\w+ started", self.output)
        return int(found)

    @property
    def password(self) -> str:
        self.wait_for("with the password")
        (found,) = re.findall(r"with the password  (\S+)", self.output)
        return str(found)

    def wait_for(self, pattern: str) -> None:
        wait_until(lambda: bool(re.search(pattern, self.output)), lambda: self.output)

    def stop(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        code: int = self.process.wait(timeout=30)
        return code

    def end(self) -> None:
        """The test is over, however it went: leave no child behind."""
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)

    def log_in(self, name: str, password: str) -> str:
        """The page that a person sees after logging in."""
        browser = build_opener(HTTPCookieProcessor(CookieJar()))
        page = browser.open(f"{self.address}/login/", timeout=20).read().decode()
        token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token, "next": ""}
        answer: bytes = browser.open(f"{self.address}/login/", urlencode(form).encode(), timeout=20).read()
        return answer.decode()

    def is_gone(self) -> bool:
        """Whether neither the site nor the engine is left."""
        try:
            build_opener().open(self.address, timeout=5).close()
        except URLError:
            return not is_alive(self.engine)
        return False


def wait_until(is_so: Callable[[], bool], told: Callable[[], str]) -> None:
    deadline = time.monotonic() + START_UP
    while not is_so():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def states() -> list[str]:
    return sorted(RunningProcesses.objects.values_list("state", flat=True))


def test_it_serves_works_and_stops(demo: Callable[[], Demo]) -> None:
    running = demo()
    assert "Log out" in running.log_in("admin", running.password)
    assert "Log out" in running.log_in("anna", running.password)
    assert "Log out" not in running.log_in("admin", "demo")
    settled = {InstanceState.WAITING, InstanceState.FINISHED}
    wait_until(lambda: bool(states()) and set(states()) <= settled, lambda: running.output)
    assert set(states()) == settled
    assert set(WaitingForApproval.objects.values_list("approver", flat=True)) == GROUPS
    assert "Result of Expense claim task Pay out is T-" in running.output

    assert running.stop() == 0
    assert running.output.endswith("Stopped; nothing runs any more.\n")
    assert running.is_gone()


def test_a_second_demo_goes_on_with_the_data_under_a_new_password(demo: Callable[[], Demo]) -> None:
    first = demo()
    old = first.password
    assert first.stop(signal.SIGTERM) == 0
    started = RunningProcesses.objects.filter(parent=None)  # engines may start sub-processes at any time
    count = started.count()

    second = demo()
    assert second.password != old
    assert "Log out" in second.log_in("mark", second.password)
    assert started.count() == count
    assert "Loaded" not in second.output


def test_when_a_part_dies_the_rest_is_stopped_and_it_says_so(demo: Callable[[], Demo]) -> None:
    running = demo()
    os.kill(running.engine, signal.SIGKILL)
    assert running.process.wait(timeout=30) == 1
    assert "The engine ended by itself, with exit code -9" in running.output
    assert running.is_gone()


def test_a_port_in_use_is_told_before_anything_is_done(manage: Manage, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        done = manage("demo", "--port", str(port), **SITE)
    assert_refused(done, f"Port {port} of 127.0.0.1 can't be used")
    assert not RunningProcesses.objects.exists()


def test_a_port_that_is_none_is_told(manage: Manage) -> None:
    assert_refused(manage("demo", "--port", "70000", **SITE), "70000 is no port")


def test_a_database_with_users_of_its_own_gets_no_log_ins(manage: Manage, django_user_model: Any, port: int) -> None:
    django_user_model.objects.create_user("somebody")
    assert_refused(manage("demo", "--port", str(port), **SITE), "has users that the demo did not make")
    assert django_user_model.objects.count() == 1
    assert not RunningProcesses.objects.exists()


class TestEnvironment:
    def test_nothing_of_the_sites_own_settings_is_used(self, tmp_path: Path) -> None:
        variables = {
            "SECRET_KEY": "the site's",
            "DEBUG": "on",
            "ALLOWED_HOSTS": "example.com",
            "EMAIL_URL": "smtp://example.com",
        }
        prepare(variables, folder=tmp_path)
        assert variables["ENV_FILE"] == ""
        assert variables["DATABASE_URL"] == f"sqlite:///{tmp_path}/demo.sqlite3"
        assert variables["DEBUG"] == "off"
        assert variables["ALLOWED_HOSTS"] == "127.0.0.1,localhost"
        assert variables["EMAIL_URL"] == f"filemail:///{tmp_path}/demo.mail"
        assert len(variables["SECRET_KEY"]) > 50

    def test_a_database_named_for_it_is_used(self, tmp_path: Path) -> None:
        variables = {"DATABASE_URL": "postgres:///demo"}
        prepare(variables, folder=tmp_path)
        assert variables["DATABASE_URL"] == "postgres:///demo"

    def test_its_key_stays_and_is_readable_by_nobody_else(self, tmp_path: Path) -> None:
        first: dict[str, str] = {}
        second: dict[str, str] = {}
        prepare(first, folder=tmp_path)
        prepare(second, folder=tmp_path)
        assert first["SECRET_KEY"] == second["SECRET_KEY"]
        (file,) = tmp_path.iterdir()
        assert file.stat().st_mode & 0o077 == 0


def assert_refused(done: subprocess.CompletedProcess[str], reason: str) -> None:
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
